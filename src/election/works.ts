import { AsyncLocalStorage } from 'node:async_hooks';

/** What a `lead` callback gets. */
export interface Leadership {
  /** A fencing token: larger than the term of every earlier primary. */
  term: number;
  /** Aborted when this member is no longer primary. */
  signal: AbortSignal;
  /** The locked descriptor of the seat, to hand down to a child that does the work. */
  fd: number;
}

/** The `lead` callbacks this async context runs inside, of all elections. */
const enclosing = new AsyncLocalStorage<readonly Promise<void>[]>();

/** The `lead` callbacks of one election that are running. */
export class Works {
  /** Each is resolved when its callback has ended, with or without an error. */
  readonly #ends = new Set<Promise<void>>();
  readonly #controllers = new Set<AbortController>();

  async run<R>(
    work: (leadership: Leadership) => R | Promise<R>,
    { term, fd }: { term: number; fd: number },
  ): Promise<R> {
    const controller = new AbortController();
    this.#controllers.add(controller);
    let end = (): void => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#ends.add(ended);
    const leadership = { term, signal: controller.signal, fd };
    const inside = [...(enclosing.getStore() ?? []), ended];
    try {
      return await enclosing.run(inside, async () => work(leadership));
    } finally {
      this.#controllers.delete(controller);
      this.#ends.delete(ended);
      end();
    }
  }

  /** Whether the caller runs inside one of these callbacks. */
  encloseCaller(): boolean {
    return enclosing.getStore()?.some((work) => this.#ends.has(work)) === true;
  }

  abort(reason: Error): void {
    for (const controller of this.#controllers) controller.abort(reason);
    this.#controllers.clear();
  }

  /** Resolves when the callbacks that run now have ended. Never rejects. */
  ended(): Promise<unknown> {
    return Promise.all(this.#ends);
  }
}
