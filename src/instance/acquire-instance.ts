import {
  AlreadyRunningError,
  type InstanceAnswer,
  type InstanceSendOptions,
  isLockError,
  LockStateError,
} from '../base/errors.js';
import type { Holder } from '../base/holder.js';
import type { FilePath } from '../base/paths.js';
import { monotonicTime } from '../base/timers.js';
import type { OwnerRecord } from '../holders/owner-record.js';
import { FileLock, internalsOf } from '../lock/file-lock.js';
import { checkRequest } from '../lock/options.js';
import type { Forced, Refuse } from './confirm.js';
import { type CheckedInstanceOptions, checkInstanceOptions } from './options.js';
import { steal } from './steal.js';
import { terminate } from './terminate.js';

/** How a refusal sends messages. */
export type SendMessage = (
  path: FilePath,
  message: unknown,
  options: InstanceSendOptions | undefined,
) => Promise<InstanceAnswer>;

/**
 * Acquires the lock underneath an instance lock. The command needs only this, and
 * sends no messages.
 */
export async function acquireInstance(
  path: string | Buffer | URL,
  options: unknown,
  send?: SendMessage,
): Promise<FileLock<object>> {
  const { name, file, timeout, onStale, force } = checkInstanceOptions(options);
  const began = monotonicTime();
  const refuse: Refuse = (holder) =>
    alreadyRunning(absolute, holder, { name, waited: Math.round(monotonicTime() - began), send });
  const { path: absolute } = checkRequest(path, file, timeout);
  let forced: Forced;
  try {
    forced = { lock: await FileLock.acquire(absolute, { ...file, timeout }), expected: false };
  } catch (error) {
    const { holder } = refusalOf(error);
    if (force === undefined) throw refuse(holder);
    // `onWait` has been called already.
    const { onWait: _called, ...rest } = file;
    forced =
      force.how === 'steal'
        ? await steal(absolute, rest, holder, force, refuse)
        : await terminate(absolute, rest, force, refuse);
  }
  return beginInstance(forced.lock, forced.expected ? undefined : onStale);
}

/** The refusal. */
export function alreadyRunning(
  path: FilePath,
  holder: Holder<object> | null,
  { name, waited, send }: { name: string; waited: number; send: SendMessage | undefined },
): AlreadyRunningError<object> {
  return new AlreadyRunningError(
    path,
    holder,
    name,
    waited,
    send && ((message, options) => send(path, message, options)),
  );
}

/** Rethrows an error that is not a refusal. */
export function refusalOf(error: unknown): { holder: Holder<object> | null } {
  if (isLockError(error, 'ERR_LOCK_HELD') || isLockError(error, 'ERR_LOCK_TIMEOUT')) {
    return error as unknown as { holder: Holder<object> | null };
  }
  throw error;
}

/** Throws if there is no record, since an instance lock always has one, and calls `onStale`. */
export function beginInstance(
  lock: FileLock<object>,
  onStale: CheckedInstanceOptions['onStale'],
): FileLock<object> {
  try {
    if (internalsOf(lock).record === null) {
      throw new LockStateError(
        lock.path,
        `no record can be written into ${lock.path}: it is read-only`,
      );
    }
    if (lock.previous !== null) onStale?.(lock.previous as OwnerRecord<never>);
    return lock;
  } catch (error) {
    lock.releaseSync();
    throw error;
  }
}
