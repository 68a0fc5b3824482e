import { setTimeout } from 'node:timers';
import { afterReactions } from '../base/bursts.js';
import { emitHoldfastWarning } from '../base/warning.js';

interface Watched {
  readonly path: string;
  readonly held: boolean;
}

// A lock that nobody can release any more stays held: the work that it guards may
// still go on. The warning tells the program's author of the mistake.
const collected = new FinalizationRegistry<string>((path) => {
  emitHoldfastWarning(
    'HOLDFAST_LOCK_COLLECTED',
    `A FileLock of ${path} was garbage-collected while held; the lock stays held`,
    'Keep the FileLock and call release(), or use withLock() or "await using".',
  );
});

// Most locks are released within a moment, and to register one takes as long as
// a system call. So a lock is registered once it has been held for a while.
// Until then this set refers to it, so it is not collected.
const UNWATCHED_MILLISECONDS = 100;
const taken = new Set<Watched>();
let watching = false;

function watchTaken(): void {
  watching = false;
  for (const lock of taken) collected.register(lock, lock.path, lock);
  taken.clear();
}

/** Call on acquiring. Returns `lock`. */
export function watch<L extends Watched>(lock: L): L {
  taken.add(lock);
  if (!watching) setTimeout(watchTaken, UNWATCHED_MILLISECONDS).unref();
  watching = true;
  return lock;
}

/**
 * The same, after the code that waits for the lock has run: setting a timer takes
 * half as long as all that happens between the kernel's grant and that code.
 */
export function watchSoon(lock: Watched): void {
  if (watching) {
    taken.add(lock);
    return;
  }
  afterReactions(() => {
    if (lock.held) watch(lock);
  });
}

/** Call when the lock is no longer held. */
export function unwatch(lock: Watched): void {
  if (!taken.delete(lock)) collected.unregister(lock);
}
