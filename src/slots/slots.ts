import { argumentError } from '../base/argument-errors.js';
import { checkOptions } from '../base/arguments.js';
import { whileHeld } from '../lock/with-lock.js';
import { enter, tryEnter } from './enter.js';
import { inspectSlots, type SlotsStatus } from './inspect.js';
import {
  checkCall,
  checkGround,
  type Ground,
  SLOTS_OPTIONS,
  type SlotOptions,
  type SlotsOptions,
  WITH_SLOT_OPTIONS,
  type WithSlotOptions,
} from './options.js';
import { type Slot, slotOf } from './slot.js';

/**
 * At most N holders at once, on one machine: a folder of N locks, of which each
 * holder has one. All processes that take slots there must pass the same folder
 * and the same N.
 *
 * Not promised: a strict order among waiters; that all use one N (a process with
 * a smaller one takes only slots up to it, and no holder is evicted); safety for
 * a holder of several slots, which can deadlock like any locks that are held
 * together.
 */
export class Slots<T extends object = Record<string, unknown>> {
  readonly #ground: Ground;

  /** `directory` is created, with the folders above it, when the first slot is taken. */
  constructor(directory: string | Buffer | URL, options: SlotsOptions) {
    this.#ground = checkGround(directory, checkOptions(options, SLOTS_OPTIONS));
  }

  /** How many slots there are. */
  get slots(): number {
    return this.#ground.slots;
  }

  /**
   * Takes the free slot with the lowest number, or waits in the kernel for the
   * first that is released, for as long as `timeout` allows (default: without
   * end).
   *
   * Rejects with {@link SlotsHeldError} (`timeout: 0`), {@link SlotsTimeoutError},
   * `signal.reason`, and for other reasons with what `FileLock.acquire` does.
   */
  async acquire(options?: SlotOptions<T>): Promise<Slot<T>> {
    return slotOf(await enter<T>(checkCall(this.#ground, options)));
  }

  /**
   * Never waits: `null` if all slots are taken. It tries twice within about 2 ms,
   * and may miss slots that change hands in the meantime.
   */
  tryAcquire(options?: Pick<SlotOptions<T>, 'data'>): Slot<T> | null {
    const entered = tryEnter<T>(checkCall(this.#ground, options));
    return entered === null ? null : slotOf(entered);
  }

  /** Who has which slot, and who waits. For people: never decide by it. Takes no slot. */
  inspect(): Promise<SlotsStatus<T>> {
    return inspectSlots<T>(this.#ground);
  }
}

/**
 * Runs `fn` with one of the slots of `directory`, and releases it whatever `fn`
 * does, as `withLock` does: the error of `fn` is passed on unchanged, and it
 * rejects with `ERR_LOCK_LOST` if the slot was lost while `fn` ran. It also
 * rejects with what {@link Slots.acquire} rejects with.
 *
 * Code inside that takes another slot of the same folder holds both. If such code
 * holds all slots, it waits for itself; a process warning with code
 * `HOLDFAST_WAITS_FOR_ITSELF` says so after a second, but only if the calls
 * around it hold them all.
 */
export async function withSlot<T extends object = Record<string, unknown>, R = unknown>(
  directory: string | Buffer | URL,
  options: WithSlotOptions<T>,
  fn: (slot: Slot<T>) => R | Promise<R>,
): Promise<R> {
  if (typeof fn !== 'function') {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'fn', 'a function', fn);
  }
  const { slots, permissions, ...rest } = checkOptions(options, WITH_SLOT_OPTIONS);
  const ground = checkGround(directory, { slots, permissions });
  const entered = await enter<T>(checkCall(ground, rest));
  const slot = slotOf(entered);
  return whileHeld([{ lock: entered.lock, path: slot.path }], () => fn(slot));
}
