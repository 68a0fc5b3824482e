import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { dirname, isAbsolute, parse, sep } from 'node:path';

// As the kernel does.
const MOST_LINKS = 40;
const SEPARATORS = sep === '/' ? '/' : /[\\/]/;

/** Where a path leads. */
export interface RealPath {
  path: string;
  /** A folder that exists. */
  isFolder: boolean;
}

/**
 * Follows the symbolic links in paths, also in those of files that do not exist
 * yet: links of what exists are followed, and the rest is taken as it is. A link
 * that leads to nothing is followed as well: to write to it makes what it names.
 * Each name is looked up once, so use one object for one call and not for longer.
 */
export class RealPaths {
  readonly #known = new Map<string, RealPath>();

  /** `folders` are real paths that exist. */
  constructor(...folders: string[]) {
    for (const path of folders) this.#known.set(path, { path, isFolder: true });
  }

  /** `segments` may have `.` and `..`, which mean what they mean to the kernel. */
  follow(from: string, segments: readonly string[]): RealPath {
    return this.#follow({ path: from, isFolder: true }, segments, 0);
  }

  /** The same for an absolute path. */
  resolve(path: string): RealPath {
    return this.#absolute(path, 0);
  }

  #absolute(path: string, links: number): RealPath {
    const { root } = parse(path);
    const top = { path: root, isFolder: true };
    return this.#follow(top, path.slice(root.length).split(SEPARATORS), links);
  }

  #follow(from: RealPath, segments: readonly string[], links: number): RealPath {
    let at = from;
    for (const name of segments) {
      if (name === '' || name === '.') continue;
      at = name === '..' ? { path: dirname(at.path), isFolder: true } : this.#step(at, name, links);
    }
    return at;
  }

  #step(at: RealPath, name: string, links: number): RealPath {
    const path = at.path.endsWith(sep) ? at.path + name : at.path + sep + name;
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    // Below what is not a folder there is nothing.
    const stat = at.isFolder ? statusOf(path) : undefined;
    const isLink = stat?.isSymbolicLink() === true && links < MOST_LINKS;
    const target = isLink ? targetOf(path) : null;
    const found =
      target === null
        ? { path, isFolder: stat?.isDirectory() === true }
        : isAbsolute(target)
          ? this.#absolute(target, links + 1)
          : this.#follow(at, target.split(SEPARATORS), links + 1);
    this.#known.set(path, found);
    return found;
  }
}

/** `undefined` also for what cannot be inspected: then a link there stays unknown. */
function statusOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function targetOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}
