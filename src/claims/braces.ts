// A few lines instead of a library: brace-expansion, micromatch and their kin
// drop the backslashes that a pattern still needs, and build every alternative
// before they count them: `{a,b}` thirty times over is a billion.
import { argumentError } from '../base/argument-errors.js';
import { checkText, withSlashes } from './path-text.js';

/** How many patterns one with braces may stand for. */
const MOST_ALTERNATIVES = 256;

/** `{a,b}`: what is before it, its alternatives, what is after it. */
interface Braces {
  before: string;
  choices: string[];
  after: string;
}

/**
 * All readings of a pattern: itself, with its braces taken literally, and what
 * they stand for: `a{b,c}` is `a{b,c}`, `ab` and `ac`. Braces may be nested. A
 * pair without a comma is literal, and so is what a backslash escapes. Throws an
 * argument error that names `name` if there are too many.
 */
export function readingsOf(given: unknown, name: string): string[] {
  const text = withSlashes(checkText(given, name));
  if (!text.includes('{')) return [text];
  if (countOf(text) > MOST_ALTERNATIVES) {
    const rule = `a pattern whose braces have at most ${MOST_ALTERNATIVES} alternatives; use wildcards, or several patterns`;
    throw argumentError('ERR_INVALID_ARG_VALUE', name, rule, text);
  }
  // An alternative may be empty, but there is no path without a name.
  return [...new Set([text, ...expand(text).filter((each) => each !== '')])];
}

/** How many alternatives there are, counted without building them. */
function countOf(text: string): number {
  const found = firstBraces(text);
  if (found === null) return 1;
  const choices = found.choices.reduce((sum, each) => sum + countOf(each), 0);
  // Anything above the limit is refused, so stop counting.
  if (choices > MOST_ALTERNATIVES) return choices;
  return choices * countOf(found.after);
}

function expand(text: string): string[] {
  const found = firstBraces(text);
  if (found === null) return [text];
  const { before, choices, after } = found;
  const ends = expand(after);
  return choices.flatMap(expand).flatMap((choice) => ends.map((end) => before + choice + end));
}

/** The first pair of braces with a comma, if there is one. */
function firstBraces(text: string): Braces | null {
  for (let open = next(text, 0, '{'); open >= 0; open = next(text, open + 1, '{')) {
    const choices = choicesFrom(text, open + 1);
    if (choices !== null && choices.length > 1) {
      const end = open + choices.join().length + 2;
      return { before: text.slice(0, open), choices, after: text.slice(end) };
    }
  }
  return null;
}

/** What the commas divide up to the brace that closes; `null` if none does. */
function choicesFrom(text: string, from: number): string[] | null {
  const choices: string[] = [];
  let depth = 0;
  let start = from;
  for (let at = from; at < text.length; at++) {
    const character = text[at];
    if (character === '\\') at++;
    else if (character === '{') depth++;
    else if (character === '}' && depth-- === 0) return [...choices, text.slice(start, at)];
    else if (character === ',' && depth === 0) {
      choices.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return null;
}

function next(text: string, from: number, wanted: string): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === wanted) return at;
  }
  return -1;
}
