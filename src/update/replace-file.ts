// Replaces a file in one step: readers see the old content or the new one. The
// journals of claims and the counter of ids do not use it: they replace small
// files of Holdfast's own, synchronously and without fsync, whose owner,
// permissions and durability do not matter.
import {
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  renameSync,
  type Stats,
  unlinkSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { errnoOf } from '../base/errno.js';
import { systemError } from '../base/errors.js';
import { makeFolders } from '../base/make-folders.js';
import { type FilePath, joinPath, parentOf } from '../base/paths.js';
import { temporaryName } from '../base/temporary-name.js';
import { withPath } from '../base/with-path.js';
import type { LockContent } from './lock-content.js';
import { retryWhileBusy } from './retry-while-busy.js';

export interface Replacement {
  path: FilePath;
  bytes: Buffer;
  /**
   * The file that is replaced; the new one gets its owner and permissions.
   * `null`: there is none.
   */
  old: Stats | null;
  /** The permissions of a new file, before umask. */
  permissions: number;
  durable: boolean;
  /** Keeps the name of the temporary file meanwhile. */
  lockContent: LockContent;
  /** Throws if the file must not be replaced any more. */
  checkBeforeRename: () => void;
  /** How long to retry on Windows while somebody reads the file, in milliseconds. */
  patience: () => number;
}

/**
 * If it rejects, the old file is unchanged and there is no temporary one, unless
 * the folder could not be synced.
 */
export async function replaceFile(replacement: Replacement): Promise<void> {
  const { path, durable, lockContent, checkBeforeRename, patience } = replacement;
  const folder = parentOf(path);
  if (!existsSync(folder)) makeFolders(folder);
  const name = temporaryName('.new');
  const temporary = joinPath(folder, name);
  lockContent.mark(name);
  let synced: FileHandle | null = null;
  try {
    await writeNew(temporary, replacement);
    // Before the rename: a folder that cannot be opened leaves everything as it was.
    if (durable && process.platform !== 'win32') synced = await open(folder, 'r');
    await retryWhileBusy(() => {
      checkBeforeRename();
      renameSync(temporary, path);
    }, patience);
  } catch (error) {
    await synced?.close().catch(() => {});
    // Otherwise the next update tries again.
    if (isRemoved(temporary)) lockContent.clear();
    throw error;
  }
  lockContent.clear();
  if (synced !== null) await syncFolder(synced, folder);
}

function isRemoved(temporary: FilePath): boolean {
  try {
    unlinkSync(temporary);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
  return true;
}

async function writeNew(temporary: FilePath, replacement: Replacement): Promise<void> {
  const { bytes, old, permissions, durable } = replacement;
  // At no moment readable for more users than the old file.
  const handle = await open(temporary, 'wx', old === null ? permissions : 0o600);
  try {
    // All of it or an error: it goes on after a short write.
    await handle.writeFile(bytes);
    if (old !== null && process.platform !== 'win32') takeAfter(handle.fd, old, replacement.path);
    if (durable) await handle.sync();
  } catch (error) {
    await handle.close().catch(() => {});
    throw withPath(error, temporary);
  }
  await handle.close();
}

/**
 * Gives the new file the owner, the group and the permissions of the old one. Only
 * root can give files away; others keep the new one themselves, if at least the
 * group is the same: with another group, those who share the file would be shut out.
 */
function takeAfter(fd: number, old: Stats, path: FilePath): void {
  const own = fstatSync(fd);
  let mode = old.mode & 0o7777;
  if (own.uid !== old.uid || own.gid !== old.gid) {
    const isGiven = isChowned(fd, old.uid, old.gid);
    if (!isGiven && own.gid !== old.gid && !isChowned(fd, own.uid, old.gid)) {
      throw systemError(errnoOf('EPERM'), 'chown', path);
    }
    // Set-user-ID would now act for another user.
    if (!isGiven) mode &= 0o1777;
  }
  // After chown, which clears bits.
  if ((fstatSync(fd).mode & 0o7777) !== mode) fchmodSync(fd, mode);
}

/** EINVAL: a user that the container does not know. */
export function isChowned(fd: number, uid: number, gid: number): boolean {
  try {
    fchownSync(fd, uid, gid);
    return true;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'EPERM' || code === 'EINVAL') return false;
    throw error;
  }
}

// The errors of file systems that cannot sync a folder, such as some FUSE ones.
const UNSYNCABLE = ['EINVAL', 'ENOTSUP', 'ENOSYS'];

/** Only then is the rename itself on the disk. */
async function syncFolder(handle: FileHandle, folder: FilePath): Promise<void> {
  try {
    await handle.sync();
  } catch (error) {
    if (!UNSYNCABLE.includes((error as NodeJS.ErrnoException).code ?? '')) {
      throw withPath(error, folder);
    }
  } finally {
    await handle.close();
  }
}
