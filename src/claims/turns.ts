import { setImmediate } from 'node:timers';
import { onAbort, throwIfAborted } from '../base/abort.js';
import { monotonicTime } from '../base/timers.js';

/** A caller that it is the turn of. */
export interface Turn {
  /** Since when it has waited, and nobody of this process got in. */
  since: number;
  /** How many callers of this process were in front. */
  inFront: number;
}

interface Caller {
  began: number;
  inFront: number;
  call: (turn: Turn) => void;
  refuse: (error: unknown) => void;
}

const turnsOf = new Map<string, Turns>();

/**
 * The callers of this process that want to enter the section of one folder: one
 * at a time waits in the kernel, the others here. In the kernel each would take
 * a thread, and all of them together as long as it takes to serve the last one.
 */
export class Turns {
  static of(path: string): Turns {
    let turns = turnsOf.get(path);
    if (turns === undefined) {
      turns = new Turns(path);
      turnsOf.set(path, turns);
    }
    return turns;
  }

  readonly #path: string;
  readonly #waiting = new Set<Caller>();
  #taken = false;
  #lastEntered = Number.NEGATIVE_INFINITY;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Resolves when it is the caller's turn, which lasts until {@link end}. */
  async take(signal: AbortSignal | undefined): Promise<Turn> {
    throwIfAborted(signal);
    const began = monotonicTime();
    if (!this.#taken) {
      this.#taken = true;
      return { since: began, inFront: 0 };
    }
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(caller);
        unlisten();
      };
      const caller: Caller = {
        began,
        inFront: this.#waiting.size + 1,
        call: (turn) => {
          leave();
          resolve(turn);
        },
        refuse: (error) => {
          leave();
          reject(error);
        },
      };
      const unlisten = onAbort(signal, () => caller.refuse(signal?.reason));
      this.#waiting.add(caller);
    });
  }

  /** Somebody of this process got in, so nobody who waits here is held up. */
  entered(): void {
    this.#lastEntered = monotonicTime();
  }

  end(): void {
    if (this.#waiting.size === 0) {
      this.#taken = false;
      turnsOf.delete(this.#path);
      return;
    }
    // Callers of other processes, and other work of this one, have their turn as well.
    setImmediate(() => {
      const [next] = this.#waiting;
      if (next === undefined) return this.end();
      next.call({ since: Math.max(next.began, this.#lastEntered), inFront: next.inFront });
    });
  }

  /** The caller whose turn it is gives up: so do all that have waited for as long as that. */
  refuse(milliseconds: number, errorFor: (inFront: number) => unknown): void {
    const since = monotonicTime() - milliseconds;
    for (const caller of [...this.#waiting]) {
      if (Math.max(caller.began, this.#lastEntered) > since) continue;
      caller.refuse(errorFor(caller.inFront));
    }
  }
}
