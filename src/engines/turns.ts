import { onAbort, throwIfAborted } from '../base/abort.js';
import type { LockMode } from '../base/locker.js';
import { LONGEST_TIMER, monotonicTime, sleepSync } from '../base/timers.js';

/** The right to hold a name in this process. `end` it once; later calls do nothing. */
export interface Turn {
  readonly mode: LockMode;
  /** When it began, by the clock of the machine. */
  readonly since: Date;
  end(): void;
}

interface Waiting {
  readonly mode: LockMode;
  begin(): void;
}

interface Queue {
  readonly turns: Set<Turn>;
  readonly waiting: Set<Waiting>;
}

/** The deadline of a call has passed while it queued. */
export const TIMED_OUT = Symbol('timed out');

/**
 * The callers of one process, for each name in the order in which they came:
 * one exclusive turn at a time, or shared ones together. A server tells
 * sessions apart, but not the callers that share one, so a caller asks the
 * server only during its turn.
 */
export class Turns {
  readonly #queues = new Map<string, Queue>();

  /** A turn that can begin at once, or `null`. Never passes those who wait. */
  tryBegin(name: string, mode: LockMode): Turn | null {
    const queue = this.#queues.get(name) ?? { turns: new Set(), waiting: new Set() };
    if (queue.waiting.size > 0 || !isFree(queue, mode)) return null;
    this.#queues.set(name, queue);
    return this.#begin(name, queue, mode);
  }

  /**
   * Waits for a turn until `deadline`, a monotonic time in milliseconds, and
   * then resolves to {@link TIMED_OUT}, never early. Rejects with `signal.reason`.
   */
  async begin(
    name: string,
    mode: LockMode,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<Turn | typeof TIMED_OUT> {
    throwIfAborted(signal);
    const turn = this.tryBegin(name, mode);
    if (turn !== null) return turn;
    const queue = this.#queues.get(name) as Queue;
    return new Promise((resolve, reject) => {
      // The globals, not those of node:timers: a test that mocks timers means these.
      let timer: NodeJS.Timeout | undefined;
      const stop = (): void => {
        queue.waiting.delete(waiting);
        clearTimeout(timer);
        unlisten();
      };
      const waiting: Waiting = {
        mode,
        begin: () => {
          stop();
          resolve(this.#begin(name, queue, mode));
        },
      };
      const expire = (): void => {
        // A timer may fire early by a fraction of a millisecond. If more is left,
        // the timers are mocked and this clock is not: then follow the timers.
        const left = deadline - monotonicTime();
        if (left > 0 && left < 1) sleepSync(left);
        stop();
        // Those behind it may share with the holders.
        this.#passOn(name, queue);
        resolve(TIMED_OUT);
      };
      const unlisten = onAbort(signal, () => {
        stop();
        this.#passOn(name, queue);
        reject(signal?.reason);
      });
      queue.waiting.add(waiting);
      const left = deadline - monotonicTime();
      if (left < LONGEST_TIMER) timer = setTimeout(expire, Math.max(0, Math.ceil(left)));
    });
  }

  /** The turns of a name that have begun, and the number of callers that wait. */
  look(name: string): { turns: Turn[]; waiting: number } {
    const queue = this.#queues.get(name);
    return { turns: [...(queue?.turns ?? [])], waiting: queue?.waiting.size ?? 0 };
  }

  #begin(name: string, queue: Queue, mode: LockMode): Turn {
    const turn: Turn = {
      mode,
      since: new Date(),
      end: () => {
        if (queue.turns.delete(turn)) this.#passOn(name, queue);
      },
    };
    queue.turns.add(turn);
    return turn;
  }

  #passOn(name: string, queue: Queue): void {
    for (const waiting of queue.waiting) {
      if (!isFree(queue, waiting.mode)) break;
      waiting.begin();
    }
    const isUnused = queue.turns.size === 0 && queue.waiting.size === 0;
    if (isUnused && this.#queues.get(name) === queue) this.#queues.delete(name);
  }
}

function isFree({ turns }: Queue, mode: LockMode): boolean {
  if (mode === 'exclusive') return turns.size === 0;
  return [...turns].every((turn) => turn.mode === 'shared');
}
