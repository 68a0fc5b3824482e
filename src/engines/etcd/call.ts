import { clearInterval, clearTimeout, setInterval, setTimeout } from 'node:timers';
import { onAbort, throwIfAborted } from '../../base/abort.js';
import type { Holder } from '../../base/holder.js';
import type { LockerOptions } from '../../base/locker.js';
import { LONGEST_TIMER, monotonicTime, sleep, sleepSync } from '../../base/timers.js';
import { TIMED_OUT } from '../turns.js';
import { type Gateway, pauseBefore } from './gateway.js';
import { isTransient } from './server-error.js';

/** For how long a call that has ended waits for the server to hear of it, in milliseconds. */
export const GRACE = 500;

/** One call of `acquire`: what ends it, and whom it tells. */
export class Call {
  readonly name: string;
  /** Milliseconds. */
  readonly limit: number;
  /** Who held the lock when last seen. */
  holder: Holder<object> | undefined;
  /** The server's last error, while it gives no answers. */
  failure: unknown;
  // Made when somebody wants it: most calls are answered at once.
  #stop: AbortController | undefined;
  #onOverdue: (reason: unknown) => void = () => {};
  #isOverdue = false;
  readonly #unlisten: () => void;
  #onWait: LockerOptions['onWait'];
  #timer: NodeJS.Timeout | undefined;
  #grace: NodeJS.Timeout | undefined;
  #isOver = false;
  #failingSince: number | undefined;

  constructor(name: string, limit: number, { signal, onWait }: LockerOptions) {
    this.name = name;
    this.limit = limit;
    this.#onWait = onWait;
    this.#unlisten = onAbort(signal, () => this.stop(signal?.reason));
    const deadline = monotonicTime() + limit;
    if (limit === 0) return;
    if (limit < LONGEST_TIMER) {
      this.#timer = setTimeout(() => this.#expire(deadline), Math.ceil(limit));
    } else {
      // A wait keeps the process alive.
      this.#timer = setInterval(() => {}, LONGEST_TIMER);
    }
  }

  /** Aborted with what the call is to reject with, or `TIMED_OUT`. */
  get signal(): AbortSignal {
    this.#stop ??= new AbortController();
    return this.#stop.signal;
  }

  /** A moment ago, it has been stopped. */
  get isOverdue(): boolean {
    return this.#isOverdue;
  }

  stop(reason: unknown): void {
    if (this.#isOver || this.#stop?.signal.aborted === true) return;
    const { signal } = this;
    this.#stop?.abort(reason);
    this.#grace = setTimeout(() => {
      this.#isOverdue = true;
      this.#onOverdue(signal.reason);
    }, GRACE);
  }

  throwIfStopped(): void {
    throwIfAborted(this.#stop?.signal);
  }

  /**
   * Follows the promise until the call is overdue: for a question whose answer
   * says what must be undone. One at a time.
   */
  untilOverdue<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#onOverdue = reject;
      promise.then(resolve, reject);
      if (this.#isOverdue) reject(this.signal.reason);
    });
  }

  /** Ends the call. */
  end(): void {
    this.#unlisten();
    clearTimeout(this.#timer);
    clearInterval(this.#timer);
    clearTimeout(this.#grace);
    this.#isOver = true;
  }

  /** It turns out that it has to wait. Throws what `onWait` throws. */
  waitsFor(holder: Holder<object>): void {
    this.holder = holder;
    const onWait = this.#onWait;
    this.#onWait = undefined;
    onWait?.(holder);
    // It may have aborted the signal.
    this.throwIfStopped();
  }

  /**
   * Tries again while the server gives no answer: until `signal` is aborted, by
   * default the one of the call, or, without a timeout, for `patience` milliseconds.
   * A server that has never answered is more likely a mistake.
   */
  async patiently<T>(
    gateway: Gateway,
    patience: number,
    attempt: () => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const check = (): void => {
      if (signal === undefined) this.throwIfStopped();
      else throwIfAborted(signal);
    };
    for (let count = 0; ; count++) {
      check();
      try {
        const result = await attempt();
        this.failure = undefined;
        this.#failingSince = undefined;
        return result;
      } catch (error) {
        check();
        if (!isTransient(error) || !gateway.isReached || this.limit === 0) throw error;
        this.failure = error;
        this.#failingSince ??= monotonicTime();
        const isOver = monotonicTime() - this.#failingSince > patience;
        if (this.limit === Number.POSITIVE_INFINITY && isOver) throw error;
        await sleep(pauseBefore(count), signal ?? this.signal);
      }
    }
  }

  #expire(deadline: number): void {
    // A timer may fire early by a fraction of a millisecond.
    const left = deadline - monotonicTime();
    if (left > 0 && left < 1) sleepSync(left);
    this.stop(TIMED_OUT);
  }
}

/** Follows `promise`, unless the signal is aborted first; then rejects with its reason. */
export function unless<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const unlisten = onAbort(signal, () => reject(signal.reason));
    promise.then(resolve, reject).finally(unlisten);
    if (signal.aborted) reject(signal.reason);
  });
}
