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
   * Ends the wait: rejects with `signal.reason`, unchanged. A grant at the same
   * moment is given back. `acquireSync` checks it once, before it waits.
   */
  signal?: AbortSignal | undefined;
  /**
   * Called once, if the call has to wait, with the holder where it is known.
   * An error that it throws ends the wait.
   */
  onWait?: ((holder: Holder<T> | null) => void) | undefined;
  /**
   * Poll instead of waiting in the kernel, at intervals of at most this many
   * milliseconds (they double from 1 ms up to it, with jitter). Default: wait
   * in the kernel; where that is not possible, poll every 50 ms.
   */
  pollInterval?: number | undefined;
}

/** The part of a lock that code needs which only holds and releases it. */
export interface HeldLock extends AsyncDisposable {
  readonly token: number;
  readonly fd?: number;
  release(): Promise<void>;
}

/** Where locks come from. Take one as a parameter, to test with a fake. */
export interface Locker {
  acquire(path: string, options?: AcquireOptions<object>): Promise<HeldLock>;
}

/** The names of {@link AcquireOptions}, for lists that contain them. */
export const OF_ACQUIRE = {
  timeout: true,
  signal: true,
  onWait: true,
  pollInterval: true,
} as const;
export const ACQUIRE_OPTIONS = optionNames<AcquireOptions>(OF_ACQUIRE);
