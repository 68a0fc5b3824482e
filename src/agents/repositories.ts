// Which claims a path is about: those of its repository, or of the folder that was given.
import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve, sep } from 'node:path';
import { Claims } from '../claims/claims.js';
import { Locator } from '../claims/locate.js';
import { RealPaths } from '../claims/real-path.js';
import { ownerOfDefault } from '../claims/repository.js';
import { baseOfFolders, defaultPlace, findRoot, rootOfFolder } from '../claims/root.js';

/** The claims that paths are about, in one working tree. */
export interface Repository {
  claims: Claims;
  /** The working tree, a real path. */
  tree: string;
}

/** The claims of all paths that a session writes to. */
export class Repositories {
  /** The one folder for all paths; `null`: each repository has its own. */
  readonly #given: { directory: string; root: string } | null;
  readonly #claims = new Map<string, Claims>();
  readonly #known = new Map<string, Repository>();

  /**
   * `directory`: that was given, or `null`; a relative one is the same from all
   * working trees of the repository of `cwd`, as in the command. The default
   * folder of a repository, which `claim run` passes on, says nothing about
   * paths of others, so each has its own, as if none was given.
   */
  constructor(directory: string | null, cwd: string) {
    this.#given = directory === null ? null : givenFolder(directory, existing(cwd));
  }

  /**
   * The claims for a file or folder, which need not exist; `null`: there are none
   * about it. A link is what it leads to: that is written to.
   */
  of(path: string): Repository | null {
    const real = new RealPaths().resolve(path);
    return this.#given === null
      ? this.#default(real.isFolder ? real.path : existing(dirname(real.path)))
      : this.#inGiven(this.#given, real.path);
  }

  /** The folder with the claims for a folder. */
  directoryOf(folder: string): string | null {
    return this.#given?.directory ?? this.of(folder)?.claims.directory ?? null;
  }

  #default(folder: string): Repository | null {
    const place = defaultPlace(folder);
    if (place === null) return null;
    return this.#repository(place.directory, place.root, place.root);
  }

  #inGiven({ directory, root }: { directory: string; root: string }, path: string) {
    const located = new Locator(findRoot(root)).locate(path, 'path');
    return located === null ? null : this.#repository(directory, root, located.tree);
  }

  #repository(directory: string, root: string, tree: string): Repository {
    const key = `${directory}\0${tree}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const isShared = this.#given !== null;
    const claims =
      (isShared ? this.#claims.get(directory) : undefined) ??
      new Claims(isShared ? directory : undefined, { root });
    this.#claims.set(directory, claims);
    const made = { claims, tree };
    this.#known.set(key, made);
    return made;
  }

  /** Whether a path is in a folder of claims, which only Holdfast and people change. */
  isOfClaims(path: string): boolean {
    const given = this.#given?.directory;
    const folders = given === undefined ? [] : [given, new RealPaths().resolve(given).path];
    return [path, new RealPaths().resolve(path).path].some(
      (each) => isBelowCommon(each) || folders.some((folder) => isIn(each, folder)),
    );
  }
}

function givenFolder(text: string, cwd: string): { directory: string; root: string } | null {
  const directory = isAbsolute(text) ? text : resolve(baseOfFolders(cwd), text);
  if (ownerOfDefault(directory) !== null) return null;
  return { directory, root: rootOfFolder(directory, cwd) };
}

/** `holdfast` in what the working trees of a repository share: its claims, and those of its submodules. */
function isBelowCommon(path: string): boolean {
  const names = path.split(sep);
  return names.some((name, at) => {
    if (at === 0 || name.toLowerCase() !== 'holdfast') return false;
    const above = names.slice(0, at).join(sep) || sep;
    return ['HEAD', 'objects'].every((each) => existsSync(join(above, each)));
  });
}

function isIn(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder + sep);
}

/** The folder itself, or the nearest one above that exists. */
function existing(path: string): string {
  const found = new RealPaths().resolve(path);
  const above = dirname(path);
  return found.isFolder || above === path ? found.path : existing(above);
}
