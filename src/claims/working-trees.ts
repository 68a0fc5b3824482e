import { readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import {
  defaultFolder,
  findRepository,
  gitDirOfLinked,
  ownerOfDefault,
  topOfLinked,
} from './repository.js';

/**
 * The other working trees of the repository that a folder is in, by their tops;
 * none outside of a repository. A tree that is gone does not count, nor does a folder
 * that does not know of this repository. `folder` is a real path.
 */
export function otherWorkingTrees(folder: string): string[] {
  const here = findRepository(folder);
  if (here === null) return [];
  const main = ownerOfDefault(defaultFolder(here));
  const tops = [
    main === null || main.isBare ? null : main.top,
    ...linkedIn(here.common).map(workingTreeOf),
  ];
  return tops.filter((top) => top !== null && top !== here.top).sort() as string[];
}

/** Git keeps the entry of a tree that was removed without it, or replaced by another. */
function workingTreeOf(gitDir: string): string | null {
  const top = topOfLinked(gitDir);
  try {
    return top !== null && gitDirOfLinked(top) === realpathSync.native(gitDir) ? top : null;
  } catch {
    return null;
  }
}

function linkedIn(common: string): string[] {
  const folder = join(common, 'worktrees');
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch {
    return [];
  }
}
