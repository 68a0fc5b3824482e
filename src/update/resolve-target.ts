import { lstatSync, readlinkSync, realpathSync, type Stats, statSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { errnoOf } from '../base/errno.js';
import { LockUnsupportedError, systemError } from '../base/errors.js';
import { type FilePath, parentOf, pathText, resolveBytes } from '../base/paths.js';
import { withPath } from '../base/with-path.js';

/** The file that is replaced. */
export interface Target {
  path: FilePath;
  /** `null`: there is no such file yet. */
  stats: Stats | null;
}

// As many as Linux follows.
const MOST_LINKS = 40;
const STICKY = 0o1000;
const OTHERS_MAY_WRITE = 0o002;

/**
 * Follows links, even one that leads to a file that does not exist yet: the
 * rename replaces the file that a link leads to, and the link stays.
 */
export function resolveTarget(path: FilePath): Target {
  let target = path;
  for (let links = 0; links <= MOST_LINKS; links++) {
    const stats = lstatSync(target, { throwIfNoEntry: false }) ?? null;
    if (stats?.isSymbolicLink() !== true) {
      if (stats !== null) checkRegular(target, stats);
      if (links > 0) checkAsSystemSees(path, stats);
      return { path: target, stats };
    }
    checkMayFollow(target, stats);
    target = destinationOf(target);
  }
  throw systemError(errnoOf('ELOOP'), 'readlink', path);
}

/**
 * Has the system follow the same links, for two cases:
 * - It refuses those of others in the folders above, where fs.protected_symlinks
 *   says so; realpath(3) goes round that as well.
 * - A link below /proc/PID/fd leads to an open file, also where that has no name
 *   any more; then its text is none, and a file of that text would be created.
 */
function checkAsSystemSees(path: FilePath, stats: Stats | null): void {
  let seen: Stats | undefined;
  try {
    seen = statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') throw withPath(error, path);
    // The system may follow fewer links.
    return;
  }
  if (seen === undefined || stats !== null) return;
  checkRegular(path, seen);
  // Otherwise somebody created it just now.
  if (seen.nlink > 0) return;
  const message = `${pathText(path)} cannot be updated: the file that it leads to has been removed`;
  throw new LockUnsupportedError(path, message);
}

/** Anything else would be replaced by a regular file. */
export function checkRegular(path: FilePath, stats: Stats): void {
  if (stats.isFile()) return;
  if (stats.isDirectory()) throw systemError(errnoOf('EISDIR'), 'open', path);
  const message = `${pathText(path)} cannot be updated: it is not a regular file, and a rename would replace it by one`;
  throw new LockUnsupportedError(path, message);
}

/**
 * The rule of fs.protected_symlinks, which the kernel applies only where it
 * follows the link itself. In a folder like /tmp anybody can create a link:
 *   1. Another user creates /tmp/settings.json, a link to a file of ours.
 *   2. We are asked to update /tmp/settings.json.
 *   3. We write the file of ours, where that user could not.
 */
function checkMayFollow(link: FilePath, { uid }: Stats): void {
  const self = process.geteuid?.();
  if (self === undefined || uid === self) return;
  const folder = statSync(parentOf(link));
  const isShared = (folder.mode & STICKY) !== 0 && (folder.mode & OTHERS_MAY_WRITE) !== 0;
  if (!isShared || uid === folder.uid) return;
  const reason = `it is a link of user ${uid} in a folder where everybody may create links, so it is not followed`;
  throw systemError(errnoOf('EACCES'), 'readlink', link, reason);
}

function destinationOf(link: FilePath): FilePath {
  if (process.platform === 'win32') {
    return resolve(pathText(parentOf(link)), readlinkSync(pathText(link)));
  }
  const words = readlinkSync(link, 'buffer');
  const start = isAbsolute(words.toString('latin1')) ? [] : [Buffer.from(parentOf(link)), SLASH];
  // Not normalized: `folder/..` would lead elsewhere if the folder is a link.
  const whole = Buffer.concat([...start, words]);
  const at = whole.lastIndexOf(SLASH);
  const name = whole.subarray(at + 1);
  // A folder, or an error.
  if (['', '.', '..'].includes(name.toString('latin1'))) {
    return resolveBytes(realpathSync.native(whole, 'buffer'));
  }
  const folder = whole.subarray(0, Math.max(1, at));
  return resolveBytes(Buffer.concat([realFolder(folder), SLASH, name]));
}

const SLASH = Buffer.from('/');

/** A folder that is missing will be created. */
function realFolder(folder: Buffer): Buffer {
  try {
    return realpathSync.native(folder, 'buffer');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return folder;
    throw withPath(error, folder);
  }
}
