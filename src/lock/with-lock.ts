import { argumentError } from '../base/argument-errors.js';
import { checkOptions, givenOptions, optionNames } from '../base/arguments.js';
import { isLockError, LockLostError } from '../base/errors.js';
import {
  checkLocker,
  type HeldLock,
  LOCKER_OPTIONS,
  type Locker,
  type LockerOptions,
} from '../base/locker.js';
import { emitHoldfastWarning } from '../base/warning.js';
import { FileLock, internalsOf } from './file-lock.js';
import type { FileLockOptions } from './options.js';
import { runInside } from './self-wait.js';

type WithLockerOptions = LockerOptions & {
  /** Where the lock comes from. */
  locker: Locker;
};
type Options<T extends object> = FileLockOptions<T> | WithLockerOptions | undefined;
type Body<R> = (lock: never) => R | Promise<R>;

const WITH_LOCKER_OPTIONS = optionNames<WithLockerOptions>({
  timeout: true,
  signal: true,
  onWait: true,
  pollInterval: true,
  mode: true,
  locker: true,
});

/**
 * Runs `fn` while it holds the lock, and releases it whatever `fn` does. An error
 * of `fn` is passed on unchanged; if the release then fails, too, that is a
 * process warning. If only the release fails, it rejects.
 *
 * Rejects with `ERR_LOCK_LOST` if the lock was lost while `fn` ran: the file at
 * the path was removed or replaced, perhaps by `fn` itself, or the session with
 * the server ended. `result` of the error is what `fn` returned. The effects of
 * `fn` have happened, perhaps while another process held the lock.
 *
 * Not reentrant: code inside that waits for the same lock waits for itself. A
 * process warning with code `HOLDFAST_WAITS_FOR_ITSELF` says so after a second.
 *
 * With `locker`, the lock is the one that the locker gives for that name; set
 * options such as `record` on the locker.
 *
 * To type the fields of the record, annotate the parameter of `fn`:
 * `(lock: FileLock<Info>) => …`. The type of the result is then inferred. With
 * `withLock<Info>(…)` it is `unknown`, unless you name it as well: TypeScript
 * infers all type arguments or none.
 */
export function withLock<R>(
  name: string,
  options: WithLockerOptions,
  fn: (lock: HeldLock) => R | Promise<R>,
): Promise<R>;
export function withLock<T extends object = Record<string, unknown>, R = unknown>(
  path: string | Buffer | URL,
  fn: (lock: FileLock<T>) => R | Promise<R>,
): Promise<R>;
export function withLock<T extends object = Record<string, unknown>, R = unknown>(
  path: string | Buffer | URL,
  options: FileLockOptions<T>,
  fn: (lock: FileLock<T>) => R | Promise<R>,
): Promise<R>;
export async function withLock<T extends object, R>(
  path: string | Buffer | URL,
  ...rest: [Body<R>] | [Options<T>, Body<R>]
): Promise<R> {
  const [options, fn] = rest.length === 1 ? [undefined, rest[0]] : rest;
  if (typeof fn !== 'function') {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'fn', 'a function', fn);
  }
  const lock = await acquireFrom(path, options);
  const name = lock instanceof FileLock ? lock.path : String(path);
  return whileHeld([{ lock, path: name }], () => fn(lock as never));
}

function acquireFrom<T extends object>(
  path: string | Buffer | URL,
  options: Options<T>,
): Promise<HeldLock> {
  const given = (options ?? {}) as Partial<WithLockerOptions>;
  const locker = checkLocker(given.locker);
  if (locker !== undefined) {
    const checked = checkOptions(given, WITH_LOCKER_OPTIONS);
    return locker.acquire(path as string, givenOptions<LockerOptions>(checked, LOCKER_OPTIONS));
  }
  if (!Object.hasOwn(given, 'locker')) {
    return FileLock.acquire<T>(path, options as FileLockOptions<T> | undefined);
  }
  const { locker: _undefined, ...files } = given;
  return FileLock.acquire<T>(path, files as FileLockOptions<T>);
}

/** A lock, and its name in messages. */
export interface NamedLock {
  readonly lock: HeldLock;
  readonly path: string;
}

/** Runs `fn` and releases the locks whatever it does, the last one first. */
export async function whileHeld<R>(
  held: readonly NamedLock[],
  fn: () => R | Promise<R>,
): Promise<R> {
  const files = held.flatMap(({ lock }) => (lock instanceof FileLock ? internalsOf(lock) : []));
  let result: R;
  try {
    result = await (files.length > 0 ? runInside(files, fn) : fn());
  } catch (error) {
    await releaseAfter(error, held);
    throw error;
  }
  const losses = new Map<NamedLock, unknown>();
  for (const each of held) {
    const loss = lossOf(each.lock);
    if (loss !== null) losses.set(each, loss.cause);
  }
  const failures: { path: string; failure: unknown }[] = [];
  for (const each of [...held].reverse()) {
    try {
      await each.lock.release();
    } catch (failure) {
      if (!isLoss(failure)) failures.push({ path: each.path, failure });
      else if (!losses.has(each)) losses.set(each, failure);
    }
  }
  const [first] = failures;
  const others = losses.size > 0 ? failures : failures.slice(1);
  for (const { path, failure } of others) warn(path, failure as Error);
  if (losses.size > 0) throw Object.assign(lostOf(losses), { result });
  if (first !== undefined) throw first.failure;
  return result;
}

/** Call after an error: a release that fails, too, is a process warning. */
export async function releaseAfter(error: unknown, held: readonly NamedLock[]): Promise<void> {
  for (const { lock, path } of [...held].reverse()) {
    await lock.release().catch((failure: Error) => {
      // The error may be a consequence of the loss.
      if (!isLoss(failure) || !isLoss(error)) warn(path, failure);
    });
  }
}

function warn(path: string, failure: Error): void {
  const message = `Releasing ${path} failed: ${failure.message}`;
  emitHoldfastWarning('HOLDFAST_RELEASE_FAILED', message);
}

function lostOf(losses: ReadonlyMap<NamedLock, unknown>): LockLostError {
  const paths = [...losses.keys()].map(({ path }) => path);
  const what = `${paths.join(' and ')} ${paths.length === 1 ? 'was' : 'were'} lost`;
  const message = `${what} while the callback ran: another holder may have run beside it, so do not simply repeat it; the error has its "result"`;
  const [cause] = losses.values();
  return new LockLostError(paths[0] ?? '', message, cause);
}

function isLoss(error: unknown): boolean {
  return isLockError(error, 'ERR_LOCK_LOST');
}

/** Call before the release. `null`: not lost, or released by `fn`, or only the release can tell. */
export function lossOf(lock: HeldLock): { cause: unknown } | null {
  // Do not read the signal of a FileLock: its path would be watched from then on.
  const signal = lock instanceof FileLock ? undefined : lock.signal;
  if (signal?.aborted === true) return { cause: signal.reason };
  if (lock.held === false || (lock.held === undefined && signal !== undefined)) return null;
  try {
    return lock.isCurrent?.() === false ? { cause: undefined } : null;
  } catch {
    // A check that fails says nothing.
    return null;
  }
}
