import { throwIfAborted } from '../base/abort.js';
import { tryAcquire } from './acquire.js';
import { goOnAsync } from './acquiring.js';
import { type Hold, isHold, takeFree } from './hold.js';
import type { Request } from './options.js';
import { Deadline } from './wait.js';

/**
 * A single attempt: `null` if it is refused. A promise only for a remote file,
 * where even an attempt may hang.
 */
export function takeOnce(request: Request): Hold | null | Promise<Hold | null> {
  throwIfAborted(request.signal);
  const first = takeFree(request);
  if (isHold(first)) return first;
  if (first?.isRemote === false) {
    first.close();
    return null;
  }
  // It was replaced at its path: try again.
  if (first === null) return tryAcquire(request);
  const once = { ...request, timeout: 0, oneOfMany: true };
  const start = { first, deadline: new Deadline(0), callee: takeOnce };
  return new Promise((resolve, reject) => {
    const refused = (): void => resolve(null);
    goOnAsync(once, start, (hold) => hold, { ended: resolve, failed: reject, refused });
  });
}
