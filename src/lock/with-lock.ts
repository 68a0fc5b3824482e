import { argumentError } from '../base/arguments.js';
import type { HeldLock } from '../base/locker.js';
import { emitHoldfastWarning } from '../base/warning.js';
import { FileLock, internalsOf } from './file-lock.js';
import type { FileLockOptions } from './options.js';
import { runInside } from './self-wait.js';

/**
 * Runs `fn` with the lock held and releases it whatever `fn` does. An error of
 * `fn` comes through unchanged; if the release then fails too, that is a process
 * warning. If only the release fails, it rejects.
 *
 * Not reentrant: code inside that waits for the same lock waits for itself. A
 * process warning with code `HOLDFAST_WAITS_FOR_ITSELF` says so after a second.
 *
 * `withLock<Info>(…)` names the fields of the record. The result is then
 * `unknown` unless you name its type too: TypeScript infers all or nothing.
 */
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
  ...rest:
    | [(lock: FileLock<T>) => R | Promise<R>]
    | [FileLockOptions<T>, (lock: FileLock<T>) => R | Promise<R>]
): Promise<R> {
  const [options, fn] = rest.length === 1 ? [undefined, rest[0]] : rest;
  if (typeof fn !== 'function') {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'fn', 'a function', fn);
  }
  const lock = await FileLock.acquire<T>(path, options);
  return whileHeld(lock, lock.path, () => runInside(internalsOf(lock), () => fn(lock)));
}

/** Runs `fn` and releases the lock whatever it does. */
export async function whileHeld<R>(
  lock: HeldLock,
  path: string,
  fn: () => R | Promise<R>,
): Promise<R> {
  let result: R;
  try {
    result = await fn();
  } catch (error) {
    await lock.release().catch((failure: Error) => {
      const message = `Releasing ${path} failed: ${failure.message}`;
      emitHoldfastWarning('HOLDFAST_RELEASE_FAILED', message);
    });
    throw error;
  }
  await lock.release();
  return result;
}
