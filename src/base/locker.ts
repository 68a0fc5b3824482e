import { optionNames } from './arguments.js';
import type { Holder } from './holder.js';

export type LockMode = 'exclusive' | 'shared';

export interface AcquireOptions<T extends object = Record<string, unknown>> {
  /**
   * How long to wait, in milliseconds, 0 to Infinity. Default: Infinity for
   * `acquire`, 0 for `acquireSync`. 0 fails at once, with `ERR_LOCK_HELD`;
   * a longer one fails with `ERR_LOCK_TIMEOUT`, never early.
   */
  timeout?: number | undefined;
  /**
   * Ends the wait: rejects with `signal.reason`, unchanged. A grant that comes
   * at the same moment is given back. `acquireSync` looks at it once, before
   * it waits.
   */
  signal?: AbortSignal | undefined;
  /**
   * Called once, when it turns out that the lock has to be waited for, with
   * the holder where it can be told. What it throws ends the wait.
   */
  onWait?: ((holder: Holder<T> | null) => void) | undefined;
  /**
   * Poll instead of waiting in the kernel, at most this many milliseconds
   * apart (jittered, from 1 ms on doubling up to it). Default: wait in the
   * kernel; where that is not possible, poll every 50 ms.
   */
  pollInterval?: number | undefined;
}

/** A lock as those need it who only want something held and let go. */
export interface HeldLock extends AsyncDisposable {
  readonly token: number;
  readonly fd?: number;
  release(): Promise<void>;
}

/** Where locks come from: what a function takes that is to be tested with a fake. */
export interface Locker {
  acquire(path: string, options?: AcquireOptions<object>): Promise<HeldLock>;
}

/** The names of {@link AcquireOptions}, for lists of more. */
export const OF_ACQUIRE = {
  timeout: true,
  signal: true,
  onWait: true,
  pollInterval: true,
} as const;
export const ACQUIRE_OPTIONS = optionNames<AcquireOptions>(OF_ACQUIRE);
