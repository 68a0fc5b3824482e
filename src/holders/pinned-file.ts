import { closeSync, constants, openSync } from 'node:fs';
import type { FilePath } from '../base/paths.js';
import { fileOfDescriptor, walkSync } from './kernel-tables.js';

/** Such a descriptor needs no permission on the file, and has a /proc/self/fdinfo. */
const O_PATH = 0o10000000;

/**
 * Calls `look` with the kernel's name of the file at `path`, or `null` if it has
 * none here. Until `look` is done, no other file can get the same inode; its
 * holder would be mistaken for the holder of this one.
 */
export function whilePinned<R>(path: FilePath, look: (file: string | null) => R): R {
  const fd = process.platform === 'linux' ? openPath(path) : null;
  if (fd === null) return look(null);
  return attemptThen(
    () => look(walkSync(fileOfDescriptor(fd))),
    () => closeSync(fd),
  );
}

function openPath(path: FilePath): number | null {
  try {
    return openSync(path, O_PATH | constants.O_NOFOLLOW);
  } catch {
    return null;
  }
}

/** `finally`, for a promise as well. */
function attemptThen<R>(work: () => R, after: () => void): R {
  let result: R;
  try {
    result = work();
  } catch (error) {
    after();
    throw error;
  }
  if (result instanceof Promise) return result.finally(after) as R;
  after();
  return result;
}
