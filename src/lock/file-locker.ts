import { checkOptions, givenOptions } from '../base/arguments.js';
import {
  ACQUIRE_OPTIONS,
  type AcquireOptions,
  type HeldLock,
  type Locker,
} from '../base/locker.js';
import { FileLock } from './file-lock.js';
import { FILE_LOCK_OPTIONS, type FileLockOptions } from './options.js';

/** A {@link Locker} of real file locks. */
export interface FileLocker extends Locker {
  acquire(path: string | Buffer | URL, options?: AcquireOptions<object>): Promise<HeldLock>;
}

/** A {@link Locker} of real file locks, with `options` as defaults. */
export function fileLocker(options?: FileLockOptions<object>): FileLocker {
  const defaults = givenOptions(checkOptions(options, FILE_LOCK_OPTIONS), FILE_LOCK_OPTIONS);
  return {
    acquire: async (path, acquireOptions) =>
      FileLock.acquire<object>(path, withDefaults(defaults, acquireOptions)),
  };
}

/** `defaults` apply where `options` are undefined. */
export function withDefaults<O extends object>(
  defaults: O | undefined,
  options?: AcquireOptions<object>,
): O {
  const checked = checkOptions(options, ACQUIRE_OPTIONS);
  return { ...defaults, ...givenOptions(checked, ACQUIRE_OPTIONS) } as O;
}
