import { type FSWatcher, watch } from 'node:fs';
import { setTimeout } from 'node:timers';
import { onAbort, throwIfAborted } from '../base/abort.js';
import { acquire } from '../lock/acquire.js';
import { checkRequest } from '../lock/options.js';

// Some changes are never reported: on network file systems, with no watches
// left, or after the folder was removed and created again.
export const POLL_MILLISECONDS = 1000;

/** Calls `changed` when something happens in a folder. Returns a function that ends it. */
export function watchFolder(
  path: string,
  { persistent }: { persistent: boolean },
  changed: () => void,
): () => void {
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
 * Notices the next change in a folder, from its construction on. Constructed
 * before the folder is read, it misses no change between the reading and the wait.
 */
export class NextChange {
  readonly #ended = new AbortController();
  #happened!: () => void;
  readonly #change = new Promise<void>((resolve) => {
    this.#happened = resolve;
  });
  readonly #unwatch: () => void;

  constructor(path: string) {
    this.#unwatch = watchFolder(path, { persistent: true }, this.#happened);
  }

  /**
   * Resolves at a change, when one of the locked `files` is released, or after
   * `milliseconds`; rejects with `signal.reason`.
   */
  async wait(
    milliseconds: number,
    files: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const timer = setTimeout(this.#happened, Math.min(milliseconds, POLL_MILLISECONDS));
    const stopListening = onAbort(signal, this.#happened);
    for (const file of files) void this.#awaitRelease(file);
    try {
      await this.#change;
    } finally {
      clearTimeout(timer);
      stopListening();
      this.close();
    }
    throwIfAborted(signal);
  }

  close(): void {
    this.#unwatch();
    this.#ended.abort();
  }

  /** Waits in the kernel's queue of the lock: inotify does not report a release. */
  async #awaitRelease(file: string): Promise<void> {
    const { signal } = this.#ended;
    try {
      const options = { mode: 'shared', record: false, signal } as const;
      const request = checkRequest(file, options, Number.POSITIVE_INFINITY, { create: false });
      const hold = await acquire(request);
      hold.file.close();
    } catch {
      if (signal.aborted) return;
    }
    this.#happened();
  }
}
