import { throwIfAborted } from '../base/abort.js';
import { argumentError, NOT_EMPTY } from '../base/argument-errors.js';
import { checkFilePath } from '../base/arguments.js';
import type { Holder } from '../base/holder.js';
import { pathText } from '../base/paths.js';
import type { FileLock } from './file-lock.js';
import { acquireInTurn, besideEachOther } from './in-turn.js';
import { checkRequest, type FileLockOptions, type Request } from './options.js';
import { whileHeld } from './with-lock.js';

/** The options of `FileLock.acquire`, for all locks of one call. */
export interface WithLocksOptions<T extends object = Record<string, unknown>>
  extends Omit<FileLockOptions<T>, 'onWait'> {
  /**
   * Called for each lock that the call has to wait for, with the holder, or
   * `null` if it is not known, and with the lock's absolute path. An error that
   * it throws ends the wait, and the locks that are held are released.
   */
  onWait?: ((holder: Holder<T> | null, path: string) => void) | undefined;
}

type LockPath = string | Buffer | URL;
type Paths = readonly LockPath[];
/** A lock for each path. */
type LocksOf<P extends Paths, T extends object> = { -readonly [K in keyof P]: FileLock<T> };
type Body<P extends Paths, T extends object, R> = (locks: LocksOf<P, T>) => R | Promise<R>;

/**
 * Runs `fn` while it holds the locks of all `paths`, and then releases them in
 * reverse. `fn` gets the locks in the order of `paths`; equal paths get the same
 * `FileLock`.
 *
 * They are acquired one after the other, within one `timeout`, in an order that
 * is the same for all callers: by the real path of the folder and the name in it,
 * byte by byte. So calls whose paths overlap never wait for each other in a
 * circle, whatever the order of their `paths`. Missing folders are created.
 *
 * Rejects with what `FileLock.acquire` rejects with, naming the path; then no
 * lock is held. It is also `ERR_LOCK_STATE` if two paths lead to the same file (a
 * hard link) and the lock is exclusive: the call would wait for itself. Errors of
 * `fn` and of the releases are as with {@link withLock}. `ERR_LOCK_LOST` if any
 * of the locks was lost: while `fn` ran, with its `result`; or before, and then
 * `fn` is not called.
 *
 * Not promised: freedom from deadlock with code that nests locks in another
 * order, such as `withLock` inside this call or around it, or that uses other
 * names for the same files. While it waits for one lock, it keeps others from the
 * locks that it has already.
 */
export function withLocks<
  T extends object = Record<string, unknown>,
  R = unknown,
  const P extends Paths = Paths,
>(paths: P, fn: Body<P, T, R>): Promise<R>;
export function withLocks<
  T extends object = Record<string, unknown>,
  R = unknown,
  const P extends Paths = Paths,
>(paths: P, options: WithLocksOptions<T>, fn: Body<P, T, R>): Promise<R>;
export async function withLocks<R>(
  paths: unknown,
  ...rest: [Body<Paths, object, R>] | [WithLocksOptions<object> | undefined, Body<Paths, object, R>]
): Promise<R> {
  const [options, fn] = rest.length === 1 ? [undefined, rest[0]] : rest;
  const requests = checkRequests(paths, options);
  if (typeof fn !== 'function') {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'fn', 'a function', fn);
  }
  const [{ signal, timeout }] = requests;
  throwIfAborted(signal);
  const files = requests.map(({ path }) => path);
  const acquire = besideEachOther();
  const { inTurn, locks } = await acquireInTurn(files, { timeout, creates: true }, (at, left) =>
    acquire({ ...(requests[at] as Request), timeout: left }),
  );
  return whileHeld(inTurn, () => fn(locks as never));
}

/** All arguments are checked before the first lock is taken. */
function checkRequests(
  paths: unknown,
  options: WithLocksOptions<object> | undefined,
): [Request, ...Request[]] {
  if (!Array.isArray(paths)) {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'paths', 'an array of paths', paths);
  }
  if (paths.length === 0) throw argumentError('ERR_INVALID_ARG_VALUE', 'paths', NOT_EMPTY, paths);
  // Not map(), which skips holes.
  const files = Array.from(paths, (each, at) => checkFilePath(each, `paths[${at}]`));
  const request = checkRequest(
    files[0],
    options as FileLockOptions<object> | undefined,
    Number.POSITIVE_INFINITY,
  );
  const onWait = request.onWait as WithLocksOptions<object>['onWait'];
  return files.map((path) => ({
    ...request,
    path,
    onWait: onWait && ((holder) => onWait(holder, pathText(path))),
  })) as [Request, ...Request[]];
}
