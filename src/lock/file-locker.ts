import { checkFilePath, checkOptions, givenOptions } from '../base/arguments.js';
import type { Holder } from '../base/holder.js';
import {
  type HeldLock,
  LOCKER_OPTIONS,
  type Locker,
  type LockerOptions,
  type LockView,
} from '../base/locker.js';
import { inspect } from '../holders/inspect.js';
import { ownIdentity } from '../holders/process-identity.js';
import { FileLock } from './file-lock.js';
import { FILE_LOCK_OPTIONS, type FileLockOptions } from './options.js';

/** A {@link Locker} of real file locks. */
export interface FileLocker extends Locker {
  acquire(path: string | Buffer | URL, options?: LockerOptions): Promise<HeldLock>;
  look(path: string | Buffer | URL): Promise<LockView>;
}

/** A {@link Locker} of real file locks, with `options` as defaults. */
export function fileLocker<T extends object = Record<string, unknown>>(
  options?: FileLockOptions<T>,
): FileLocker {
  const defaults = givenOptions(checkOptions(options, FILE_LOCK_OPTIONS), FILE_LOCK_OPTIONS);
  return {
    acquire: async (path, given) =>
      FileLock.acquire<T>(path, withDefaults<FileLockOptions<T>>(defaults, given)),
    look: lookAtFile,
  };
}

/** `defaults` apply where `options` are undefined. */
export function withDefaults<O extends object>(
  defaults: O | undefined,
  options?: LockerOptions,
): O & Pick<LockerOptions, 'mode'> {
  const checked = checkOptions(options, LOCKER_OPTIONS);
  return { ...defaults, ...givenOptions(checked, LOCKER_OPTIONS) } as O;
}

/** What {@link inspect} sees. Of a waiter the kernel gives only the pid. */
export async function lookAtFile(path: string | Buffer | URL): Promise<LockView> {
  const { holders, waiters } = await inspect<Record<string, unknown>>(checkFilePath(path));
  return { holders, waiters: waiters.map(waiterOf) };
}

function waiterOf(pid: number): Holder<object> {
  return {
    pid: pid > 0 ? pid : null,
    self: pid === process.pid,
    source: 'kernel',
    verified: true,
    inOtherContainer: false,
    since: null,
    command: null,
    hostname: ownIdentity().hostname,
    data: null,
  };
}
