import { throwIfAborted } from '../base/abort.js';
import { goOnAsync, goOnSync, holdOrThrow } from './acquiring.js';
import { type Hold, isHold, takeFree } from './hold.js';
import type { Request } from './options.js';
import { Deadline } from './wait.js';

/**
 * Waits without blocking this thread, and resolves to what `make` makes of the
 * hold. Between a grant and the caller's code there is one promise, and
 * everything that can be prepared is ready: `make` may be called before the
 * grant, or in vain. `made` is called as soon as the lock is held.
 */
export function acquire(request: Request): Promise<Hold>;
export function acquire<L>(
  request: Request,
  make: (hold: Hold) => L,
  made: (lock: L) => void,
): Promise<L>;
export function acquire(
  request: Request,
  make: (hold: Hold) => unknown = (hold) => hold,
  made: (lock: unknown) => void = () => {},
): Promise<unknown> {
  try {
    throwIfAborted(request.signal);
    const deadline = new Deadline(request.timeout);
    const first = takeFree(request);
    if (isHold(first)) {
      const lock = make(first);
      made(lock);
      return Promise.resolve(lock);
    }
    return new Promise((resolve, reject) => {
      const ended = (lock: unknown): void => {
        resolve(lock);
        made(lock);
      };
      goOnAsync(request, { first, deadline, callee: acquire }, make, { ended, failed: reject });
    });
  } catch (error) {
    return Promise.reject(error);
  }
}

/** The same, blocking this thread while it waits. */
export function acquireSync(request: Request): Hold {
  throwIfAborted(request.signal);
  const deadline = new Deadline(request.timeout);
  const first = takeFree(request);
  if (isHold(first)) return first;
  return holdOrThrow(request, goOnSync(request, { first, deadline }));
}

/** Neither waits nor searches for the holder: `null` if refused. */
export function tryAcquire(request: Request): Hold | null {
  const first = takeFree(request);
  if (isHold(first)) return first;
  const start = { first, deadline: new Deadline(0) };
  const result = goOnSync({ ...request, timeout: 0 }, start);
  return typeof result === 'object' ? result : null;
}
