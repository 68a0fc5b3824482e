import { type FSWatcher, watch } from 'node:fs';
import { setTimeout } from 'node:timers';
import { onAbort, throwIfAborted } from '../base/abort.js';
import { monotonicTime } from '../base/timers.js';
import { acquire } from '../lock/acquire.js';
import { checkRequest } from '../lock/options.js';
import type { SessionMark } from './session.js';
import { onSessionEnd } from './session-end.js';
import { isWantName } from './want-file.js';

// Some changes are never reported: on network file systems, with no watches
// left, or after the folder was removed and created again.
export const POLL_MILLISECONDS = 1000;

/**
 * Calls `changed` when something happens in a folder, with the name of the file
 * where the system tells it. Returns a function that ends it.
 */
export function watchFolder(
  path: string,
  { persistent }: { persistent: boolean },
  changed: (name: string | null) => void,
): () => void {
  let watcher: FSWatcher;
  try {
    watcher = watch(path, { persistent }, (event, name) => {
      // Waiters write to their wants all the time. That is news to nobody.
      if (event !== 'change' || name === null || !isWantName(name)) changed(name);
    });
    watcher.on('error', () => {});
  } catch {
    return () => {};
  }
  return () => watcher.close();
}

/** What a wait is for. */
export interface Awaited {
  /** At most so long. */
  milliseconds: number;
  /** The files that matter, by their names; `null`: all. */
  names: readonly string[] | null;
  /** A file whose lock is held, absolute; `null`: none. */
  locked: string | null;
  /** Asked each second: whether the wait may go on. Default: it ends. */
  isQuiet?: () => boolean;
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
  /** What has changed before the wait, which says what matters. */
  readonly #changed = new Set<string | null>();
  #matters = (_name: string | null): boolean => false;

  constructor(path: string) {
    this.#unwatch = watchFolder(path, { persistent: true }, (name) => {
      this.#changed.add(name);
      if (this.#matters(name)) this.#happened();
    });
  }

  /**
   * Resolves at a change that matters, when the lock of the file is released, when
   * one of the processes of `sessions` has ended, or when the time is up; rejects
   * with `signal.reason`.
   */
  async wait(
    { milliseconds, names, locked, isQuiet = () => false }: Awaited,
    signal: AbortSignal | undefined,
    sessions: readonly SessionMark[] = [],
  ): Promise<void> {
    this.#matters = (name) => names === null || name === null || names.includes(name);
    if ([...this.#changed].some(this.#matters)) this.#happened();
    const end = monotonicTime() + milliseconds;
    const poll = (): void => {
      const left = end - monotonicTime();
      if (left <= 0 || !isQuiet()) this.#happened();
      else timer = setTimeout(poll, Math.min(left, POLL_MILLISECONDS));
    };
    let timer = setTimeout(poll, Math.min(milliseconds, POLL_MILLISECONDS));
    const stopListening = onAbort(signal, this.#happened);
    if (locked !== null) void this.#awaitRelease(locked);
    const stopLooking = onSessionEnd(sessions, this.#happened);
    try {
      await this.#change;
    } finally {
      clearTimeout(timer);
      stopListening();
      stopLooking();
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
