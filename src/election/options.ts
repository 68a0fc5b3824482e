import {
  argumentError,
  checkBoolean,
  checkMilliseconds,
  checkOptions,
  checkPath,
  checkSignal,
  optionNames,
} from '../base/arguments.js';
import { checkData } from '../holders/owner-record.js';
import { checkId, newId } from './member-files.js';

export interface ElectionOptions<T extends object = Record<string, unknown>> {
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

export interface LeaveOptions {
  /**
   * Default `false`. `true`: the seat is closed without unlocking it. A child
   * that has the descriptor (`fd`) keeps the seat until it ends; the seat is free
   * when no process has the descriptor any more.
   */
  keepSeat?: boolean | undefined;
}

/** A checked call of `join`. */
export interface JoinRequest<T extends object> {
  directory: string;
  id: string;
  settle: number;
  data: Partial<T> | undefined;
  signal: AbortSignal | undefined;
}

/** A checked call of `leave`. */
export interface LeaveRequest {
  keepSeat: boolean;
}

const ELECTION_OPTIONS = optionNames<ElectionOptions>({
  id: true,
  settle: true,
  data: true,
  signal: true,
});
const LEAVE_OPTIONS = optionNames<LeaveOptions>({ keepSeat: true });
const LONGEST_SETTLE = 3_600_000;

export function checkJoin<T extends object>(
  directory: unknown,
  options: ElectionOptions<T> | undefined,
): JoinRequest<T> {
  const { id, settle, data, signal } = checkOptions(options, ELECTION_OPTIONS);
  const request = {
    directory: checkPath(directory, 'directory'),
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

export function checkLeave(options: LeaveOptions | undefined): LeaveRequest {
  const { keepSeat } = checkOptions(options, LEAVE_OPTIONS);
  return { keepSeat: checkBoolean(keepSeat, 'options.keepSeat', false) };
}
