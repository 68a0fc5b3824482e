import { argumentError } from '../base/argument-errors.js';
import {
  checkBoolean,
  checkMilliseconds,
  checkOptions,
  checkPath,
  checkSignal,
  optionNames,
} from '../base/arguments.js';
import { checkLocker, checkLockName, type Locker } from '../base/locker.js';
import { checkData } from '../holders/owner-record.js';
import { checkId, newId } from './member-files.js';

/** Options of {@link Election.join}. */
export interface ElectionOptions<T extends object = Record<string, unknown>> {
  /**
   * With it, `Election.join` takes the name of a lock instead of a folder: its
   * holder is primary, `term` is its token, and the members are those that the
   * locker sees. A member's id is `hostname:pid`. With a locker, `id`, `settle`
   * and `data` have no effect and are refused.
   */
  locker?: Locker | undefined;
  /**
   * Unique among the living members, and sortable. Default: the time followed
   * by random characters, so that later ids sort later.
   */
  id?: string | undefined;
  /**
   * Milliseconds, default 0: how long a free seat stays free after joining. Of
   * members that start together, the one with the smallest id takes the seat.
   */
  settle?: number | undefined;
  /** The user's own fields, for the others to read. */
  data?: Partial<T> | undefined;
  /** Ends the joining, with `signal.reason`; later it makes the member leave. */
  signal?: AbortSignal | undefined;
}

/** Options of {@link Election.leave}. */
export interface LeaveOptions {
  /**
   * Default `false`. `true`: the seat is closed without unlocking it. A child
   * that has the descriptor (`fd`) keeps the seat until it ends; the seat is free
   * when no process has the descriptor any more. `ERR_LOCK_STATE`, and the member
   * stays, if the locker's lock has no `detach`.
   */
  keepSeat?: boolean | undefined;
}

/** The checked arguments of `join`. */
export interface JoinRequest<T extends object> {
  locker: Locker | undefined;
  /** The folder, or the name of the lock. */
  place: string;
  id: string;
  settle: number;
  data: Partial<T> | undefined;
  signal: AbortSignal | undefined;
}

/** The checked arguments of `leave`. */
export interface LeaveRequest {
  keepSeat: boolean;
}

const ELECTION_OPTIONS = optionNames<ElectionOptions>({
  locker: true,
  id: true,
  settle: true,
  data: true,
  signal: true,
});
const WAIT_OPTIONS = new Set(['signal']);
const LEAVE_OPTIONS = optionNames<LeaveOptions>({ keepSeat: true });
const LONGEST_SETTLE = 3_600_000;

export function checkJoin<T extends object>(
  place: unknown,
  options: ElectionOptions<T> | undefined,
): JoinRequest<T> {
  const checked = checkOptions(options, ELECTION_OPTIONS);
  const { id, settle, data, signal } = checked;
  const locker = checkLocker(checked.locker);
  if (locker !== undefined) refuse({ id, settle, data });
  const request = {
    locker,
    place: locker === undefined ? checkPath(place, 'directory') : checkLockName(place),
    id: id === undefined ? newId() : checkId(id),
    settle: checkMilliseconds(settle, 'options.settle', 0),
    data,
    signal: checkSignal(signal),
  };
  if (request.settle > LONGEST_SETTLE) {
    throw argumentError('ERR_OUT_OF_RANGE', 'options.settle', 'at most an hour', settle);
  }
  checkData(data);
  return request;
}

/** Options that would have no effect on a server. */
function refuse(options: object): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const rule = 'left out with a locker, where it has no effect';
    throw argumentError('ERR_INVALID_ARG_VALUE', `options.${name}`, rule, value);
  }
}

/** The signal of a call that waits for the seat. */
export function checkWait(
  options: { signal?: AbortSignal | undefined } | undefined,
): AbortSignal | undefined {
  return checkSignal(checkOptions(options, WAIT_OPTIONS).signal);
}

export function checkLeave(options: LeaveOptions | undefined): LeaveRequest {
  const { keepSeat } = checkOptions(options, LEAVE_OPTIONS);
  return { keepSeat: checkBoolean(keepSeat, 'options.keepSeat', false) };
}
