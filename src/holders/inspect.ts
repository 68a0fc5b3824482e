import { lstat, readdir } from 'node:fs/promises';
import { throwIfAborted } from '../base/abort.js';
import {
  checkBoolean,
  checkFilePath,
  checkFunction,
  checkOptions,
  checkSignal,
  optionNames,
} from '../base/arguments.js';
import { errnoOf } from '../base/errno.js';
import { LockUnsupportedError, openError } from '../base/errors.js';
import type { Holder } from '../base/holder.js';
import type { LockMode } from '../base/locker.js';
import { type FilePath, joinPath, pathText } from '../base/paths.js';
import { monotonicTime, sleep } from '../base/timers.js';
import { withPath } from '../base/with-path.js';
import { loadBinding } from '../native/load.js';
import { inspectionBudget, walkAsync } from './kernel-tables.js';
import { type OtherLock, viewKernel } from './kernel-view.js';
import { probeMode, readContent } from './lock-file.js';
import { type OwnerRecord, toOwnerRecord } from './owner-record.js';
import { whilePinned } from './pinned-file.js';
import { type Snapshot, takeSnapshot } from './snapshot.js';
import { holderFromRecord, seesEveryHolder } from './who-holds.js';

/** See {@link LockStatus.state}. */
export type LockState = 'missing' | 'free' | 'stale' | 'held' | 'unknown';

/** What is seen of one lock. For people: never decide by it whether to enter. */
export interface LockStatus<T extends object = Record<string, unknown>> {
  /** Absolute; bytes that are not UTF-8 are replaced. */
  path: string;
  /**
   * `stale`: free, and a record was left by a holder that did not release.
   * `unknown`: no holder is seen, and not every holder would be visible.
   */
  state: LockState;
  /** `null` unless held, or where it is not known. */
  mode: LockMode | null;
  /** One per process; of several, messages name the first. */
  holders: Holder<T>[];
  /** Pids in the kernel's order, each once. */
  waiters: number[];
  /** The record in the file, whether its holder still runs or not; `null`: it names no holder. */
  record: OwnerRecord<T> | null;
  /**
   * Locks of other kinds on the file, each once. On a local Linux file system
   * they do not exclude a flock: their holder does not hold this lock.
   */
  otherLocks: OtherLock[];
}

/** Options of {@link inspect}. */
export interface InspectOptions {
  /**
   * Default `false`: takes no lock. `true` takes it for some microseconds,
   * shared and then exclusive, which tells `held` from `free` everywhere.
   * Meanwhile a program that tries exactly once without waiting may be refused;
   * Holdfast's own attempts try again and do not notice.
   */
  probe?: boolean;
}

const INSPECT_OPTIONS = optionNames<InspectOptions>({ probe: true });

/**
 * Who holds the lock at `path`, who waits, and what the file says. A moment
 * later it may be different: never decide by it whether to enter.
 *
 * Rejects with `ELOOP` for a symlink, `ERR_LOCK_UNSUPPORTED` for what cannot
 * be a lock file, and with the system's error where the path cannot be
 * inspected. A missing file is a state and not an error.
 */
export async function inspect<T extends object = Record<string, unknown>>(
  path: string | Buffer | URL,
  options?: InspectOptions,
): Promise<LockStatus<T>> {
  const { probe } = checkOptions(options, INSPECT_OPTIONS);
  const file = checkFilePath(path);
  const probing = checkBoolean(probe, 'options.probe', false);
  return inspectFile<T>(file, probing);
}

async function inspectFile<T extends object>(
  path: FilePath,
  probing: boolean,
  snapshot?: Snapshot,
): Promise<LockStatus<T>> {
  const missing: LockStatus<T> = {
    path: pathText(path),
    state: 'missing',
    mode: null,
    holders: [],
    waiters: [],
    record: null,
    otherLocks: [],
  };
  let directory: boolean;
  try {
    const stats = await lstat(path);
    if (stats.isSymbolicLink()) throw openError(errnoOf('ELOOP'), path);
    directory = stats.isDirectory();
    if (!directory && !stats.isFile()) {
      throw new LockUnsupportedError(
        path,
        `${pathText(path)} is neither a regular file nor a directory`,
      );
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return missing;
    throw withPath(error, path);
  }
  const content = directory ? null : readContent(path);
  const kernel = await whilePinned(path, async (file) =>
    file === null ? null : walkAsync(viewKernel(file, content, { everyHolder: true, snapshot })),
  );
  const record = content === null ? null : toOwnerRecord<T>(content);
  const status: LockStatus<T> = {
    ...missing,
    state: 'held',
    mode: kernel?.mode ?? null,
    holders: (kernel?.holders ?? []) as Holder<T>[],
    waiters: kernel?.waiters ?? [],
    record,
    otherLocks: kernel?.others ?? [],
  };
  if (status.holders.length > 0) return status;
  const named = holderFromRecord(content) as Holder<T> | null;
  const released = record === null ? 'free' : 'stale';
  if (probing) {
    status.mode = probeMode(path);
    if (status.mode === null) status.state = released;
    else if (named !== null) status.holders = [named];
  } else if (kernel !== null && seesEveryHolder(loadBinding(path).remote(path) === 1)) {
    status.state = released;
  } else {
    status.state = 'unknown';
    if (named !== null) status.holders = [named];
  }
  return status;
}

const LOCK_LIKE = /\.(lock|lck|pid)$/;

/** Options of {@link inspectFolder}. */
export interface InspectFolderOptions {
  /**
   * Called for a file that cannot be inspected; the iteration goes on. Default:
   * the iteration ends with that error.
   */
  onError?: ((error: Error, path: string) => void) | undefined;
}

const INSPECT_FOLDER_OPTIONS = optionNames<InspectFolderOptions>({ onError: true });

/**
 * The lock files directly inside a folder, by name: those that are locked,
 * those with a record of Holdfast, and those named `*.lock`, `*.lck` or
 * `*.pid`. Skips other files, folders and symlinks.
 *
 * All of them share one snapshot of the system, which is renewed each second.
 */
export async function* inspectFolder<T extends object = Record<string, unknown>>(
  directory: string | Buffer | URL,
  options?: InspectFolderOptions,
): AsyncGenerator<LockStatus<T>, void, undefined> {
  const onError = checkFunction(
    checkOptions(options, INSPECT_FOLDER_OPTIONS).onError,
    'options.onError',
  );
  const folder = checkFilePath(directory, 'directory');
  // Without the addon every file would be skipped, as one that cannot be locked.
  loadBinding(folder);
  // As bytes: decoded, a name that is not UTF-8 would name another file.
  const entries = await readdir(folder, { withFileTypes: true, encoding: 'buffer' }).catch(
    (error) => {
      throw withPath(error, folder);
    },
  );
  const names = entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
  names.sort(Buffer.compare);
  let snapshot: Snapshot | undefined;
  let taken = Number.NEGATIVE_INFINITY;
  for (const name of names) {
    if (monotonicTime() - taken > SNAPSHOT_MILLISECONDS) {
      snapshot = await snapshotNow();
      taken = monotonicTime();
    }
    const path = joinPath(folder, name);
    let status: LockStatus<T> | null;
    try {
      status = isLockLike(pathText(name), path, snapshot)
        ? await inspectInFolder<T>(path, snapshot)
        : null;
    } catch (error) {
      if (onError === undefined) throw error;
      onError(error as Error, pathText(path));
      continue;
    }
    if (status !== null && status.state !== 'missing') yield status;
  }
}

const SNAPSHOT_MILLISECONDS = 1000;

async function snapshotNow(): Promise<Snapshot | undefined> {
  if (process.platform !== 'linux') return undefined;
  return (await walkAsync(takeSnapshot(inspectionBudget()))) ?? undefined;
}

/** By its name, by a lock on it, or by a record in it. */
function isLockLike(name: string, path: FilePath, snapshot: Snapshot | undefined): boolean {
  if (LOCK_LIKE.test(name)) return true;
  const locked = whilePinned(path, (file) => file !== null && snapshot?.processes.has(file));
  return locked === true || (readContent(path)?.token ?? 0) !== 0;
}

/** `null`: it is no longer a file. */
async function inspectInFolder<T extends object>(
  path: FilePath,
  snapshot: Snapshot | undefined,
): Promise<LockStatus<T> | null> {
  try {
    return await inspectFile<T>(path, false, snapshot);
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === 'ELOOP' || code === 'ERR_LOCK_UNSUPPORTED') return null;
    throw error;
  }
}

const WATCH_OPTIONS = new Set(['signal']);

// Well below the promised second.
const WATCH_MILLISECONDS = 250;

/**
 * The status at once, and again within a second of each change. It inspects
 * every quarter of a second, so it misses a change that is undone in between.
 * Throws `signal.reason` when `signal` is aborted.
 */
export async function* watchLock<T extends object = Record<string, unknown>>(
  path: string | Buffer | URL,
  options?: { signal?: AbortSignal | undefined },
): AsyncGenerator<LockStatus<T>, void, undefined> {
  const { signal } = checkOptions(options, WATCH_OPTIONS);
  checkSignal(signal);
  const file = checkFilePath(path);
  let last = '';
  for (;;) {
    throwIfAborted(signal);
    const status = await inspectFile<T>(file, false);
    const text = JSON.stringify(status);
    if (text !== last) {
      last = text;
      yield status;
    }
    await sleep(WATCH_MILLISECONDS, signal);
  }
}
