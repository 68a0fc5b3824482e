import { throwIfAborted } from '../base/abort.js';
import { inBurst } from '../base/bursts.js';
import type { Holder } from '../base/holder.js';
import { sleep, sleepSync } from '../base/timers.js';
import { holderInBurst, looksSoFar } from '../holders/who-holds.js';
import { type FileLock, lockOf } from '../lock/file-lock.js';
import { Deadline } from '../lock/wait.js';
import { SlotsHeldError, SlotsTimeoutError } from './errors.js';
import { type Grant, look, lookHere } from './look.js';
import type { SlotCall } from './options.js';
import { waitForSlot } from './wait-for-slot.js';

/** A slot that is held, by a lock on its file. */
export interface Entered<T extends object> {
  number: number;
  lock: FileLock<T>;
}

// A probe, or a second grant that is released at once, takes a slot for a moment
// and must not cause a refusal. One pause for all slots: with one for each, 256
// slots would take a quarter of a second.
const PAUSE_MILLISECONDS = 1;

/** Takes a slot, or waits for one as long as the timeout allows. */
export async function enter<T extends object>(call: SlotCall): Promise<Entered<T>> {
  const { timeout, signal, onWait } = call;
  throwIfAborted(signal);
  const deadline = new Deadline(timeout);
  const began = looksSoFar();
  let grant = await look(call.requests);
  if (grant === null && timeout === 0) {
    await sleep(PAUSE_MILLISECONDS, signal);
    grant = await look(call.requests);
    if (grant === null) {
      await turnOfBurst();
      throw new SlotsHeldError(call.directory, holdersOf(call, began), call.slots);
    }
  } else if (grant === null) {
    onWait?.(holdersOf(call, began) as Holder<never>[]);
    throwIfAborted(signal);
    const result = await waitForSlot(call, deadline);
    if (result === 'timeout') {
      await turnOfBurst();
      throw new SlotsTimeoutError(call.directory, holdersOf(call, began), call.slots, timeout);
    }
    grant = result;
  }
  return enteredBy(grant);
}

/** Without waiting, on this thread: `null` if all are taken. */
export function tryEnter<T extends object>(call: SlotCall): Entered<T> | null {
  const grant = lookHere(call.requests);
  if (grant !== null) return enteredBy(grant);
  sleepSync(PAUSE_MILLISECONDS);
  const again = lookHere(call.requests);
  return again === null ? null : enteredBy(again);
}

function enteredBy<T extends object>({ number, hold, request }: Grant): Entered<T> {
  return { number, lock: lockOf(request, hold) as unknown as FileLock<T> };
}

/** Thousands can be refused together, and each looks for the holders. */
function turnOfBurst(): Promise<void> {
  return new Promise((resolve) => inBurst(resolve));
}

function holdersOf<T extends object>({ requests }: SlotCall, began: number): Holder<T>[] {
  return requests.flatMap(({ path }) => holderInBurst<T>(path, began) ?? []);
}
