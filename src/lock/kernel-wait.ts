import { clearTimeout, setTimeout } from 'node:timers';
import { onAbort } from '../base/abort.js';
import { afterReactions, inBurst } from '../base/bursts.js';
import { errnoOf } from '../base/errno.js';
import { flockError } from '../base/errors.js';
import type { NativeBinding } from '../native/binding.js';
import { type Group, joinGroup } from './path-watch.js';
import { atDeadline, type Listener, type Outcome, type Wait } from './wait.js';

const WOULD_BLOCK = errnoOf('EWOULDBLOCK');

// A cancelled thread takes a tenth of a millisecond to release what it may have
// been granted. One that hangs in a network file system takes longer, and the
// caller does not wait for it.
const CANCEL_MILLISECONDS = 20;

/** Waits on a thread of the addon. False: the system has no thread for it. */
export function waitInKernel(wait: Wait, listener: Listener<Outcome>): boolean {
  return KernelWait.start(wait, listener as Listener<Outcome | 'refused'>, 'wait');
}

/** Makes a single attempt on that thread, because it may hang. */
export function attemptInKernel(wait: Wait, listener: Listener<Outcome | 'refused'>): boolean {
  return KernelWait.start(wait, listener, 'attempt');
}

class KernelWait {
  static start(
    wait: Wait,
    listener: Listener<Outcome | 'refused'>,
    what: 'wait' | 'attempt',
  ): boolean {
    const { native, id } = wait.file;
    const pending = pendingWaits(native);
    if (what === 'wait' && wait.followPath) native.beginWhenGranted(id, wait.wish, wait.data);
    if (native.startWaiting(id, wait.mode, what === 'attempt') !== 0) return false;
    new KernelWait(wait, listener, what, pending);
    return true;
  }

  readonly #wait: Wait;
  readonly #listener: Listener<Outcome | 'refused'>;
  readonly #pending: Pending;
  #clearTimer: (() => void) | undefined;
  #group: Group | undefined;
  #unlisten: (() => void) | undefined;
  #ended = false;

  /** The wait has begun. */
  private constructor(
    wait: Wait,
    listener: Listener<Outcome | 'refused'>,
    what: 'wait' | 'attempt',
    pending: Pending,
  ) {
    const { file, signal } = wait;
    this.#wait = wait;
    this.#listener = listener;
    this.#pending = pending;
    pending.set(file.id, (status) => this.#settled(what, status));
    try {
      if (signal !== undefined) {
        this.#unlisten = onAbort(signal, () => this.#end(() => listener.failed(signal.reason)));
      }
      this.#clearTimer = atDeadline(wait.deadline, () => this.#onDeadline());
      if (what === 'wait' && wait.followPath) {
        this.#group = joinGroup(file, () => this.#end(() => listener.ended('replaced')));
      }
    } catch (error) {
      // Nothing else would ever end the wait.
      this.#end(() => listener.failed(error));
    }
  }

  #settled(what: 'wait' | 'attempt', status: number): void {
    const { file, mode, followPath } = this.#wait;
    this.#ended = true;
    // If a hold begins next, `begin` handles the errno as well.
    const errno = what === 'wait' && followPath ? 0 : file.native.finishWaiting(file.id, mode);
    if (errno === 0) {
      this.#listener.ended('granted', status);
    } else if (what === 'attempt' && errno === WOULD_BLOCK) {
      this.#listener.ended('refused');
    } else {
      file.close();
      this.#listener.failed(flockError(errno, file.path));
    }
    // Before the code that waits for the lock runs, which may count the
    // listeners. But after the hold has begun: a signal may be the program's own
    // object, whose code takes another lock here, and the addon keeps only the
    // results of the last one.
    this.#unlisten?.();
    this.#unlisten = undefined;
    // Once the code that waits for the lock has run: this takes a quarter of
    // the time between the kernel's grant and that code.
    afterReactions(() => this.#stop());
  }

  #onDeadline(): void {
    inBurst(() => this.#end(() => this.#listener.ended('timeout')));
  }

  #stop(): void {
    const { file } = this.#wait;
    this.#pending.delete(file.id);
    this.#clearTimer?.();
    this.#unlisten?.();
    this.#group?.members.delete(file);
  }

  /**
   * Every ending has this order: the wait can no longer end a second time, what
   * the kernel may have granted is released, then the caller is notified.
   */
  #end(tell: () => void): void {
    if (this.#ended) return;
    this.#ended = true;
    const { native, id } = this.#wait.file;
    this.#stop();
    if (!native.cancelWaiting(id)) {
      tell();
      return;
    }
    const tellOnce = (): void => {
      this.#pending.delete(id);
      clearTimeout(timer);
      tell();
    };
    this.#pending.set(id, tellOnce);
    const timer = setTimeout(tellOnce, CANCEL_MILLISECONDS);
  }
}

/** What to call when the wait with an id has settled. */
type Pending = Map<number, (status: number) => void>;

const pendingOf = new WeakMap<NativeBinding, Pending>();
const PENDING = Symbol.for('holdfast.pendingWaits');

function pendingWaits(native: NativeBinding): Pending {
  let pending = pendingOf.get(native);
  if (pending === undefined) {
    // Kept with the addon itself, which takes one callback per thread: a second
    // instance of this module on the same thread shares it.
    const shared = native as { [PENDING]?: Pending };
    pending = shared[PENDING] ?? new Map();
    shared[PENDING] = pending;
    const settled = pending;
    native.onSettled((id, status) => settled.get(id)?.(status));
    pendingOf.set(native, pending);
  }
  return pending;
}
