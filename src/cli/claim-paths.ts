import { existsSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { Claims, folderOf } from '../claims/claims.js';
import { Locator } from '../claims/locate.js';
import { withSlashes } from '../claims/path-text.js';
import { escapePath, hasWildcard, unescaped } from '../claims/pattern.js';
import { RealPaths } from '../claims/real-path.js';
import { type ClaimsPlace, defaultPlace } from '../claims/root.js';
import type { ClaimArguments } from './claim-options.js';

/** What of the command line is about one folder of claims. */
export interface PathGroup {
  /** `null`: about none. The paths are in no repository, and no folder was given. */
  claims: Claims | null;
  places: ClaimPaths;
  /** As they were typed. */
  words: string[];
}

/**
 * The words of the command line by the claims that they are about. If no folder
 * was given, the repository of each path chooses its own: a file of a submodule
 * is the submodule's, from wherever it is named. What is in no repository goes
 * with the claims of the working directory.
 */
export function groupsOf(
  words: readonly string[],
  { claimsHere, hasFolder }: Pick<ClaimArguments, 'claimsHere' | 'hasFolder'>,
): PathGroup[] {
  const places = new ClaimPaths(claimsHere, hasFolder);
  if (hasFolder) return [{ claims: claimsHere, places, words: [...words] }];
  const groups = new Map<string, PathGroup>();
  const real = new RealPaths(process.cwd());
  for (const word of words) {
    const place = placeOf(word, real);
    const directory = (place ?? claimsHere)?.directory ?? '';
    let group = groups.get(directory);
    if (group === undefined) {
      const isHere = place === null || place.directory === claimsHere?.directory;
      const claims = isHere ? claimsHere : new Claims(undefined, { root: place.root });
      group = { claims, places, words: [] };
      groups.set(directory, group);
    }
    group.words.push(word);
  }
  return [...groups.values()];
}

/** The claims of the repository that a path or pattern is in. */
function placeOf(word: string, real: RealPaths): ClaimsPlace | null {
  if (word.includes('\0')) return null;
  const names = withSlashes(word).split('/');
  const wild = names.findIndex(hasWildcard);
  const head = (wild < 0 ? names : names.slice(0, wild)).map(unescaped);
  const found = isAbsolute(word)
    ? real.resolve(resolve('/', head.join('/')))
    : real.follow(process.cwd(), head);
  return defaultPlace(found.isFolder ? found.path : resolve(found.path, '..'));
}

/** Turns the words of the command line into paths and patterns of the claims. */
export class ClaimPaths {
  /** What a relative word is relative to; empty: the root of the claims. */
  readonly #base: string;
  /** The same as a folder. */
  readonly #folder: string;

  /**
   * Words are relative to the working directory; but to the root if that is
   * outside of all working trees that the claims of a folder that was given are
   * about. In a submodule or another repository inside of one, `x` is its own
   * `x`, and never the one of the root.
   */
  constructor(claims: Claims | null, hasFolder: boolean) {
    const cwd = process.cwd();
    const isElsewhere =
      hasFolder && claims !== null && !isInside(new Locator(folderOf(claims).root), cwd);
    this.#base = isElsewhere ? '' : cwd;
    this.#folder = isElsewhere ? claims.root : cwd;
  }

  /** A path, taken literally. */
  path(word: string): string {
    return this.#from(word, this.#base);
  }

  /** A pattern, unless a file with exactly this name exists. */
  entry(word: string): { kind: 'file' | 'directory'; pattern: string } {
    const escaped = escapePath(word);
    const isName = escaped !== word && existsSync(resolve(this.#folder, word));
    const pattern = this.#from(isName ? escaped : word, escapePath(this.#base));
    return { kind: withSlashes(word).endsWith('/') ? 'directory' : 'file', pattern };
  }

  except(word: string): string {
    return this.entry(word).pattern;
  }

  #from(word: string, base: string): string {
    return base === '' || word === '' || isAbsolute(word) ? word : `${base}/${word}`;
  }
}

/** Whether the claims cover this folder or one above it. */
function isInside(locator: Locator, folder: string): boolean {
  const above = resolve(folder, '..');
  return locator.covers(folder) || (above !== folder && isInside(locator, above));
}
