import { sep } from 'node:path';
import { argumentError, NOT_EMPTY } from '../base/arguments.js';
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

// PATH_MAX of Linux: no file has a longer path.
const LONGEST = 4096;
// Most paths: in ASCII, without special characters, already normal.
const SIMPLE =
  /^(?!\.{1,2}(?:\/|$))[^/*?\\\0\x80-\uffff]+(?:\/(?!\.{1,2}(?:\/|$))[^/*?\\\0\x80-\uffff]+)*\/?$/;

// `C:/`, on Windows.
const DRIVE = /^[a-z]:\//i;

const NOT_BEHIND_WILDCARD = "without '..' behind a wildcard";

/** `path`: every character stands for itself. */
export type Reading = 'pattern' | 'path';

/**
 * Reads what a claim names. Lexical: symbolic links are not followed. Throws
 * an argument error that names `name`.
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
  // In a pattern a backslash escapes the character after it.
  const text = sep === '\\' && reading === 'path' ? given.replaceAll(sep, '/') : given;
  const absolute = text.startsWith('/') || (sep === '\\' && DRIVE.test(text));
  const bad = (rule: string): TypeError | RangeError =>
    argumentError('ERR_INVALID_ARG_VALUE', name, rule, text);
  // A folder of the greatest length may have got its slash from us.
  const tooLong = text.length - (text.endsWith('/') ? 1 : 0) > LONGEST;
  if (!absolute && !tooLong && SIMPLE.test(text)) return simplePattern(text, kind, root);
  if (text === '') throw bad(NOT_EMPTY);
  if (text.includes('\0')) throw bad('without NUL characters');
  if (tooLong) throw bad(`at most ${LONGEST} characters long`);
  const isPath = reading === 'path';
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
  return patternOf(collapsed, { directory, special }, root);
}

const PLAIN = { wild: false, plain: true, ignoresCase: false };
const FOLDED = { wild: false, plain: false, ignoresCase: true };

function simplePattern(text: string, kind: Entry['kind'], { ignoresCase }: Root): Pattern {
  const slash = text.endsWith('/');
  const form = ignoresCase ? FOLDED : PLAIN;
  if (kind === 'file' && !slash) return new Pattern(text, 'file', form);
  return new Pattern(slash ? text : `${text}/`, 'directory', form);
}

function patternOf(
  segments: string[],
  { directory, special }: { directory: boolean; special: boolean },
  { ignoresCase }: Root,
): Pattern {
  const path = segments.join('/');
  const form = { wild: special && segments.some(hasWildcard), plain: false, ignoresCase };
  if (!directory) return new Pattern(path, 'file', form);
  return new Pattern(`${path || '.'}/`, 'directory', form);
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
