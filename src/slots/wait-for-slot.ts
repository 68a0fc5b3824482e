import { clearInterval, setInterval } from 'node:timers';
import { onAbort } from '../base/abort.js';
import { inBurst } from '../base/bursts.js';
import { Callers } from '../base/callers.js';
import { acquire } from '../lock/acquire.js';
import type { Hold } from '../lock/hold.js';
import { watchAllForItself } from '../lock/self-wait.js';
import { atDeadline, type Deadline } from '../lock/wait.js';
import { type Grant, look } from './look.js';
import type { SlotCall } from './options.js';

const LOOK_MILLISECONDS = 1000;
// Why a wait is cancelled; nobody sees it.
const ENDED = Symbol('ended');

/**
 * Waits in the kernel, blocking neither this thread nor one of libuv's pool. Only
 * the first in line waits for the slots, so that a released slot wakes one
 * process and not all; the others wait for the queue.
 */
export function waitForSlot(call: SlotCall, deadline: Deadline): Promise<Grant | 'timeout'> {
  return new Promise((resolve, reject) => {
    const wait = new SlotWait(call, resolve, reject);
    wait.start(deadline, new Callers(waitForSlot));
  });
}

class SlotWait {
  readonly #call: SlotCall;
  readonly #resolve: (result: Grant | 'timeout') => void;
  readonly #reject: (error: unknown) => void;
  /** Ends all that waits. */
  readonly #ending = new AbortController();
  /** Each resolves once the wait has ended, and has released what it was granted. */
  readonly #pending: Promise<unknown>[] = [];
  #stop: (() => void)[] = [];
  #looking: NodeJS.Timeout | undefined;
  #isLooking = false;
  #queue: Hold | null = null;
  #ended = false;

  constructor(
    call: SlotCall,
    resolve: (result: Grant | 'timeout') => void,
    reject: (error: unknown) => void,
  ) {
    this.#call = call;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(deadline: Deadline, callers: Callers): void {
    const { queue, signal, requests, directory } = this.#call;
    const late = (): void => this.#end(() => this.#resolve('timeout'));
    this.#stop = [
      atDeadline(deadline, () => inBurst(late)),
      onAbort(signal, () => this.#end(() => this.#reject(signal?.reason))),
      watchAllForItself(
        requests.map(({ path }) => path),
        directory,
        callers,
      ),
    ];
    // The first in line may be stopped, or use a smaller N, and then a free slot
    // would be of no use to the others.
    this.#looking = setInterval(() => this.#look(), LOOK_MILLISECONDS).unref();
    this.#begin(queue, (hold) => this.#becomeFirst(hold));
  }

  #begin(request: SlotCall['queue'], granted: (hold: Hold) => void): void {
    const signal = this.#ending.signal;
    const wait = acquire(
      { ...request, timeout: Number.POSITIVE_INFINITY, signal },
      (hold) => hold,
      granted,
    );
    this.#pending.push(wait.catch((error) => this.#end(() => this.#reject(error))));
  }

  #becomeFirst(queue: Hold): void {
    if (this.#ended) {
      queue.file.close();
      return;
    }
    this.#queue = queue;
    clearInterval(this.#looking);
    for (const [index, request] of this.#call.requests.entries()) {
      this.#begin(request, (hold) => this.#take({ number: index + 1, hold, request }));
      // It was free, and is taken now.
      if (this.#ended) break;
    }
  }

  /** The first grant wins. A second one at the same moment is released. */
  #take(grant: Grant): void {
    if (this.#ended) grant.hold.file.close();
    else this.#end(() => this.#resolve(grant));
  }

  #look(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const signal = this.#ending.signal;
    const looking = look(this.#call.requests.map((request) => ({ ...request, signal })))
      .then((grant) => {
        this.#isLooking = false;
        if (grant !== null) this.#take(grant);
      })
      .catch((error) => this.#end(() => this.#reject(error)));
    this.#pending.push(looking);
  }

  /**
   * Every ending has this order: no other one can follow, the waits are cancelled
   * in the kernel, the next in line is let through. The caller is notified once
   * every wait has ended, a tenth of a millisecond later, or 20 ms if a thread hangs.
   * Not earlier:
   *  1. Both slots are released in one moment, and two waits are granted.
   *  2. The caller is notified of the first one, and blocks its thread or takes a
   *     slot.
   *  3. The second grant, not yet released, keeps a slot that nobody can use.
   */
  #end(tell: () => void): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#looking);
    for (const stop of this.#stop) stop();
    this.#ending.abort(ENDED);
    this.#queue?.file.close();
    void Promise.all(this.#pending).then(tell);
  }
}
