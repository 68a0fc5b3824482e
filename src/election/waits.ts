import { onAbort } from '../base/abort.js';

interface Wait {
  resolve: () => void;
  reject: (reason: unknown) => void;
}

/** The calls that wait until this member is primary. */
export class Waits {
  readonly #waits = new Set<Wait>();

  get size(): number {
    return this.#waits.size;
  }

  /** Rejects with `signal.reason`. */
  add(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const wait = {
        resolve: () => {
          unlisten();
          resolve();
        },
        reject: (reason: unknown) => {
          unlisten();
          reject(reason);
        },
      };
      this.#waits.add(wait);
      const unlisten = onAbort(signal, () => {
        this.#waits.delete(wait);
        reject(signal?.reason);
      });
    });
  }

  resolve(): void {
    for (const wait of this.#taken()) wait.resolve();
  }

  reject(reason: unknown): void {
    for (const wait of this.#taken()) wait.reject(reason);
  }

  #taken(): Wait[] {
    const waits = [...this.#waits];
    this.#waits.clear();
    return waits;
  }
}
