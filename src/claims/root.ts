import { realpathSync, statSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';

/** What paths are relative to. Names are compared as its file system compares them. */
export interface Root {
  readonly path: string;
  /** The same with symbolic links followed; tools may use this name for it. */
  readonly real: string;
  readonly ignoresCase: boolean;
}

export function findRoot(path: string): Root {
  let real = path;
  try {
    real = realpathSync.native(path);
  } catch {
    // A root that does not exist yet keeps the name it was given.
  }
  return { path, real, ignoresCase: ignoresCase(real) };
}

/** Whether a name with its case swapped leads to the same file. */
function ignoresCase(path: string): boolean {
  const swapped = Array.from(path, swapCase).join('');
  if (swapped === path) return false;
  // The nearest folder with a letter in its name: the others prove nothing.
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

/** The git top level of a folder, found by its `.git`; else the working directory. */
export function defaultRoot(directory: string): string {
  return topLevelOf(directory) ?? process.cwd();
}

/** The working tree that the root is in, or the root itself. */
export function treeOf({ real }: Root): string {
  return topLevelOf(real) ?? real;
}

function topLevelOf(directory: string): string | null {
  for (let folder = directory; ; folder = resolve(folder, '..')) {
    try {
      statSync(join(folder, '.git'));
      return folder;
    } catch {
      if (folder === resolve(folder, '..')) return null;
    }
  }
}
