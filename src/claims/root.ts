import { realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { argumentError } from '../base/argument-errors.js';
import {
  defaultFolder,
  findRepository,
  isSubmodule,
  mainFolder,
  ownerOfDefault,
} from './repository.js';

/** What paths are relative to. Names are compared as its file system compares them. */
export interface Root {
  readonly path: string;
  /** The same with symbolic links followed; tools may use this name for it. */
  readonly real: string;
  readonly ignoresCase: boolean;
  /**
   * The claims are about the root's repository, and what is in another one, as
   * in a submodule, is outside. Otherwise all below the root is theirs.
   */
  readonly isWhole?: boolean;
}

export function findRoot(path: string, isWhole = false): Root {
  // A root that does not exist yet keeps the name it was given.
  const real = realOf(path);
  return { path, real, ignoresCase: ignoresCase(real), isWhole };
}

/** Whether a name with its case swapped leads to the same file. */
function ignoresCase(path: string): boolean {
  const swapped = Array.from(path, swapCase).join('');
  if (swapped === path) return false;
  // The nearest folder with a letter in its name; others prove nothing.
  const segments = path.split(sep);
  const last = segments.findLastIndex((segment) => Array.from(segment).some(hasCase));
  const here = segments.slice(0, last + 1).join(sep);
  const there = join(segments.slice(0, last).join(sep) || sep, swapped.split(sep)[last] as string);
  try {
    const [one, other] = [statSync(here), statSync(there)];
    return one.dev === other.dev && one.ino === other.ino;
  } catch {
    return false;
  }
}

// Not by \p{L}: for that, the parser needs a tenth of a millisecond.
const swapCase = (letter: string) =>
  letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase();
const hasCase = (letter: string) => swapCase(letter) !== letter;

/** The working tree that the root is in, or the root itself. */
export function treeOf({ real }: Root): string {
  return findRepository(real)?.top ?? real;
}

/** Which claims these are: their folder, and what their paths are relative to. */
export interface ClaimsPlace {
  directory: string;
  root: string;
  /** The folder is the default one of a repository; see {@link Root.isWhole}. */
  isWhole: boolean;
}

/** The claims of the repository that a folder is in. `null`: it is in none. */
export function defaultPlace(folder: string): ClaimsPlace | null {
  const repository = findRepository(realOf(folder));
  if (repository === null) return null;
  return { directory: defaultFolder(repository), root: repository.top, isWhole: true };
}

/** The same; `root` instead of the working tree, and by default that of the working directory. */
export function placeOfRepository(root: string | undefined): ClaimsPlace {
  const folder = root ?? process.cwd();
  const place = defaultPlace(folder);
  if (place !== null) return root === undefined ? place : { ...place, root };
  const rule = `given, because ${folder} is in no git repository`;
  throw argumentError('ERR_INVALID_ARG_VALUE', 'directory', rule, undefined);
}

/**
 * The claims in a folder that was given. `root`: by default the git top level
 * of the folder, else of the working directory (of a submodule that of its
 * superproject: one folder has one root), else that directory. For the
 * default folder of a repository it is a working tree of that repository: the
 * one of the working directory, or the main one.
 */
export function givenPlace(directory: string, root: string | undefined): ClaimsPlace {
  const owner = ownerOfDefault(directory);
  if (root !== undefined) return { directory, root, isWhole: owner !== null };
  if (owner !== null) {
    const here = defaultPlace(process.cwd());
    if (here?.directory === directory) return here;
    return { directory, root: owner.top, isWhole: true };
  }
  return { directory, root: rootOfFolder(directory), isWhole: false };
}

/** What the paths in a folder that is no repository's default one are relative to. */
export function rootOfFolder(directory: string, here: string = process.cwd()): string {
  return gitTop(directory) ?? topOf(here);
}

/** The nearest folder with a `.git`. */
function gitTop(directory: string): string | null {
  for (let folder = directory; ; folder = resolve(folder, '..')) {
    if (isThere(join(folder, '.git'))) return folder;
    if (folder === resolve(folder, '..')) return null;
  }
}

/** Without an exception for each folder that has none, which takes longer than the look. */
function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}

function topOf(folder: string): string {
  let here = findRepository(realOf(folder));
  while (here !== null && isSubmodule(here)) {
    const above = findRepository(dirname(here.top));
    if (above === null) break;
    here = above;
  }
  return here === null || here.isBare ? folder : here.top;
}

/** What a relative folder of claims is relative to, wherever in a repository one is. */
export function baseOfFolders(from: string = process.cwd()): string {
  const here = findRepository(realOf(from));
  return here === null ? from : mainFolder(here);
}

function realOf(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return path;
  }
}
