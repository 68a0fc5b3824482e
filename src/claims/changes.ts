import { type FSWatcher, statSync, watch } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout } from 'node:timers';
import { onAbort, throwIfAborted } from '../base/abort.js';
import { monotonicTime } from '../base/timers.js';
import { acquire } from '../lock/acquire.js';
import { checkRequest } from '../lock/options.js';
import { CLAIM_SUFFIX } from './claim-file.js';
import type { SessionMark } from './session.js';
import { onSessionEnd } from './session-end.js';
import { isWantName } from './want-file.js';

// Some changes are never reported: on network file systems, with no watches
// left, or after the folder was removed and created again.
export const POLL_MILLISECONDS = 1000;

type Changed = (name: string | null) => void;

/** One watch of a folder, shared by all listeners in this process. */
interface Watch {
  watcher: FSWatcher;
  /** The very folder: another one may have its path by now. */
  folder: string;
  heard: Set<Changed>;
}

const watches = new Map<string, Watch>();

/**
 * Calls `changed` when something happens in a folder, with the name of the file
 * where the system tells it. Returns a function that ends it.
 *
 * Each waiter writes to its want once a second, and each watch hears of that:
 * with a watch for each waiter, a hundred of them would be told 10,000 times.
 */
export function watchFolder(
  path: string,
  { persistent }: { persistent: boolean },
  changed: Changed,
): () => void {
  const key = `${persistent} ${path}`;
  let shared: Watch;
  try {
    shared = watchOf(path, key, persistent);
  } catch {
    return () => {};
  }
  const { watcher, heard } = shared;
  // As a function of its own: a caller may give the same one twice.
  const hear: Changed = (name) => changed(name);
  heard.add(hear);
  return () => {
    if (!heard.delete(hear) || heard.size > 0) return;
    if (watches.get(key) === shared) watches.delete(key);
    watcher.close();
  };
}

function watchOf(path: string, key: string, persistent: boolean): Watch {
  const { dev, ino } = statSync(path, { bigint: true });
  const folder = `${dev} ${ino}`;
  const known = watches.get(key);
  if (known?.folder === folder) return known;
  const heard = new Set<Changed>();
  const watcher = watch(path, { persistent }, (event, name) => {
    // The folder itself may be gone, and a new one may have its inode.
    if (event === 'rename' && (name === null || name === basename(path))) forget();
    // Waiters write to their wants all the time. Nobody needs to hear of it.
    if (event === 'change' && name !== null && isWantName(name)) return;
    for (const hear of [...heard]) hear(name);
  });
  watcher.on('error', () => forget());
  const made = { watcher, folder, heard };
  const forget = (): void => {
    if (watches.get(key) === made) watches.delete(key);
  };
  watches.set(key, made);
  return made;
}

/** What a wait is for. */
export interface Awaited {
  /** At most so long. */
  milliseconds: number;
  /** The files that end it at once, by their names; `null`: all. */
  names: readonly string[] | null;
  /** Whether any other claim's change ends it too, but not in its first second. */
  anyClaim?: boolean;
  /** A file whose lock is held, absolute; `null`: none. */
  locked: string | null;
  /** Asked each second: whether the wait may go on. Default: it ends. */
  goesOn?: () => boolean;
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
    { milliseconds, names, anyClaim = false, locked, goesOn = () => false }: Awaited,
    signal: AbortSignal | undefined,
    sessions: readonly SessionMark[] = [],
  ): Promise<void> {
    const began = monotonicTime();
    const end = began + milliseconds;
    // Not earlier: with many claims made at once, a waiter for any claim would
    // read all of them for each one.
    let isOld = false;
    const isOther = (name: string | null): boolean =>
      anyClaim && isOld && name?.endsWith(CLAIM_SUFFIX) === true;
    this.#matters = (name) =>
      names === null || name === null || names.includes(name) || isOther(name);
    if ([...this.#changed].some(this.#matters)) this.#happened();
    const poll = (): void => {
      isOld ||= monotonicTime() - began >= POLL_MILLISECONDS;
      const left = end - monotonicTime();
      if (left <= 0 || [...this.#changed].some(this.#matters) || !goesOn()) this.#happened();
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
