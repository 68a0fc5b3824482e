import { sep } from 'node:path';
import { argumentError } from '../base/argument-errors.js';
import { readingsOf } from './braces.js';
import { checkText, isAbsolutePath, isTooLong, withSlashes } from './path-text.js';
import {
  comparable,
  type Entry,
  escapePath,
  hasWildcard,
  Pattern,
  SPECIAL,
  unescaped,
} from './pattern.js';
import type { Root } from './root.js';

// Most paths: in ASCII, without special characters, already normal.
const SIMPLE =
  /^(?!\.{1,2}(?:\/|$))[^/*?{\\\0\x80-\uffff]+(?:\/(?!\.{1,2}(?:\/|$))[^/*?{\\\0\x80-\uffff]+)*\/?$/;

const NOT_BEHIND_WILDCARD = "without '..' after a wildcard";

/** `path`: every character stands for itself. */
export type Reading = 'pattern' | 'path';

/** What a claim names, in all its readings: one, unless it has braces. */
export function parsePatterns(
  given: unknown,
  kind: Entry['kind'],
  root: Root,
  name: string,
): Pattern[] {
  if (typeof given === 'string' && !given.includes('{')) {
    return [parsePattern(given, kind, root, name)];
  }
  return readingsOf(given, name).map((each) => parsePattern(each, kind, root, name));
}

/**
 * Reads what a claim names, with braces as literal characters. Lexical: symbolic
 * links are not followed. Throws an argument error that names `name`.
 */
export function parsePattern(
  given: unknown,
  kind: Entry['kind'],
  root: Root,
  name: string,
  reading: Reading = 'pattern',
): Pattern {
  if (typeof given !== 'string') {
    throw argumentError('ERR_INVALID_ARG_TYPE', name, 'a string', given);
  }
  const text = withSlashes(given);
  const absolute = isAbsolutePath(text);
  const bad = (rule: string): TypeError | RangeError =>
    argumentError('ERR_INVALID_ARG_VALUE', name, rule, text);
  const isPath = reading === 'path';
  if (!absolute && !isTooLong(text) && SIMPLE.test(text))
    return simplePattern(text, kind, isPath, root);
  checkText(text, name);
  let special = !isPath && SPECIAL.test(text);
  const relative = absolute ? belowRoot(text, root, { special, bad }) : text;
  if (relative === null) throw bad(`below the root ${root.path}`);
  const segments: string[] = [];
  const raw = relative.split('/');
  const last = raw.at(-1) as string;
  for (const segment of raw) {
    const plain = special && segment.includes('\\') ? unescaped(segment) : segment;
    if (plain === '' || plain === '.') continue;
    if (plain !== '..') {
      segments.push(segment);
      continue;
    }
    const parent = segments.pop();
    if (parent === undefined) throw bad(`below the root ${root.path}`);
    if (special && hasWildcard(parent)) throw bad(NOT_BEHIND_WILDCARD);
  }
  const directory = kind === 'directory' || ['', '.', '..'].includes(last) || segments.length === 0;
  if (isPath) special = false;
  const written = isPath ? segments.map(escapePath) : segments;
  // `**/**` matches the same paths as `**`: one way to write it.
  const collapsed = special
    ? written.filter((segment, at) => segment !== '**' || written[at - 1] !== '**')
    : written;
  return patternOf(collapsed, { directory, special, exact: isPath }, root);
}

// One for thousands of patterns each: whether it is plain, and exact.
const FORMS = [
  { wild: false, plain: false, exact: false },
  { wild: false, plain: true, exact: false },
  { wild: false, plain: false, exact: true },
  { wild: false, plain: true, exact: true },
] as const;

function simplePattern(text: string, kind: Entry['kind'], exact: boolean, root: Root): Pattern {
  const slash = text.endsWith('/');
  const form = FORMS[(exact ? 2 : 0) + (root.ignoresCase ? 0 : 1)] as (typeof FORMS)[number];
  if (kind === 'file' && !slash) return new Pattern(text, 'file', form, root);
  return new Pattern(slash ? text : `${text}/`, 'directory', form, root);
}

function patternOf(
  segments: string[],
  { directory, special, exact }: { directory: boolean; special: boolean; exact: boolean },
  root: Root,
): Pattern {
  const path = segments.join('/');
  const form = { wild: special && segments.some(hasWildcard), plain: false, exact };
  if (!directory) return new Pattern(path, 'file', form, root);
  return new Pattern(`${path || '.'}/`, 'directory', form, root);
}

/** The part after the root; `null` if it is not below the root. */
function belowRoot(
  text: string,
  root: Root,
  { special, bad }: { special: boolean; bad: (rule: string) => Error },
): string | null {
  // `/a/./b` and `//a/b` name the root `/a/b` as well.
  const given: string[] = [];
  for (const segment of text.split('/')) {
    if (segment === '..') {
      const parent = given.pop() ?? '';
      if (special && hasWildcard(parent)) throw bad(NOT_BEHIND_WILDCARD);
    } else if (segment !== '' && segment !== '.') given.push(segment);
  }
  for (const each of [root.path, root.real]) {
    const base = each.split(sep).filter((segment) => segment !== '');
    const same = base.every(
      (segment, at) =>
        given[at] !== undefined &&
        [given[at], unescaped(given[at])].some(
          (one) => comparable(one, root.ignoresCase) === comparable(segment, root.ignoresCase),
        ),
    );
    if (same)
      return `${given.slice(base.length).join('/')}${/\/\.{0,2}$/.test(text) ? '/' : ''}` || '.';
  }
  return null;
}
