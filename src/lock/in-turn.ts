import { realpathSync } from 'node:fs';
import { isLockError, LockLostError, LockTimeoutError } from '../base/errors.js';
import type { HeldLock } from '../base/locker.js';
import { makeFolders } from '../base/make-folders.js';
import { type FilePath, nameOf, parentOf, pathText } from '../base/paths.js';
import { monotonicTime } from '../base/timers.js';
import { withPath } from '../base/with-path.js';
import type { LockFile } from '../holders/lock-file.js';
import { acquire } from './acquire.js';
import { type FileLock, internalsOf, lockOf } from './file-lock.js';
import type { Request } from './options.js';
import { lossOf, releaseAfter } from './with-lock.js';

/** One of several locks. */
export interface InTurn<L extends HeldLock> {
  readonly lock: L;
  readonly path: string;
  /** Its index among the given paths; the first, if several are equal. */
  readonly at: number;
}

export interface Turns {
  /** Milliseconds, for all locks together. */
  timeout: number;
  /** Creates missing folders. */
  creates: boolean;
}

/**
 * Acquires the lock of each path, one after the other, and waits for each while
 * it holds the earlier ones. `acquire` gets the index in `paths` and the rest of
 * the timeout. Equal paths are locked once. If one is refused, or was lost in the
 * meantime, the others are released, the last one first.
 *
 * All callers lock in the same order, by canonical path. Otherwise two could
 * wait for each other:
 *   1. A call for A and B locks A.
 *   2. A call for B and A locks B.
 *   3. The first waits for B, the second for A.
 *
 * Resolves to the locks in the order of locking, and in the order of `paths`.
 */
export async function acquireInTurn<L extends HeldLock>(
  paths: readonly FilePath[],
  { timeout, creates }: Turns,
  acquire: (at: number, timeout: number) => Promise<L>,
): Promise<{ inTurn: InTurn<L>[]; locks: L[] }> {
  const deadline = monotonicTime() + timeout;
  const canonical = canonicalPaths(paths, creates);
  const byPath = new Map<string, InTurn<L>>();
  // By default, sort() compares code units, which are bytes here.
  for (const each of [...new Set(canonical)].sort()) {
    const at = canonical.indexOf(each);
    const isFirst = byPath.size === 0;
    // A timeout of 0 does not wait; a longer one does, however little of it is left.
    const left = isFirst || timeout === 0 ? timeout : Math.max(1, deadline - monotonicTime());
    try {
      const lock = await acquire(at, left);
      byPath.set(each, { lock, path: pathText(paths[at] ?? ''), at });
    } catch (error) {
      await releaseAfter(error, [...byPath.values()]);
      if (isFirst || !isLockError(error, 'ERR_LOCK_TIMEOUT')) throw error;
      throw timeoutError(error, timeout);
    }
  }
  const inTurn = [...byPath.values()];
  await checkNotLost(inTurn);
  const locks = canonical.map((each) => (byPath.get(each) as InTurn<L>).lock);
  return { inTurn, locks };
}

/** After a long wait, the paths of the earlier locks may lead to other files. */
async function checkNotLost(inTurn: readonly InTurn<HeldLock>[]): Promise<void> {
  // The last one was compared just now.
  for (const { lock, path } of inTurn.slice(0, -1)) {
    const loss = lossOf(lock);
    if (loss === null) continue;
    const message = `${path} was lost while the call waited for other locks; nothing was done, so call again`;
    const error = new LockLostError(path, message, loss.cause);
    await releaseAfter(error, inTurn);
    throw error;
  }
}

/** The same error with the timeout of the whole call. */
function timeoutError({ path, holder, cause }: LockTimeoutError, timeout: number): Error {
  const error = new LockTimeoutError(path, holder, timeout);
  // Why a server did not answer.
  if (cause !== undefined) Object.defineProperty(error, 'cause', { value: cause });
  return error;
}

/**
 * The real path of each folder, and the name in it: acquiring does not follow a
 * link there, either. Each character is a byte, so that the order is the same in
 * every locale.
 */
function canonicalPaths(paths: readonly FilePath[], creates: boolean): string[] {
  const known = new Map<string, string>();
  return paths.map((path) => {
    const folder = parentOf(path);
    const key = bytesAsText(folder);
    const real = known.get(key) ?? bytesAsText(realFolder(folder, creates));
    known.set(key, real);
    return `${real === '/' ? '' : real}/${bytesAsText(nameOf(path))}`;
  });
}

function bytesAsText(path: FilePath): string {
  return Buffer.from(path as string).toString('latin1');
}

const FOLDER_TRIES = 10;

function realFolder(folder: FilePath, creates: boolean): Buffer {
  for (let tries = 0; ; tries++) {
    try {
      return realpathSync.native(folder, 'buffer');
    } catch (error) {
      const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      // Others may remove it again before the next try.
      if (!creates || !isMissing || tries === FOLDER_TRIES) throw withPath(error, folder);
      makeFolders(folder);
    }
  }
}

/**
 * Acquires locks that one call holds together. If a lock would have to wait for
 * an earlier one, the same file under another name, that is `ERR_LOCK_STATE`.
 */
export function besideEachOther(): (request: Request) => Promise<FileLock> {
  const beside: LockFile[] = [];
  return async (request) => {
    const lock = lockOf(request, await acquire({ ...request, beside }));
    beside.push(internalsOf(lock).opened);
    return lock;
  };
}
