// Git's repositories, read from the disk. Git itself is not run: that takes as
// long as everything else together. `GIT_DIR` and its like are ignored: they
// say what a git command is about, and not where a file is.
import { existsSync, lstatSync, realpathSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { readText } from '../base/bounded.js';
import { errnoOf } from '../base/errno.js';
import { systemError } from '../base/errors.js';
import { formatTime } from './times.js';

export interface Repository {
  /** The top of the working tree, or the bare repository itself; a real path. */
  top: string;
  isBare: boolean;
  /** What git keeps of this working tree alone. */
  gitDir: string;
  /** What all working trees of the repository share. */
  common: string;
}

/** The repository that a folder is in. `folder` is a real path. */
export function findRepository(folder: string): Repository | null {
  for (let at = folder; ; at = dirname(at)) {
    const found = repositoryAt(at);
    if (found !== null || at === dirname(at)) return found;
  }
}

/**
 * The repository whose top is this folder, a real path. Throws if its `.git`
 * leads to nothing, as after the main repository was moved: git refuses to work
 * there, too, and a guess would claim other files.
 */
export function repositoryAt(folder: string): Repository | null {
  const entry = join(folder, '.git');
  const stat = statusOf(entry);
  if (stat === null) return bareAt(folder);
  if (stat.isDirectory()) {
    // An empty folder of this name is no repository for git either.
    return existsSync(join(entry, 'HEAD')) ? repositoryOf(folder, entry) : null;
  }
  const gitDir = stat.isSymbolicLink() ? entry : gitDirIn(entry, folder);
  if (gitDir === null) return null;
  try {
    return repositoryOf(folder, realpathSync.native(gitDir));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const broken = systemError(errnoOf('ENOENT'), 'open', gitDir);
    broken.message += `: ${entry} leads there, so it is not known what repository this is; use: git worktree repair`;
    throw broken;
  }
}

function repositoryOf(top: string, gitDir: string): Repository {
  // On macOS and Windows a name in other letters leads to the same folder.
  const real = process.platform === 'linux' ? top : realpathSync.native(top);
  return { top: real, isBare: false, gitDir, common: commonOf(gitDir) };
}

function bareAt(folder: string): Repository | null {
  // What is in the `.git` of a working tree is in that tree.
  if (!existsSync(join(folder, 'HEAD')) || basename(folder) === '.git') return null;
  const isBare = ['objects', 'refs'].every((each) => existsSync(join(folder, each)));
  return isBare ? { top: folder, isBare, gitDir: folder, common: folder } : null;
}

/** `isDirectory` only for a folder itself: what a link leads to is followed as a file is. */
function statusOf(path: string): Stats | null {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) ?? null;
  } catch {
    return null;
  }
}

/** Where a `.git` leads that is a file. */
function gitDirIn(entry: string, folder: string): string | null {
  try {
    const [, path] = /^gitdir: (.+?)[\r\n]*$/s.exec(readText(entry)) ?? [];
    return path === undefined ? null : resolve(folder, path);
  } catch {
    return null;
  }
}

function commonOf(gitDir: string): string {
  const file = join(gitDir, 'commondir');
  if (!existsSync(file)) return gitDir;
  try {
    const path = readText(file).replace(/[\r\n]+$/, '');
    return realpathSync.native(resolve(gitDir, path));
  } catch {
    return gitDir;
  }
}

const MODULES = `${sep}modules${sep}`;
const WORKTREES = `${sep}worktrees${sep}`;
const DEFAULT = join('holdfast', 'claims');

/**
 * The folder with the claims of a repository, unless another one is given. All
 * its working trees have the same one.
 *
 * Git keeps what a submodule has of its own in `modules/NAME` of the
 * superproject, and in `worktrees/TREE/modules/NAME` for each linked working
 * tree of it, which goes when that tree goes. Its claims are in
 * `holdfast/modules/NAME` of the superproject: `modules/NAME` may be missing
 * there, and git cannot clone the submodule once we have made it.
 */
export function defaultFolder({ common }: Repository): string {
  const submodule = submoduleOf(common);
  if (submodule === null) return join(common, DEFAULT);
  return join(submodule.superproject, 'holdfast', 'modules', submodule.name, 'claims');
}

/** The same for a submodule in each working tree of its superproject. */
export function identityOf({ common }: Repository): string {
  const submodule = submoduleOf(common);
  return submodule === null ? common : join(submodule.superproject, 'modules', submodule.name);
}

/**
 * What git keeps of a linked working tree in the repository, by its top;
 * `null`: it is none. `git worktree move` does not move it.
 */
export function gitDirOfLinked(tree: string): string | null {
  const found = findRepository(tree);
  return found === null || found.top !== tree || found.gitDir === found.common
    ? null
    : found.gitDir;
}

/** The top of that working tree now; `null`: it is gone, or it cannot be told. */
export function topOfLinked(gitDir: string): string | null {
  try {
    const entry = readText(join(gitDir, 'gitdir')).replace(/[\r\n]+$/, '');
    return realpathSync.native(dirname(resolve(gitDir, entry)));
  } catch {
    return null;
  }
}

/**
 * When a linked working tree was added, in whole seconds: of its files, git
 * writes this one only then. `null`: it cannot be told.
 */
export function sinceOfLinked(gitDir: string): string | null {
  try {
    return formatTime(statSync(join(gitDir, 'commondir')).mtimeMs);
  } catch {
    return null;
  }
}

/** Whether the repository is a submodule of another one. */
export function isSubmodule({ common }: Repository): boolean {
  return submoduleOf(common) !== null;
}

/**
 * What a relative folder of claims is relative to: the main working tree, of a
 * submodule that of its superproject; of a bare repository the folder it is in.
 */
export function mainFolder({ top, isBare, gitDir, common }: Repository): string {
  const submodule = submoduleOf(common);
  if (submodule !== null) return dirname(submodule.superproject);
  return isBare || gitDir !== common ? dirname(common) : top;
}

/**
 * The repository whose default folder this is, with its main working tree;
 * `null` if it is none.
 */
export function ownerOfDefault(folder: string): Repository | null {
  const [, above, name] =
    /^(.*)[/\\]holdfast[/\\](?:modules[/\\](.+)[/\\])?claims$/s.exec(folder) ?? [];
  if (above === undefined) return null;
  const common = name === undefined ? above : join(above, 'modules', name);
  if (!existsSync(join(common, 'HEAD'))) return null;
  const isBare = name === undefined && basename(common) !== '.git';
  const top = isBare ? common : (worktreeIn(common) ?? dirname(common));
  return { top, isBare, gitDir: common, common };
}

/** `core.worktree`, which the main working tree of a submodule has. */
function worktreeIn(common: string): string | null {
  try {
    const config = readText(join(common, 'config'));
    const [, path] = /^\s*worktree\s*=\s*"?(.+?)"?\s*$/m.exec(config) ?? [];
    return path === undefined ? null : resolve(common, path);
  } catch {
    return null;
  }
}

function submoduleOf(common: string): { superproject: string; name: string } | null {
  const parts = common.split(MODULES);
  for (let count = 1; count < parts.length; count++) {
    const above = parts.slice(0, count).join(MODULES);
    if (!existsSync(join(above, 'HEAD'))) continue;
    const rest = parts.slice(count).join(MODULES);
    const name = nameOf(rest, join(above, 'modules'));
    return { superproject: commonOf(above), name };
  }
  return null;
}

/** Without the working trees of the submodules that a submodule is nested in. */
function nameOf(path: string, modules: string): string {
  const [outer = '', ...others] = path.split(WORKTREES);
  let name = outer;
  let at = join(modules, outer);
  for (const each of others) {
    at += WORKTREES + each;
    const [tree = '', ...nested] = each.split(MODULES);
    const own = at.slice(0, at.length - each.length + tree.length);
    const isTree = nested.length > 0 && existsSync(join(own, 'commondir'));
    name += isTree ? MODULES + nested.join(MODULES) : WORKTREES + each;
  }
  return name;
}
