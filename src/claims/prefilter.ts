import type { Pattern } from './pattern.js';
import type { Root } from './root.js';

// What tells entries apart is near their beginning, or at their end.
const MOST_STEPS = 64;
// A large expression takes time to compile.
const LARGEST_TRIE = 2000;
// With more, the expression costs more than it saves.
const MOST_PATTERNS = 500;
// Beside few claims the expression costs more as well: so it is not made for
// the first ones, one for so many patterns.
const PATTERNS_PER_CLAIM = 2;
// For so few it takes no longer than to compile what parses and compares claims.
const FEW_PATTERNS = 20;
// Normalisation can join a letter with what comes after it.
const LEAD = /^(?:[\x20-)+->@-[\]-\x7e](?!\P{ASCII}))*/u;
const TAIL = /^[\x20!#-)+->@-[\]-\x7e]*$/;

// The end of an entry that may be a folder: with a slash, or without an extension.
const FOLDER = '\\/"|\\."|["\\/]\\.?[^".\\/]*"';

/** A step of a lead: a character, or the rest of a segment with a wildcard. */
const REST = '*';

/** What every path that matches a pattern begins with, and what it ends with. */
interface Outline {
  lead: readonly string[];
  tail: string;
}

interface Trie {
  next: Map<string, Trie>;
  /** The tails of the leads that end here. */
  tails: Set<string>;
}

/**
 * Tells by its text alone whether a canonical claim can overlap with `patterns`.
 * False: certainly not. `undefined`: it would take too long to find out.
 *
 * An entry that overlaps with a pattern either goes along the whole lead, and
 * then has a wildcard, is a folder or may be one by its name, or ends with the
 * tail; or it leaves the lead at a wildcard, or ends in it where a name ends.
 * Escapes, braces and characters that need normalisation are not in the text of
 * a canonical claim. The expression may also find what is no entry: that costs
 * time and nothing else.
 */
export function prefilter(
  patterns: readonly Pattern[],
  { ignoresCase }: Root,
): ((text: string) => boolean) | undefined {
  if (patterns.length === 0) return () => false;
  if (patterns.length > MOST_PATTERNS) return undefined;
  let unfiltered = Math.floor((patterns.length - FEW_PATTERNS) / PATTERNS_PER_CLAIM);
  let expression: RegExp | undefined;
  return (text) => {
    if (unfiltered-- > 0) return true;
    expression ??= expressionFor(patterns, ignoresCase);
    return expression.test(text);
  };
}

function expressionFor(patterns: readonly Pattern[], ignoresCase: boolean): RegExp {
  const outlines = patterns.map(outlineOf);
  let trie: Trie | null = null;
  for (let most = MOST_STEPS; trie === null; most >>= 1) {
    trie = trieOf(outlines, most, ignoresCase);
  }
  // Where anything may lead to a tail: only entries, and not what follows a colon.
  const begin = trie.tails.size > 0 ? '(?<=[[,])"' : '"';
  return new RegExp(begin + expressionOf(trie, '', false), ignoresCase ? 'i' : '');
}

function outlineOf({ kind, pattern, literal, tail }: Pattern): Outline {
  // The root itself.
  if (pattern === './') return { lead: [], tail: '' };
  const lead: string[] = [];
  const isUsed = kind === 'file' && !literal && TAIL.test(tail);
  const segments = pattern.split('/');
  for (const [at, segment] of segments.entries()) {
    const [head] = LEAD.exec(segment) as RegExpExecArray;
    lead.push(...head);
    if (head !== segment) {
      const next = segment[head.length];
      // Other characters have another form in a canonical claim, if any.
      if (segment === '**' || (next !== '*' && next !== '?')) break;
      lead.push(REST);
    }
    if (at < segments.length - 1) lead.push('/');
  }
  return { lead, tail: isUsed ? tail.slice(-MOST_STEPS) : '' };
}

function newTrie(): Trie {
  return { next: new Map(), tails: new Set() };
}

/** `null`: it would be too large. With no steps it never is. */
function trieOf(outlines: readonly Outline[], most: number, ignoresCase: boolean): Trie | null {
  const trie = newTrie();
  let size = 0;
  for (const { lead, tail } of outlines) {
    let node = trie;
    for (const each of lead.slice(0, most)) {
      const step = ignoresCase ? each.toLowerCase() : each;
      let next = node.next.get(step);
      if (next === undefined) {
        if (++size > LARGEST_TRIE) return null;
        next = newTrie();
        node.next.set(step, next);
      }
      node = next;
    }
    node.tails.add(tail);
  }
  return trie;
}

/** What may follow `step`. `isWild`: a wildcard was before it. */
function expressionOf({ next, tails }: Trie, step: string, isWild: boolean): string {
  // Whatever it is.
  if (tails.has('')) return '';
  const ways = [...next].map(([each, trie]) => {
    const isRest = each === REST;
    return (isRest ? '[^"/]*' : literally(each)) + expressionOf(trie, each, isWild || isRest);
  });
  if (tails.size > 0) {
    const ends = [...tails].map((tail) => `${[...tail].map(literally).join('')}"`);
    ways.push(`[^"*?]*(?:[*?]|"(?!:)(?<=${[FOLDER, ...ends].join('|')}))`);
  }
  // The end of a folder; or of a name that the pattern has something below.
  const end = step === '/' || (next.has('/') && !isWild) ? '"' : `"(?<=${FOLDER})`;
  const mayEnd = step === '/' || next.has('/');
  return `(?:${[...ways, '[*?]', ...(mayEnd ? [end] : [])].join('|')})`;
}

function literally(character: string): string {
  return /[\w\-@]/.test(character) ? character : `\\${character}`;
}
