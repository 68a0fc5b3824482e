import { clearTimeout, setInterval, setTimeout } from 'node:timers';
import { onAbort, throwIfAborted } from '../../base/abort.js';
import {
  checkFunction,
  checkMilliseconds,
  checkOneOf,
  checkOptions,
  checkSignal,
} from '../../base/arguments.js';
import { LockTimeoutError } from '../../base/errors.js';
import type { Holder } from '../../base/holder.js';
import { LOCKER_OPTIONS, type LockerOptions, type LockMode } from '../../base/locker.js';
import { LONGEST_TIMER, monotonicTime } from '../../base/timers.js';
import type { Want } from './grants.js';
import { checkName, keyOf } from './key.js';
import { silence } from './server-errors.js';

/**
 * A short timeout must not refuse a lock that is free because the server is
 * far away; but a server that says nothing must not hold up the caller.
 */
const LATE_MILLISECONDS = 2000;

const MODES: readonly LockMode[] = ['exclusive', 'shared'];

/** One call of `acquire`. */
export class Call {
  readonly want: Want;
  readonly timeout: number;
  readonly deadline: number;
  /** Resolves when `onWait` was called, or does not have to be. */
  announced: Promise<void> | undefined;
  readonly #onWait: ((holder: Holder<object> | null) => void) | undefined;
  /** Made when somebody wants it: that takes as long as half of a free lock. */
  #ending: AbortController | undefined;
  #onAbort: ((reason: unknown) => void) | undefined;
  readonly #unlisten: () => void;
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(name: unknown, options: LockerOptions | undefined) {
    const { timeout, signal, onWait, pollInterval, mode } = checkOptions(options, LOCKER_OPTIONS);
    const text = checkName(name);
    this.timeout = checkMilliseconds(timeout, 'options.timeout', Infinity);
    this.deadline = monotonicTime() + this.timeout;
    checkSignal(signal);
    this.#onWait = checkFunction(onWait, 'options.onWait');
    checkMilliseconds(pollInterval, 'options.pollInterval', 0);
    const checkedMode = checkOneOf(mode, 'options.mode', MODES, 'exclusive');
    this.want = { name: text, key: keyOf(text), mode: checkedMode };
    throwIfAborted(signal);
    this.#unlisten = onAbort(signal, () => this.abort(signal?.reason));
    const late = this.timeout + LATE_MILLISECONDS;
    if (this.timeout === 0) return;
    if (late < LONGEST_TIMER) {
      // Not that it is held, which a silent server does not say.
      this.#timer = setTimeout(() => this.abort(silence(late)), Math.ceil(late));
    } else {
      // A wait keeps the process alive, also one for another caller here.
      this.#timer = setInterval(() => {}, LONGEST_TIMER);
    }
  }

  /** Aborted by the caller's signal, by what `onWait` throws, and when the locker is disposed. */
  get signal(): AbortSignal {
    this.#ending ??= new AbortController();
    return this.#ending.signal;
  }

  get isAborted(): boolean {
    return this.#ending?.signal.aborted === true;
  }

  abort(reason: unknown): void {
    if (this.isAborted) return;
    const { signal } = this;
    this.#ending?.abort(reason);
    this.#onAbort?.(signal.reason);
  }

  /** Calls `callback` when it is aborted; the one before is forgotten. */
  onAbort(callback: (reason: unknown) => void): void {
    if (this.isAborted) callback(this.signal.reason);
    else this.#onAbort = callback;
  }

  /** Has to wait. Only the first call has an effect. */
  announce(find: () => Promise<Holder<object> | null>): void {
    const onWait = this.#onWait;
    if (onWait === undefined || this.announced !== undefined) return;
    this.announced = find()
      .then((holder) => {
        if (!this.isAborted) onWait(holder);
      })
      .catch((error: unknown) => this.abort(error));
  }

  timedOut(holder: Holder<object> | null): LockTimeoutError<object> {
    return new LockTimeoutError(this.want.name, holder, this.timeout);
  }

  /** It has been answered. */
  end(): void {
    clearTimeout(this.#timer);
    this.#unlisten();
  }
}
