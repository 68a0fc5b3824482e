import { lstatSync, mkdirSync, statSync } from 'node:fs';
import { errnoOf } from './errno.js';
import { systemError } from './errors.js';
import { type FilePath, parentOf, pathText } from './paths.js';
import { withPath } from './with-path.js';

/**
 * Creates a folder and the missing ones above it. Node's recursive mkdir reports
 * ENOENT on a read-only file system, and never returns where the system keeps
 * answering ENOENT, as below /proc.
 */
export function makeFolders(folder: FilePath): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const parent = parentOf(folder);
    if (code === 'ENOENT' && pathText(parent) !== pathText(folder)) {
      makeFolders(parent);
      makeOne(folder);
    } else if (!isThere(folder, code)) {
      throw inTheWay(folder, error as NodeJS.ErrnoException);
    }
  }
}

function makeOne(folder: FilePath): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    if (!isThere(folder, failure.code)) throw inTheWay(folder, failure);
  }
}

/** Also true if it was there a moment ago: the next call that needs it will fail. */
function isThere(folder: FilePath, code: string | undefined): boolean {
  try {
    const now = statSync(folder, { throwIfNoEntry: false });
    if (now !== undefined) return now.isDirectory();
    const link = lstatSync(folder, { throwIfNoEntry: false });
    return code === 'EEXIST' && (link === undefined || link.isDirectory());
  } catch {
    return false;
  }
}

/** For a link, mkdir reports EEXIST and not where it leads. */
function inTheWay(folder: FilePath, error: NodeJS.ErrnoException): Error {
  if (error.code !== 'EEXIST') return withPath(error, folder) as Error;
  try {
    const link = lstatSync(folder, { throwIfNoEntry: false });
    const leadsToFile = statSync(folder, { throwIfNoEntry: false }) !== undefined;
    if (link?.isSymbolicLink() !== true || leadsToFile) return withPath(error, folder) as Error;
  } catch (reason) {
    // ELOOP, or EACCES in a folder above.
    return withPath(reason, folder) as Error;
  }
  const reason = 'it is a symbolic link that leads nowhere';
  return systemError(errnoOf('ENOTDIR'), 'mkdir', folder, reason);
}
