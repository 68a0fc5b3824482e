import { tryAcquire } from '../lock/acquire.js';
import type { Hold } from '../lock/hold.js';
import type { Request } from '../lock/options.js';
import { takeOnce } from '../lock/take-once.js';

/** A slot that was granted. */
export interface Grant {
  number: number;
  hold: Hold;
  request: Request;
}

/**
 * Takes the free slot with the lowest number. Processes that start together do
 * not collide for long: an attempt takes microseconds, and the loser goes on to
 * the next number. Low numbers are used again and again, so what belongs to a
 * slot (a GPU, a port, a warm cache) stays the same from run to run, and high
 * slots are unused while there is little to do.
 */
export async function look(requests: readonly Request[]): Promise<Grant | null> {
  let number = 0;
  for (const request of requests) {
    number++;
    const taken = takeOnce(request);
    const hold = taken instanceof Promise ? await taken : taken;
    if (hold !== null) return { number, hold, request };
  }
  return null;
}

/** The same, on this thread. */
export function lookHere(requests: readonly Request[]): Grant | null {
  let number = 0;
  for (const request of requests) {
    number++;
    const hold = tryAcquire(request);
    if (hold !== null) return { number, hold, request };
  }
  return null;
}
