import { checkFilePath, checkInteger, checkOptions, optionNames } from '../base/arguments.js';
import type { Holder } from '../base/holder.js';
import type { FilePath } from '../base/paths.js';
import { checkRequest, type Request } from '../lock/options.js';
import { queuePath, slotPath } from './files.js';

/** Options of {@link Slots}. */
export interface SlotsOptions {
  /** How many may hold a slot at once: an integer from 1 to 256. */
  slots: number;
  /**
   * The permissions of new lock files, before umask. Default `0o600`: anyone who
   * may open them may hold the slots without end.
   */
  permissions?: number | undefined;
}

/** Options of {@link Slots.acquire}. */
export interface SlotOptions<T extends object = Record<string, unknown>> {
  /**
   * How long to wait, in milliseconds, 0 to Infinity. Default: Infinity. With 0
   * the call fails after a millisecond, with `ERR_LOCK_HELD`; with more it fails
   * with `ERR_LOCK_TIMEOUT`, never early.
   */
  timeout?: number | undefined;
  /** Ends the wait: rejects with `signal.reason`, unchanged. */
  signal?: AbortSignal | undefined;
  /**
   * Called once, if the call has to wait, with the holders that are known, in
   * the order of their slots. An error that it throws ends the wait.
   */
  onWait?: ((holders: Holder<T>[]) => void) | undefined;
  /** Your own fields of the record in the slot's file: see `FileLock.acquire`. */
  data?: Partial<T> | undefined;
}

/** Options of {@link withSlot}. */
export interface WithSlotOptions<T extends object = Record<string, unknown>>
  extends SlotsOptions,
    SlotOptions<T> {}

const OF_SLOTS = { slots: true, permissions: true } as const;
const OF_SLOT = { timeout: true, signal: true, onWait: true, data: true } as const;
export const SLOTS_OPTIONS = optionNames<SlotsOptions>(OF_SLOTS);
export const SLOT_OPTIONS = optionNames<SlotOptions>(OF_SLOT);
export const WITH_SLOT_OPTIONS = optionNames<WithSlotOptions>({ ...OF_SLOTS, ...OF_SLOT });

export const MOST_SLOTS = 256;

/** A folder of slots, checked. */
export interface Ground {
  readonly directory: FilePath;
  readonly slots: number;
  readonly permissions: number | undefined;
}

export function checkGround(directory: unknown, { slots, permissions }: SlotsOptions): Ground {
  return {
    directory: checkFilePath(directory, 'directory'),
    slots: checkInteger(slots, 'options.slots', 1, MOST_SLOTS),
    permissions:
      permissions === undefined
        ? undefined
        : checkInteger(permissions, 'options.permissions', 0, 0o7777),
  };
}

/** The checked arguments of a call. */
export interface SlotCall extends Ground {
  /** One for each slot, in the order of their numbers. */
  readonly requests: readonly Request[];
  readonly queue: Request;
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
  readonly onWait: ((holders: Holder<never>[]) => void) | undefined;
}

export function checkCall(ground: Ground, options: SlotOptions<object> | undefined): SlotCall {
  const { directory, slots, permissions } = ground;
  const { data, onWait, signal, timeout } = checkOptions(options, SLOT_OPTIONS);
  const given = { permissions, signal, timeout };
  const first = checkRequest(
    slotPath(directory, 1),
    // `onWait` is called with all holders here, but is checked in the same way.
    { ...given, data, onWait: onWait as () => void },
    Number.POSITIVE_INFINITY,
    { oneOfMany: true },
  );
  const requests = Array.from({ length: slots }, (_, index) => ({
    ...first,
    path: slotPath(directory, index + 1),
    onWait: undefined,
  }));
  // Without a record: its holder matters only while it lives, and then the kernel
  // names it. After a kill, a record would stay that belongs to no slot.
  const queue = checkRequest(
    queuePath(directory),
    { permissions, record: false },
    Number.POSITIVE_INFINITY,
  );
  return {
    ...ground,
    requests,
    queue,
    timeout: first.timeout,
    signal: first.signal,
    onWait: first.onWait as SlotCall['onWait'],
  };
}
