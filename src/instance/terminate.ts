import { constants } from 'node:os';
import { clearInterval, setInterval } from 'node:timers';
import { onAbort, throwIfAborted } from '../base/abort.js';
import { isLockError } from '../base/errors.js';
import type { Holder } from '../base/holder.js';
import type { FilePath } from '../base/paths.js';
import { walkAsync } from '../holders/kernel-tables.js';
import { viewKernel } from '../holders/kernel-view.js';
import { readContent } from '../holders/lock-file.js';
import { whilePinned } from '../holders/pinned-file.js';
import { holderOf } from '../holders/who-holds.js';
import { FileLock } from '../lock/file-lock.js';
import type { FileLockOptions } from '../lock/options.js';
import {
  confirmForce,
  type Forced,
  type ForceOptions,
  MOST_ROUNDS,
  type Refuse,
} from './confirm.js';
import {
  cannotEnd,
  isAlive,
  lockersOf,
  type PinnedHold,
  signalHolder,
  thoroughBudget,
  userThatTook,
} from './signal-holder.js';

/**
 * Asks all processes that share the hold to end, kills those that do not, and
 * waits for the lock itself.
 *
 * A process is signalled only if its own descriptors were seen to have the lock
 * and it belongs to the user who took the lock. Nothing is signalled before all
 * of them have passed this check. Children that inherit the lock in the meantime
 * belong to the hold. If another process acquires the lock in the meantime, that
 * is a refusal.
 */
export async function terminate(
  path: FilePath,
  options: FileLockOptions<object>,
  force: ForceOptions<never>,
  refuse: Refuse,
): Promise<Forced> {
  return whilePinned(path, (file) => {
    if (file === null) throw cannotEnd(path, null, 'the system does not show who holds it');
    const user = force.uid ?? userThatTook(path, file);
    return end({ path, file, user, options, force, refuse });
  });
}

interface Ending extends PinnedHold {
  options: FileLockOptions<object>;
  force: ForceOptions<never>;
  refuse: Refuse;
}

async function end(ending: Ending): Promise<Forced> {
  const { path, file, options, force, refuse } = ending;
  const first = await holdersNow(ending);
  if (first.length === 0) throw cannotEnd(path, holderOf(path), 'its holder cannot be seen');
  for (const holder of first) {
    if (holder.self) throw cannotEnd(path, holder, 'this process holds it');
    if (holder.pid === null || !holder.verified) {
      throw cannotEnd(path, holder, 'its holder could not be verified');
    }
    // Signal 0 checks the permission and does nothing. Check all of them first.
    signalHolder(ending, holder, 0);
  }
  const targets = new Set(first.map(({ pid }) => pid));
  const forced = (lock: FileLock<object>): Forced => {
    return { lock, expected: targets.has(lock.previous?.pid ?? null) };
  };
  const hold = lockersOf(file);
  await confirmForce(first, force, refuse, options.signal);
  const asked = new Set<number | null>();
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const free = FileLock.tryAcquire(path, options);
    if (free !== null) return forced(free);
    const now = await holdersNow(ending);
    // Nothing listened to the signal during the search.
    throwIfAborted(options.signal);
    // New children share the hold that `confirm` was asked about: the kernel
    // still names the process that took it. Read the lockers after the holders.
    // If none is seen, it does not count as the same hold.
    const lockers = [...lockersOf(file)];
    const same = lockers.length > 0 && lockers.every((pid) => hold.has(pid));
    if (same) for (const { pid, verified } of now) if (verified) targets.add(pid);
    const other =
      now.length > 0 ? now.find(({ pid }) => !targets.has(pid)) : holderOf<object>(path);
    if (other != null && !targets.has(other.pid)) throw refuse(other);
    let patience = now.length > 0 ? KILL_MILLISECONDS : POLL_MILLISECONDS;
    for (const holder of now) {
      // It got SIGTERM in an earlier round, and its grace period is over.
      const isAsked = asked.has(holder.pid);
      if (!isAsked) patience = force.grace;
      asked.add(holder.pid);
      signalHolder(ending, holder, constants.signals[isAsked ? 'SIGKILL' : 'SIGTERM']);
    }
    const lock = await acquireOrGone(path, options, now, patience);
    if (lock !== null) return forced(lock);
  }
  throw cannotEnd(path, holderOf(path), 'it did not end');
}

async function holdersNow({ path, file }: Ending): Promise<Holder<object>[]> {
  const budget = thoroughBudget();
  const view = await walkAsync(viewKernel(file, readContent(path), { everyHolder: true, budget }));
  const holders = view?.holders ?? [];
  if (!budget.cut) return holders;
  throw cannotEnd(path, holders[0] ?? null, 'the search for its processes would take too long');
}

const KILL_MILLISECONDS = 5000;
const POLL_MILLISECONDS = 50;

/** Resolves to `null` after `patience`, or once all holders are gone and the lock is still held. */
async function acquireOrGone(
  path: FilePath,
  options: FileLockOptions<object>,
  holders: Holder<object>[],
  patience: number,
): Promise<FileLock<object> | null> {
  const controller = new AbortController();
  const gone = new Error('the holders are gone');
  const stopListening = onAbort(options.signal, () => controller.abort(options.signal?.reason));
  let polls = 0;
  const timer = setInterval(() => {
    // Then a child may hold the lock. Poll more than once: the kernel needs a
    // moment to release the locks of a process that has ended.
    const allGone = !holders.some(({ pid }) => isAlive(pid ?? 0));
    if (allGone && ++polls > 2) controller.abort(gone);
  }, POLL_MILLISECONDS);
  try {
    const { signal } = controller;
    return await FileLock.acquire(path, { ...options, timeout: patience, signal });
  } catch (error) {
    if (
      error === gone ||
      isLockError(error, 'ERR_LOCK_TIMEOUT') ||
      isLockError(error, 'ERR_LOCK_HELD')
    ) {
      return null;
    }
    throw error;
  } finally {
    clearInterval(timer);
    stopListening();
  }
}
