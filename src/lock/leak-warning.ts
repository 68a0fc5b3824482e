import { setTimeout } from 'node:timers';

interface Watched {
  readonly path: string;
}

// A lock that nobody can release any more stays held: it guards something
// that may still go on. That is a mistake worth hearing of.
const collected = new FinalizationRegistry<string>((path) => {
  process.emitWarning(
    `A FileLock of ${path} was garbage-collected while held; the lock stays held`,
    {
      type: 'HoldfastWarning',
      code: 'HOLDFAST_LOCK_COLLECTED',
      detail: 'Keep the FileLock and call release(), or use withLock() or "await using".',
    },
  );
});

// Most locks are released within a moment, and to watch one takes as long as a
// system call. So it is watched from when it has been held for a while; until
// then it is kept, and cannot be collected.
const UNWATCHED_MILLISECONDS = 100;
const taken = new Set<Watched>();
let watching = false;

function watchTaken(): void {
  watching = false;
  for (const lock of taken) collected.register(lock, lock.path, lock);
  taken.clear();
}

/** From when a lock is held. */
export function watch(lock: Watched): void {
  taken.add(lock);
  if (watching) return;
  watching = true;
  setTimeout(watchTaken, UNWATCHED_MILLISECONDS).unref();
}

/** From when it is not any more. */
export function unwatch(lock: Watched): void {
  if (!taken.delete(lock)) collected.unregister(lock);
}
