import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { throwIfAborted } from '../../base/abort.js';
import { sleep } from '../../base/timers.js';
import { type Call, unless } from './call.js';
import { pauseBefore } from './gateway.js';
import type { Entry } from './keys.js';
import type { Place } from './place.js';

interface WatchAnswer {
  events?: { type?: string }[];
  canceled?: boolean;
}

/**
 * Waits until nobody is ahead. False: the place is lost, with or without its
 * lease. Rejects with the error for the caller.
 */
export async function reachFront(place: Place, call: Call): Promise<boolean> {
  const { gateway } = place.queue;
  const { ttl } = place.lease;
  const ended = new AbortController();
  const stop = (): void => ended.abort(call.signal.reason);
  call.signal.addEventListener('abort', stop);
  if (call.signal.aborted) stop();
  place.onLoss = () => ended.abort(LOST);
  if (place.lease.isLost) ended.abort(LOST);
  try {
    let isThere = true;
    for (let doubts = 0; isThere && place.ahead !== null; ) {
      if (place.ahead !== undefined) {
        const isSeen = await untilDeleted(place, place.ahead, ttl / 2, ended.signal);
        throwIfAborted(ended.signal);
        // A watch that ends at once must not become a loop of questions.
        if (!isSeen) await sleep(pauseBefore(doubts++), ended.signal);
        else doubts = 0;
      }
      const look = (): Promise<boolean> => unless(ended.signal, place.look());
      isThere = await call.patiently(gateway, ttl, look, ended.signal);
    }
    return isThere;
  } catch (error) {
    if (error === LOST && !call.signal.aborted) return false;
    throwIfAborted(call.signal);
    throw error;
  } finally {
    call.signal.removeEventListener('abort', stop);
    place.onLoss = () => {};
  }
}

const LOST = Symbol('lost');

/**
 * True: the entry was deleted. False: the caller must look. A watch never
 * proves that an entry is still there: one whose revisions were compacted is
 * cancelled, one at a member that is cut off is silent.
 */
function untilDeleted(
  { queue, revision }: Place,
  { key }: Entry,
  atMost: number,
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve) => {
    const watch = new AbortController();
    const end = (isDeleted: boolean): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      resolve(isDeleted);
      // After the next question, which is what the caller waits for.
      setImmediate(() => watch.abort());
    };
    const stop = (): void => end(false);
    const timer = setTimeout(stop, atMost);
    signal.addEventListener('abort', stop);
    const created = {
      key,
      start_revision: String(BigInt(revision) + 1n),
      filters: ['NOPUT'],
    };
    const onMessage = (message: unknown): void => {
      const { events = [], canceled = false } = message as WatchAnswer;
      if (events.some(({ type }) => type === 'DELETE')) end(true);
      else if (canceled) end(false);
    };
    queue.gateway
      .stream('/v3/watch', { create_request: created }, onMessage, watch.signal)
      .then(stop);
    if (signal.aborted) stop();
  });
}
