import { clearTimeout, setTimeout } from 'node:timers';
import { LONGEST_TIMER, monotonicTime } from '../base/timers.js';
import type { LockFile } from '../holders/lock-file.js';
import type { NativeMode } from '../native/binding.js';

/** A point in time that a wait must not pass. */
export class Deadline {
  readonly #end: number;

  constructor(timeout: number) {
    // The two most common timeouts need no clock.
    const timed = timeout > 0 && timeout < Number.POSITIVE_INFINITY;
    this.#end = timed ? monotonicTime() + timeout : timeout;
  }

  /** Milliseconds, 0 once it has passed, up to Infinity. */
  get remaining(): number {
    if (this.#end === 0 || this.#end === Number.POSITIVE_INFINITY) return this.#end;
    return Math.max(0, this.#end - monotonicTime());
  }
}

const nothing = (): void => {};

/**
 * Calls `callback` once the deadline has passed, never before; the returned
 * function cancels it.
 */
export function atDeadline(deadline: Deadline, callback: () => void): () => void {
  const { remaining } = deadline;
  if (remaining === Number.POSITIVE_INFINITY) return nothing;
  let timer: NodeJS.Timeout;
  const set = (milliseconds: number): void => {
    timer = setTimeout(check, Math.min(Math.ceil(milliseconds), LONGEST_TIMER));
  };
  // Timers may fire early by a fraction, and are cut at LONGEST_TIMER.
  const check = (): void => {
    const left = deadline.remaining;
    if (left > 0) set(left);
    else callback();
  };
  set(remaining);
  return () => clearTimeout(timer);
}

const REMOTE_GRACE_MILLISECONDS = 5000;

/** A server may take a while to answer even a call that does not wait. */
export function deadlineOf(timeout: number, remote: boolean): Deadline {
  return new Deadline(timeout === 0 && remote ? REMOTE_GRACE_MILLISECONDS : timeout);
}

/** What to wait for, and for how long. */
export interface Wait {
  readonly file: LockFile;
  readonly mode: NativeMode;
  readonly deadline: Deadline;
  readonly signal: AbortSignal | undefined;
  /**
   * Wait for the lock of the path, whatever file it leads to: the wait ends with
   * `replaced` when it leads to another one, and after `granted` the caller must
   * call `beginHold`.
   */
  readonly followPath: boolean;
  /** With `followPath`, what the hold wants; see `beginWhenGranted` of the addon. */
  readonly wish: number;
  readonly data: string | undefined;
  /** Poll at most this often (ms) instead of waiting in the kernel. */
  readonly pollInterval: number | undefined;
}

/**
 * `granted`: the file is locked, and may have been replaced at its path in the
 * meantime. `replaced`: the path leads elsewhere, start again. Except after
 * `granted` the file is closed, also when the wait throws.
 */
export type Outcome = 'granted' | 'replaced' | 'timeout';

/** Receives the result of something that takes time: one of the two is called, once. */
export interface Listener<R> {
  /** `status`: how far the addon came in beginning the hold. */
  ended(result: R, status?: number): void;
  failed(error: unknown): void;
}

// How long a thread may be blocked before JavaScript runs again, which
// worker.terminate() needs.
const SLICE_MILLISECONDS = 50;

/** How long, in whole milliseconds, a thread may be blocked at once. */
export function sliceOf({ deadline }: Wait): number {
  return Math.ceil(Math.min(SLICE_MILLISECONDS, deadline.remaining));
}
