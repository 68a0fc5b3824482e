import { lstatSync, mkdirSync, statSync } from 'node:fs';
import { errnoOf } from './errno.js';
import { systemError } from './errors.js';
import { type FilePath, parentOf, pathText } from './paths.js';

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
  if (error.code !== 'EEXIST') return error;
  try {
    const link = lstatSync(folder, { throwIfNoEntry: false });
    const leadsToFile = statSync(folder, { throwIfNoEntry: false }) !== undefined;
    if (link?.isSymbolicLink() !== true || leadsToFile) return error;
  } catch (reason) {
    // ELOOP, or EACCES in a folder above.
    return reason as Error;
  }
  const dangling = systemError(errnoOf('ENOTDIR'), 'mkdir', folder);
  dangling.message = `ENOTDIR: it is a symbolic link that leads nowhere, mkdir '${dangling.path}'`;
  return dangling;
}
