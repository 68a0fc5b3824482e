import { resolve, sep } from 'node:path';
import { argumentError } from '../base/argument-errors.js';
import { readingsOf } from './braces.js';
import { parsePattern } from './parse-pattern.js';
import { checkText, isAbsolutePath, withSlashes } from './path-text.js';
import {
  comparable,
  type Entry,
  escapePath,
  hasWildcard,
  type Pattern,
  unescaped,
} from './pattern.js';
import { type RealPath, RealPaths } from './real-path.js';
import { findRepository, identityOf, type Repository, repositoryAt } from './repository.js';
import type { Root } from './root.js';

/** Where a path or pattern is. */
export interface Located {
  /** Relative to the root, or to what corresponds to it in the working tree. */
  text: string;
  /** An existing folder, or written as one. */
  isFolder: boolean;
  /** The working tree, as its real path; where there is no repository, the root. */
  tree: string;
}

/** A path to check, and the working tree it is in. */
export interface LocatedPath {
  pattern: Pattern;
  tree: string;
}

/** The folder in one working tree that corresponds to the root. */
interface Base {
  path: string;
  tree: string;
}

/**
 * Finds out which file of which repository a path means. Symbolic links are
 * followed, and one file has the same path in all working trees of a
 * repository, whether they are below the root or beside it.
 *
 * Use one for one call: it keeps what it has seen on the disk.
 */
export class Locator {
  readonly #root: Root;
  readonly #home: Repository | null;
  /** The repository of the root, in all working trees of its superproject. */
  readonly #identity: string | null;
  readonly #real: RealPaths;
  readonly #bases = new Map<string, Base | null>();

  constructor(root: Root) {
    this.#root = root;
    this.#home = findRepository(root.real);
    this.#identity = this.#home === null ? null : identityOf(this.#home);
    this.#real = new RealPaths(root.real);
  }

  /** The working tree that the root is in. */
  get tree(): string {
    return this.#home?.top ?? this.#root.real;
  }

  /**
   * Where a path is that is relative to the root, or absolute; `null`: outside.
   * Of a pattern, links are followed in what comes before the first wildcard.
   */
  locate(given: string, reading: 'pattern' | 'path'): Located | null {
    const text = withSlashes(given);
    const segments = text.split('/');
    const isPattern = reading === 'pattern';
    const wild = isPattern ? segments.findIndex(hasWildcard) : -1;
    const head = wild < 0 ? segments : segments.slice(0, wild);
    const names = isPattern ? head.map(unescaped) : head;
    const found = isAbsolutePath(text)
      ? this.#absolute(names.join('/'))
      : this.#real.follow(this.#root.real, names);
    const base = this.#baseOf(found.isFolder ? found.path : parentOf(found.path));
    const below = base === null ? null : this.#below(found.path, base.path);
    if (base === null || below === null) return null;
    const tail = wild < 0 ? [] : segments.slice(wild);
    // A path that is asked about is itself, whatever it is on the disk.
    const isWritten = ['', '.', '..'].includes(names.at(-1) ?? '');
    const isFolder = wild < 0 && (isWritten || (isPattern && found.isFolder));
    const own = isPattern ? asWritten(head, below) : below;
    return { text: joined([own, ...tail], isFolder), isFolder, tree: base.tree };
  }

  /** A path to check; `null`: outside. Throws an argument error that names `name`. */
  path(given: unknown, name: string): LocatedPath | null {
    const located = this.locate(checkText(given, name), 'path');
    if (located === null) return null;
    const pattern = parsePattern(located.text, 'file', this.#root, name, 'path');
    return { pattern, tree: located.tree };
  }

  /** What a request names, in all its readings. Throws if one of them is outside. */
  readonly patterns = (given: unknown, kind: Entry['kind'], name: string): Pattern[] => {
    return readingsOf(given, name).map((each) => {
      const located = this.locate(each, 'pattern');
      if (located !== null) {
        const found = located.isFolder ? 'directory' : kind;
        return parsePattern(located.text, found, this.#root, name);
      }
      const rule = `below the root ${this.#root.path}, or in another working tree of its repository`;
      throw argumentError('ERR_INVALID_ARG_VALUE', name, rule, given);
    });
  };

  /** A name in the index of the working tree with the top `tree`; `null`: outside. */
  tracked(name: string, tree: string): LocatedPath | null {
    const base = this.#baseOf(tree);
    const below =
      base === null ? null : this.#below(`${tree}/${name}`.replaceAll('/', sep), base.path);
    if (base === null || below === null) return null;
    const pattern = parsePattern(below || '.', 'file', this.#root, 'path', 'path');
    return { pattern, tree: base.tree };
  }

  /** Whether paths that are relative to this folder can be in the claims. */
  covers(folder: string): boolean {
    const { path } = this.#real.resolve(folder);
    const base = this.#baseOf(path);
    return base !== null && this.#below(path, base.path) !== null;
  }

  /** Whether the working tree with the top `tree` can have such paths. */
  isAbout(tree: string): boolean {
    return this.#baseOf(tree) !== null;
  }

  #absolute(path: string): RealPath {
    for (const each of [this.#root.real, this.#root.path]) {
      const below = path.startsWith(`${each}/`) ? path.slice(each.length + 1) : null;
      if (below !== null) return this.#real.follow(this.#root.real, below.split('/'));
    }
    // On Windows `/` alone is the root of the current drive.
    return this.#real.resolve(sep === '/' ? path : resolve(path));
  }

  /** Looks for the working tree, upwards from a folder. */
  #baseOf(folder: string): Base | null {
    const known = this.#bases.get(folder);
    if (known !== undefined) return known;
    const parent = parentOf(folder);
    let base = this.#baseAt(folder);
    if (base === undefined) base = parent === folder ? null : this.#baseOf(parent);
    this.#bases.set(folder, base);
    return base;
  }

  /** `undefined`: this folder says nothing, look above it. */
  #baseAt(folder: string): Base | null | undefined {
    const { real, isWhole } = this.#root;
    const home = this.#home;
    if (this.#isSame(folder, real)) {
      // A bare repository has no files to claim.
      return isWhole && home?.isBare ? null : { path: real, tree: this.tree };
    }
    const found = repositoryAt(folder);
    if (found === null) return undefined;
    if (home === null || found.isBare || identityOf(found) !== this.#identity) {
      return isWhole ? null : undefined;
    }
    const offset = home.isBare ? '' : real.slice(home.top.length);
    return { path: found.top + offset, tree: found.top };
  }

  /** The part after `base`; `null` if it is not below it. */
  #below(path: string, base: string): string | null {
    const [names, above] = [path, base].map((each) => each.split(sep).filter(Boolean));
    const isBelow = above?.every((each, at) => this.#isSame(each, names?.[at] ?? ''));
    return isBelow ? (names?.slice(above?.length).join('/') ?? null) : null;
  }

  #isSame(one: string, other: string): boolean {
    if (one === other) return true;
    const { ignoresCase } = this.#root;
    return comparable(one, ignoresCase) === comparable(other, ignoresCase);
  }
}

function parentOf(path: string): string {
  return resolve(path, '..');
}

/** A path as a pattern; in the words of the one that was given, if these are its last names. */
function asWritten(given: readonly string[], path: string): string {
  const names = given.filter((each) => each !== '' && each !== '.');
  const count = path === '' ? 0 : path.split('/').length;
  const last = names.slice(names.length - count);
  return last.map(unescaped).join('/') === path ? last.join('/') : escapePath(path);
}

function joined(parts: readonly string[], isFolder: boolean): string {
  const path = parts.filter((each, at) => each !== '' || at > 0).join('/');
  if (path === '') return '.';
  return isFolder && !path.endsWith('/') ? `${path}/` : path;
}
