// Which claims a path is about: those of its repository, or of the folder that was given.
import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve, sep } from 'node:path';
import { Claims } from '../claims/claims.js';
import { ClaimsFolder } from '../claims/folder.js';
import { Locator } from '../claims/locate.js';
import { RealPaths } from '../claims/real-path.js';
import { ownerOfDefault } from '../claims/repository.js';
import {
  baseOfFolders,
  type ClaimsPlace,
  defaultPlace,
  findRoot,
  rootOfFolder,
} from '../claims/root.js';

/** The claims that paths are about, in one working tree. */
export interface Repository {
  /** To read them. */
  readonly folder: ClaimsFolder;
  /** To change them, which few calls do: the code for it is loaded when it is asked for. */
  readonly claims: Claims;
  /** The working tree, a real path. */
  readonly tree: string;
}

/** The claims in one folder. */
class InFolder {
  readonly folder: ClaimsFolder;
  readonly #isGiven: boolean;
  #claims: Claims | undefined;

  constructor({ directory, root, isWhole }: ClaimsPlace) {
    this.folder = new ClaimsFolder(directory, findRoot(root, isWhole));
    this.#isGiven = !isWhole;
  }

  get claims(): Claims {
    const { path, root } = this.folder;
    this.#claims ??= new Claims(this.#isGiven ? path : undefined, { root: root.path });
    return this.#claims;
  }
}

/** The claims of all paths that a session writes to. */
export class Repositories {
  /** The one folder for all paths; `null`: each repository has its own. */
  readonly #given: ClaimsPlace | null;
  readonly #folders = new Map<string, InFolder>();
  readonly #known = new Map<string, Repository>();
  #real = new RealPaths();
  readonly #locators = new Map<ClaimsFolder, Locator>();

  /**
   * `directory`: that was given, or `null`; a relative one is the same from all
   * working trees of the repository of `cwd`, as in the command. The default
   * folder of a repository, which `claim run` passes on, says nothing about
   * paths of others, so each has its own, as if none was given.
   */
  constructor(directory: string | null, cwd: string) {
    this.#given = directory === null ? null : givenFolder(directory, this.#existing(cwd));
  }

  /** Looks at the disk again: what it has seen there is for one decision. */
  lookAgain(): void {
    this.#real = new RealPaths();
    this.#locators.clear();
  }

  /**
   * The claims for a file or folder, which need not exist; `null`: there are none
   * about it. A link is what it leads to: that is written to.
   */
  of(path: string): Repository | null {
    const real = this.#real.resolve(path);
    return this.#given === null
      ? this.#default(real.isFolder ? real.path : this.#existing(dirname(real.path)))
      : this.#inGiven(this.#given, real.path);
  }

  /** The folder with the claims for a folder. */
  directoryOf(folder: string): string | null {
    return this.#given?.directory ?? this.of(folder)?.folder.path ?? null;
  }

  /** Where paths are for these claims. */
  locatorOf({ folder }: Pick<Repository, 'folder'>): Locator {
    const known = this.#locators.get(folder) ?? new Locator(folder.root);
    this.#locators.set(folder, known);
    return known;
  }

  #default(folder: string): Repository | null {
    const place = defaultPlace(folder);
    return place === null ? null : this.#repository(place, place.root);
  }

  #inGiven(place: ClaimsPlace, path: string): Repository | null {
    const located = this.locatorOf(this.#in(place)).locate(path, 'path');
    return located === null ? null : this.#repository(place, located.tree);
  }

  #repository(place: ClaimsPlace, tree: string): Repository {
    const key = `${place.directory}\0${tree}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const inFolder = this.#in(place);
    const made: Repository = {
      folder: inFolder.folder,
      get claims() {
        return inFolder.claims;
      },
      tree,
    };
    this.#known.set(key, made);
    return made;
  }

  /** The claims in a folder are relative to one root, or in each working tree to its own. */
  #in(place: ClaimsPlace): InFolder {
    const key = `${place.directory}\0${place.root}`;
    const known = this.#folders.get(key) ?? new InFolder(place);
    this.#folders.set(key, known);
    return known;
  }

  /** Whether a path is in a folder of claims, which only Holdfast and people change. */
  isOfClaims(path: string): boolean {
    const given = this.#given?.directory;
    const folders = given === undefined ? [] : [given, this.#real.resolve(given).path];
    return [path, this.#real.resolve(path).path].some(
      (each) => isBelowCommon(each) || folders.some((folder) => isIn(each, folder)),
    );
  }

  /** The folder itself, or the nearest one above that exists. */
  #existing(path: string): string {
    const found = this.#real.resolve(path);
    const above = dirname(path);
    return found.isFolder || above === path ? found.path : this.#existing(above);
  }
}

function givenFolder(text: string, cwd: string): ClaimsPlace | null {
  const directory = isAbsolute(text) ? resolve(text) : resolve(baseOfFolders(cwd), text);
  if (ownerOfDefault(directory) !== null) return null;
  return { directory, root: rootOfFolder(directory, cwd), isWhole: false };
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
