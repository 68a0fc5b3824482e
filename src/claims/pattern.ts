import { realpathSync, statSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import { argumentError } from '../base/arguments.js';

/** What a claim names: one path or pattern, or a folder with all below it. */
export interface Entry {
  kind: 'file' | 'directory';
  /** Relative to the root, normalised; a folder ends in `/`. */
  pattern: string;
}

/**
 * One step of a compiled pattern: the code point it takes, or one of those
 * below. A path is read with a `/` behind each of its segments, the last one
 * too.
 */
export type Token = number;
/** `?`: one character within a segment. */
export const ANY = -1;
/** `*`: any characters within a segment, or none. */
export const STAR = -2;
/** `**`: at the beginning of a segment; whole segments, or none. */
export const SEGMENTS = -3;
/** What follows a SEGMENTS always: inside a segment that it takes. */
export const INSIDE = -4;

/**
 * An entry that is ready to be compared. A folder of claims has thousands, most
 * of which are ruled out by their first letters: so what is not asked for is
 * not worked out.
 */
export class Pattern implements Entry {
  readonly kind: Entry['kind'];
  readonly pattern: string;
  /** One path and nothing else. */
  readonly literal: boolean;
  /** A literal folder and all below it. */
  readonly folder: boolean;
  /** The text is what it is compared by. */
  private readonly plainValue: boolean;
  private readonly ignoresCaseValue: boolean;
  private segmentsValue: readonly (string | null)[] | undefined;
  private tailValue: string | undefined;
  private tokensValue: Token[] | undefined;

  constructor(
    pattern: string,
    kind: Entry['kind'],
    form: { wild: boolean; plain: boolean; ignoresCase: boolean },
  ) {
    this.kind = kind;
    this.pattern = pattern;
    this.literal = !form.wild && kind === 'file';
    this.folder = !form.wild && kind === 'directory';
    this.plainValue = form.plain;
    this.ignoresCaseValue = form.ignoresCase;
  }

  /** Up to the first `**`; `null` where one has a wildcard. */
  get segments(): readonly (string | null)[] {
    this.segmentsValue ??= this.plainValue
      ? segmentsOf(this.pattern)
      : this.#comparableSegments(segmentsOf(this.pattern));
    return this.segmentsValue;
  }

  /** The leading segments without a wildcard; all of them in a literal path. */
  get prefix(): readonly string[] {
    const wild = this.literal || this.folder ? -1 : this.segments.indexOf(null);
    return (wild < 0 ? this.segments : this.segments.slice(0, wild)) as string[];
  }

  /** What every path ends in that matches; of a folder nothing is known. */
  get tail(): string {
    this.tailValue ??= this.#findTail();
    return this.tailValue;
  }

  /** Its steps, for a search. */
  get tokens(): readonly Token[] {
    this.tokensValue ??= compile(this.pattern, this.ignoresCaseValue);
    return this.tokensValue;
  }

  #comparableSegments(segments: string[]): (string | null)[] {
    const end = segments.indexOf('**');
    return (end < 0 ? segments : segments.slice(0, end)).map((each) =>
      hasWildcard(each) ? null : this.#comparable(each),
    );
  }

  #findTail(): string {
    if (this.kind === 'directory') return '';
    if (this.literal) return this.plainValue ? this.pattern : this.segments.join('/');
    const last = segmentsOf(this.pattern).at(-1) as string;
    return this.#comparable(last.slice(behindLastWildcard(last)));
  }

  #comparable(segment: string): string {
    return comparable(unescaped(segment), this.ignoresCaseValue);
  }
}

function segmentsOf(pattern: string): string[] {
  if (pattern === './') return [];
  return (pattern.endsWith('/') ? pattern.slice(0, -1) : pattern).split('/');
}

/** What paths are relative to. They are compared as its file system does. */
export interface Root {
  readonly path: string;
  /** The same with symbolic links followed, which is how tools may name it. */
  readonly real: string;
  readonly ignoresCase: boolean;
}

export function findRoot(path: string): Root {
  let real = path;
  try {
    real = realpathSync(path);
  } catch {
    // A root that is not there yet is taken as it is named.
  }
  return { path, real, ignoresCase: ignoresCase(real) };
}

/** Whether a name with its case swapped leads to the same file. */
function ignoresCase(path: string): boolean {
  const swapped = path.replace(/\p{L}/gu, (letter) =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  );
  if (swapped === path) return false;
  // The nearest folder with a letter in its name: the others say nothing.
  const segments = path.split(sep);
  const last = segments.findLastIndex((segment) => /\p{L}/u.test(segment));
  const here = segments.slice(0, last + 1).join(sep);
  const there = join(segments.slice(0, last).join(sep) || sep, swapped.split(sep)[last] as string);
  try {
    const [one, other] = [statSync(here), statSync(there)];
    return one.dev === other.dev && one.ino === other.ino;
  } catch {
    return false;
  }
}

// PATH_MAX of Linux: a longer one names no file.
const LONGEST = 4096;
const SPECIAL = /[*?\\]/;
// What most paths are: in ASCII, nothing special, nothing to normalise.
const SIMPLE =
  /^(?!\.{1,2}(?:\/|$))[^/*?\\\0\x80-\uffff]+(?:\/(?!\.{1,2}(?:\/|$))[^/*?\\\0\x80-\uffff]+)*\/?$/;

// `C:/`, on Windows.
const DRIVE = /^[a-z]:\//i;

const NOT_BEHIND_WILDCARD = "without '..' behind a wildcard";

/** Whether it is taken letter by letter, whatever is in it. */
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
  // In a pattern a backslash takes the meaning from what follows.
  const text = sep === '\\' && reading === 'path' ? given.replaceAll(sep, '/') : given;
  const absolute = text.startsWith('/') || (sep === '\\' && DRIVE.test(text));
  const bad = (rule: string): TypeError | RangeError =>
    argumentError('ERR_INVALID_ARG_VALUE', name, rule, text);
  // The slash of a folder may have been added to what was as long as it may be.
  const tooLong = text.length - (text.endsWith('/') ? 1 : 0) > LONGEST;
  if (!absolute && !tooLong && SIMPLE.test(text)) return simplePattern(text, kind, root);
  if (text === '') throw bad('not empty');
  if (text.includes('\0')) throw bad('without NUL characters');
  if (tooLong) throw bad(`at most ${LONGEST} characters long`);
  const isPath = reading === 'path';
  let special = !isPath && SPECIAL.test(text);
  const relative = absolute ? belowRoot(text, root, special, bad) : text;
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
  // The same paths, and one way to write them.
  const collapsed = special
    ? written.filter((segment, at) => segment !== '**' || written[at - 1] !== '**')
    : written;
  return patternOf(collapsed, directory, special, root);
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
  directory: boolean,
  special: boolean,
  { ignoresCase }: Root,
): Pattern {
  const path = segments.join('/');
  const form = { wild: special && segments.some(hasWildcard), plain: false, ignoresCase };
  if (!directory) return new Pattern(path, 'file', form);
  return new Pattern(`${path || '.'}/`, 'directory', form);
}

/** Without the root in front; `null` where it is not below it. */
function belowRoot(
  text: string,
  root: Root,
  special: boolean,
  bad: (rule: string) => Error,
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

function unescaped(segment: string): string {
  return segment.includes('\\') ? segment.replace(/\\(.)/gsu, '$1') : segment;
}

/** From the beginning: only there it is clear what a backslash escapes. */
function behindLastWildcard(segment: string): number {
  let behind = 0;
  for (let at = 0; at < segment.length; at++) {
    if (segment[at] === '\\') at++;
    else if (segment[at] === '*' || segment[at] === '?') behind = at + 1;
  }
  return behind;
}

/** A literal path as people write it. */
export function plainPath({ pattern }: Entry): string {
  return pattern.split('/').map(unescaped).join('/');
}

/** A pattern that means this very path. */
export function escapePath(path: string): string {
  return SPECIAL.test(path) ? path.replace(/[*?\\]/g, '\\$&') : path;
}

function hasWildcard(segment: string): boolean {
  return /[*?]/.test(segment.includes('\\') ? segment.replace(/\\./gsu, '') : segment);
}

/** What two names are compared by. */
export function comparable(text: string, ignoresCase: boolean): string {
  const name = isAscii(text) ? text : text.normalize('NFC');
  // Upper case first: of letters with several lower-case forms one is left.
  return ignoresCase ? name.toUpperCase().toLowerCase().normalize('NFC') : name;
}

function isAscii(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
  return /^[\x00-\x7f]*$/.test(text);
}

const SLASH = 47;

function compile(pattern: string, ignoresCase: boolean): Token[] {
  const tokens: Token[] = [];
  for (const segment of segmentsOf(pattern)) {
    if (segment === '**') tokens.push(SEGMENTS, INSIDE);
    else tokens.push(...compileSegment(segment, ignoresCase), SLASH);
  }
  if (pattern.endsWith('/')) tokens.push(SEGMENTS, INSIDE);
  return tokens;
}

function compileSegment(segment: string, ignoresCase: boolean): Token[] {
  const tokens: Token[] = [];
  let run = '';
  const endRun = (): void => {
    for (const character of comparable(run, ignoresCase))
      tokens.push(character.codePointAt(0) as number);
    run = '';
  };
  const characters = [...segment];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] as string;
    if (character === '*') {
      endRun();
      if (tokens.at(-1) !== STAR) tokens.push(STAR);
    } else if (character === '?') {
      endRun();
      tokens.push(ANY);
    } else if (character === '\\' && at + 1 < characters.length) {
      run += characters[++at];
    } else {
      run += character;
    }
  }
  endRun();
  return tokens;
}

/** The git top level of a folder, found by its `.git`; else the working directory. */
export function defaultRoot(directory: string): string {
  for (let folder = directory; ; folder = resolve(folder, '..')) {
    try {
      statSync(join(folder, '.git'));
      return folder;
    } catch {
      if (folder === resolve(folder, '..')) return process.cwd();
    }
  }
}
