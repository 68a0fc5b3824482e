import { argumentError, NOT_EMPTY } from './argument-errors.js';
import { checkOneOf, optionNames } from './arguments.js';
import { LockUnsupportedError } from './errors.js';
import type { Holder } from './holder.js';
import { type FilePath, pathText } from './paths.js';

/**
 * Any number of `'shared'` holders can hold a lock together; an `'exclusive'` one
 * excludes all others.
 */
export type LockMode = 'exclusive' | 'shared';

/** How to wait for a lock. */
export interface AcquireOptions<T extends object = Record<string, unknown>> {
  /**
   * How long to wait, in milliseconds, 0 to Infinity. Default: Infinity for
   * `acquire`, 0 for `acquireSync`. With 0 the call fails at once, with
   * `ERR_LOCK_HELD`; with more it fails with `ERR_LOCK_TIMEOUT`, never early.
   */
  timeout?: number | undefined;
  /**
   * Ends the wait: rejects with `signal.reason`, unchanged. A lock granted at the
   * same moment is released. `acquireSync` checks it once, before it waits.
   */
  signal?: AbortSignal | undefined;
  /**
   * Called once, if the call has to wait, with the holder, or `null` if it is not
   * known. An error that it throws ends the wait.
   */
  onWait?: ((holder: Holder<T> | null) => void) | undefined;
  /**
   * Poll instead of waiting in the kernel, at intervals of at most this many
   * milliseconds (they double from 1 ms up to it, with jitter). Default: wait
   * in the kernel; where that is not possible, poll every 50 ms.
   */
  pollInterval?: number | undefined;
}

/** What every {@link Locker} takes. */
export interface LockerOptions extends AcquireOptions {
  /** Default `'exclusive'`. `ERR_LOCK_UNSUPPORTED` where an engine has no shared locks. */
  mode?: LockMode | undefined;
}

/** What code needs to hold a lock and release it. */
export interface HeldLock extends AsyncDisposable {
  /**
   * The fencing token: grows with every exclusive grant of one name, so a
   * receiver can refuse writes of an earlier holder.
   */
  readonly token: number;
  /**
   * Aborted when the lock may be lost, with a `LockLostError` as its reason.
   * Stop then: another holder may be granted. Not aborted by a release.
   */
  readonly signal?: AbortSignal;
  /** False once the lock was released, detached or given up; still true after it was lost. */
  readonly held?: boolean;
  /** The descriptor that a child inherits to keep the lock until it ends, too. */
  readonly fd?: number;
  /** Cheap and local; `false` if in doubt. Only the receiver's check of `token` is exact. */
  isCurrent?(): boolean;
  /**
   * Asks the source of the lock: the kernel or the server. Rejects with
   * `ERR_LOCK_LOST` if it is no longer held.
   */
  check?(): Promise<void>;
  /**
   * Call it instead of `release` after a child has inherited `fd`: this process
   * lets go of the lock, and the child holds it until it ends.
   */
  detach?(): void;
  /** A second call does nothing. Rejects with `ERR_LOCK_LOST` if the lock was lost before. */
  release(): Promise<void>;
}

/** Who holds a lock, and who waits for it. */
export interface LockView {
  /** Empty if the lock is free. */
  holders: Holder[];
  /** In the order in which they will be granted, where the engine knows it. */
  waiters: Holder[];
}

/**
 * A source of locks: files, a server, or memory. Take one as a parameter, to
 * change it later, or to test with a fake. A name is a path for `fileLocker()`.
 */
export interface Locker {
  /**
   * Waits for the lock. Rejects with the errors of the locker, such as
   * `ERR_LOCK_HELD` with `timeout: 0`.
   */
  acquire(name: string, options?: LockerOptions): Promise<HeldLock>;
  /** For people and messages. Takes no lock and changes nothing. */
  look?(name: string): Promise<LockView>;
}

/** The names of {@link AcquireOptions}, for lists that contain them. */
export const OF_ACQUIRE = {
  timeout: true,
  signal: true,
  onWait: true,
  pollInterval: true,
} as const;
export const ACQUIRE_OPTIONS = optionNames<AcquireOptions>(OF_ACQUIRE);
export const LOCKER_OPTIONS = optionNames<LockerOptions>({ ...OF_ACQUIRE, mode: true });

const MODES: readonly LockMode[] = ['exclusive', 'shared'];

export function checkMode(mode: unknown): LockMode {
  return checkOneOf<LockMode>(mode, 'options.mode', MODES, 'exclusive');
}

/** For a locker that has no shared locks; `whose` names it in the message. */
export function checkExclusive(mode: unknown, name: FilePath, whose: string): void {
  if (checkMode(mode) === 'exclusive') return;
  const message = `${pathText(name)} cannot be shared: ${whose} are exclusive; leave out "mode", or use a locker that has shared locks`;
  throw new LockUnsupportedError(name, message);
}

export function checkLocker(locker: unknown): Locker | undefined {
  if (locker === undefined) return undefined;
  if (typeof (locker as Locker | null)?.acquire === 'function') return locker as Locker;
  throw argumentError('ERR_INVALID_ARG_TYPE', 'options.locker', 'a Locker', locker);
}

/** The name of a lock that is not a path. */
export function checkLockName(value: unknown, what = 'name'): string {
  if (typeof value !== 'string') {
    throw argumentError('ERR_INVALID_ARG_TYPE', what, 'a string', value);
  }
  if (value === '') throw argumentError('ERR_INVALID_ARG_VALUE', what, NOT_EMPTY, value);
  if (!value.includes('\0')) return value;
  const rule = 'without NUL characters';
  throw argumentError('ERR_INVALID_ARG_VALUE', what, rule, 'a string with NUL');
}
