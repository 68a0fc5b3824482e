import { statSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { Root } from './root.js';

/** What a claim names: a path or pattern, or a folder; each path with everything below it. */
export interface Entry {
  kind: 'file' | 'directory';
  /** Relative to the root, normalised; a folder ends in `/`. */
  pattern: string;
}

/**
 * One step of a compiled pattern: a code point, or one of the values below. A
 * path is read with a `/` after each of its segments, the last one included.
 */
export type Token = number;
/** `?`: one character within a segment. */
export const ANY = -1;
/** `*`: any characters within a segment, or none. */
export const STAR = -2;
/** `**`: at the start of a segment; whole segments, or none. */
export const SEGMENTS = -3;
/** Always follows SEGMENTS: inside a segment that it matches. */
export const INSIDE = -4;

/**
 * An entry that can be compared. A folder of claims has thousands of them, and
 * the first letters rule most of them out, so each value is computed only when
 * it is asked for.
 */
export class Pattern implements Entry {
  readonly kind: Entry['kind'];
  readonly pattern: string;
  /** No wildcards, and not written as a folder. */
  readonly literal: boolean;
  /** No wildcards: a path and everything below it. */
  readonly folder: boolean;
  /** A path to check. It is compared as a literal one is. */
  readonly exact: boolean;
  /** The text can be compared as it is. */
  private readonly plainValue: boolean;
  private readonly rootValue: Root;
  private segmentsValue: readonly (string | null)[] | undefined;
  private headsValue: readonly string[] | undefined;
  private tailValue: string | undefined;
  private tokensValue: Token[] | undefined;
  private mayBeFolderValue: boolean | undefined;

  constructor(
    pattern: string,
    kind: Entry['kind'],
    form: Readonly<{ wild: boolean; plain: boolean; exact: boolean }>,
    root: Root,
  ) {
    this.kind = kind;
    this.pattern = pattern;
    this.literal = !form.wild && kind === 'file';
    this.folder = !form.wild;
    this.exact = form.exact && kind === 'file';
    this.plainValue = form.plain;
    this.rootValue = root;
  }

  /** Up to the first `**`; `null` for a segment with a wildcard. */
  get segments(): readonly (string | null)[] {
    this.segmentsValue ??= this.plainValue
      ? segmentsOf(this.pattern)
      : this.#comparableSegments(segmentsOf(this.pattern));
    return this.segmentsValue;
  }

  /** The same, but of a segment with a wildcard what comes before the first one. */
  get heads(): readonly string[] {
    this.headsValue ??= this.#findHeads();
    return this.headsValue;
  }

  /** All paths that match have as many segments as the pattern. */
  get hasFixedDepth(): boolean {
    if (this.folder || this.kind === 'directory') return false;
    return this.segments.length === segmentsOf(this.pattern).length;
  }

  /** The leading segments without a wildcard; all segments of a literal path. */
  get prefix(): readonly string[] {
    const wild = this.folder ? -1 : this.segments.indexOf(null);
    return (wild < 0 ? this.segments : this.segments.slice(0, wild)) as string[];
  }

  /**
   * How every path ends that matches: for a literal path all of it, without what
   * is below; empty for a folder, which says nothing about it.
   */
  get tail(): string {
    this.tailValue ??= this.#findTail();
    return this.tailValue;
  }

  /** Its steps, for a search; with those of what is below a path without wildcards. */
  get tokens(): readonly Token[] {
    this.tokensValue ??= compile(this.pattern, this.folder, this.rootValue.ignoresCase);
    return this.tokensValue;
  }

  /** Of a literal path, the steps without what is below it. */
  get ownTokens(): readonly Token[] {
    return this.tokens.slice(0, -BELOW.length);
  }

  /**
   * Whether a literal path may be, or become, a folder. Nothing is file and
   * folder at once, so below a file there is nothing that a wildcard could
   * match: `Makefile` and `client.ts` do not overlap with `**\/*.test.ts`, but
   * `newdir` does. What does not exist yet is judged by its name.
   */
  get mayBeFolder(): boolean {
    this.mayBeFolderValue ??= this.literal && !this.exact && !this.#isFile();
    return this.mayBeFolderValue;
  }

  #isFile(): boolean {
    const path = plainPath(this);
    if (EXTENSION.test(path)) return true;
    try {
      const stat = statSync(join(this.rootValue.path, path), { throwIfNoEntry: false });
      return stat !== undefined && !stat.isDirectory();
    } catch {
      return false;
    }
  }

  #comparableSegments(segments: string[]): (string | null)[] {
    const end = segments.indexOf('**');
    return (end < 0 ? segments : segments.slice(0, end)).map((each) =>
      hasWildcard(each) ? null : this.#comparable(each),
    );
  }

  #findHeads(): readonly string[] {
    const texts = segmentsOf(this.pattern);
    return this.segments.map((each, at) => {
      if (each !== null) return each;
      const text = texts[at] as string;
      return this.#comparable(text.slice(0, firstWildcard(text)));
    });
  }

  #findTail(): string {
    if (this.kind === 'directory') return '';
    if (this.literal) return this.plainValue ? this.pattern : this.segments.join('/');
    const last = segmentsOf(this.pattern).at(-1) as string;
    return this.#comparable(last.slice(behindLastWildcard(last)));
  }

  #comparable(segment: string): string {
    return comparable(unescaped(segment), this.rootValue.ignoresCase);
  }
}

function segmentsOf(pattern: string): string[] {
  if (pattern === './') return [];
  return (pattern.endsWith('/') ? pattern.slice(0, -1) : pattern).split('/');
}

/** Characters that mean something in a pattern, besides braces. */
export const SPECIAL = /[*?\\]/;
// Of the last name of a path.
const EXTENSION = /[^/]\.[^./]+$/;

export function unescaped(segment: string): string {
  return segment.includes('\\') ? segment.replace(/\\(.)/gsu, '$1') : segment;
}

function firstWildcard(segment: string): number {
  return wildcardsOf(segment)[0] as number;
}

function behindLastWildcard(segment: string): number {
  return (wildcardsOf(segment).at(-1) ?? -1) + 1;
}

/** Read from the start: only from there it is clear what a backslash escapes. */
function wildcardsOf(segment: string): number[] {
  const places: number[] = [];
  for (let at = 0; at < segment.length; at++) {
    if (segment[at] === '\\') at++;
    else if (segment[at] === '*' || segment[at] === '?') places.push(at);
  }
  return places;
}

/** A literal path as people write it. */
export function plainPath({ pattern }: Entry): string {
  return pattern.split('/').map(unescaped).join('/');
}

/** A pattern that matches exactly this path. */
export function escapePath(path: string): string {
  // On Windows a backslash separates. No name has a wildcard there, and one with
  // braces is among the readings of these.
  if (sep === '\\') return path;
  return /[*?\\{]/.test(path) ? path.replace(/[*?\\{]/g, '\\$&') : path;
}

export function hasWildcard(segment: string): boolean {
  return /[*?]/.test(segment.includes('\\') ? segment.replace(/\\./gsu, '') : segment);
}

/** Compares the segments that both have; `null` matches any segment. */
export function prefixesAgree(
  one: readonly (string | null)[],
  other: readonly (string | null)[],
): boolean {
  const shared = Math.min(one.length, other.length);
  for (let at = 0; at < shared; at++) {
    if (one[at] !== other[at] && one[at] !== null && other[at] !== null) return false;
  }
  return true;
}

/** The form in which two names are compared. */
export function comparable(text: string, ignoresCase: boolean): string {
  const name = isAscii(text) ? text : text.normalize('NFC');
  // Upper case first: some letters have several lower-case forms, and this leaves one.
  return ignoresCase ? name.toUpperCase().toLowerCase().normalize('NFC') : name;
}

function isAscii(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
  return /^[\x00-\x7f]*$/.test(text);
}

const SLASH = 47;
/** Everything below. */
const BELOW = [SEGMENTS, INSIDE];

function compile(pattern: string, isFolder: boolean, ignoresCase: boolean): Token[] {
  const tokens: Token[] = [];
  for (const segment of segmentsOf(pattern)) {
    if (segment === '**') tokens.push(...BELOW);
    else tokens.push(...compileSegment(segment, ignoresCase), SLASH);
  }
  if (isFolder || pattern.endsWith('/')) tokens.push(...BELOW);
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
