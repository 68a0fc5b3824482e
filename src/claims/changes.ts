import { type FSWatcher, watch } from 'node:fs';
import { setTimeout } from 'node:timers';
import { onAbort } from '../base/abort.js';
import { acquire } from '../lock/acquire.js';
import { checkRequest } from '../lock/options.js';

// What the system does not report (network file systems, no watches left, the
// folder made anew) is found out by looking.
export const LOOK_MILLISECONDS = 1000;

/** Calls `changed` for what happens in a folder; the result ends it. */
export function watchFolder(path: string, persistent: boolean, changed: () => void): () => void {
  let watcher: FSWatcher;
  try {
    watcher = watch(path, { persistent }, changed);
    watcher.on('error', () => {});
  } catch {
    return () => {};
  }
  return () => watcher.close();
}

/**
 * Notices the next change in a folder from when it is made on, so that one
 * between a look and the wait is not missed.
 */
export class NextChange {
  readonly #ended = new AbortController();
  #happened!: () => void;
  readonly #change = new Promise<void>((resolve) => {
    this.#happened = resolve;
  });
  readonly #unwatch: () => void;

  constructor(path: string) {
    this.#unwatch = watchFolder(path, true, this.#happened);
  }

  /**
   * Resolves at a change, when one of the locked `files` is let go of, or
   * after `milliseconds`; rejects with `signal.reason`.
   */
  async wait(
    milliseconds: number,
    files: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const timer = setTimeout(this.#happened, Math.min(milliseconds, LOOK_MILLISECONDS));
    const forget = onAbort(signal, this.#happened);
    for (const file of files) void this.#awaitRelease(file);
    try {
      await this.#change;
    } finally {
      clearTimeout(timer);
      forget();
      this.close();
    }
    if (signal?.aborted === true) throw signal.reason;
  }

  close(): void {
    this.#unwatch();
    this.#ended.abort();
  }

  /** In the kernel's queue of the lock: inotify does not tell of it. */
  async #awaitRelease(file: string): Promise<void> {
    const { signal } = this.#ended;
    try {
      const request = checkRequest(
        file,
        { mode: 'shared', record: false, signal },
        Number.POSITIVE_INFINITY,
      );
      request.permissions = -1;
      const hold = await acquire(request);
      hold.file.close();
    } catch {
      if (signal.aborted) return;
    }
    this.#happened();
  }
}
