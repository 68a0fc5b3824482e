import { argumentError } from '../base/argument-errors.js';
import { checkInteger, checkOptions } from '../base/arguments.js';
import { statFields } from '../base/proc.js';
import { isBelow } from '../holders/ancestors.js';
import { bootId, pidNamespace, statOf } from '../holders/process-identity.js';

/**
 * The process with which a claim ends, as it stands in the claim's file. A pid
 * alone would not do: it is used again, and means another process after a
 * restart or in another container. The last three are empty where they cannot
 * be had, as on systems without Linux's /proc.
 */
export interface SessionMark {
  readonly pid: number;
  /** When it started, in clock ticks since the boot. */
  readonly start: string;
  /** The kernel's boot id. */
  readonly boot: string;
  /** The pid namespace in which `pid` is its number. */
  readonly namespace: string;
}

const HIGHEST_PID = 2 ** 31 - 1;
const SESSION_FIELDS = new Set(['pid']);

/** A process that runs; `null`: it does not. */
export function markOf(pid: number): SessionMark | null {
  const stat = statOf(pid);
  if (stat === '' ? !exists(pid) : hasEnded(stat)) return null;
  return { pid, start: startIn(stat), boot: bootId(), namespace: pidNamespace() };
}

/** The mark in a claim's file. Anything else there is a field of somebody else's. */
export function parseMark(value: unknown): SessionMark | null {
  const { pid, start, boot, namespace } = Object(value) as Record<string, unknown>;
  if (!Number.isInteger(pid)) return null;
  const text = (field: unknown): string => (typeof field === 'string' ? field : '');
  return { pid: pid as number, start: text(start), boot: text(boot), namespace: text(namespace) };
}

/** The session of a request. `looks`: the process has to run. */
export function checkSession(
  value: unknown,
  name: string,
  { looks }: { looks: boolean },
): SessionMark | null {
  if (value === undefined) return null;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw argumentError('ERR_INVALID_ARG_TYPE', name, 'an object with a pid', value);
  }
  const given = checkOptions(value as { pid?: unknown }, SESSION_FIELDS, name);
  const pid = checkInteger(given.pid, `${name}.pid`, 1, HIGHEST_PID);
  const mark = looks ? markOf(pid) : { pid, start: '', boot: '', namespace: '' };
  if (mark === null) throw notRunning(pid, name);
  return mark;
}

export function notRunning(pid: number, name: string): TypeError | RangeError {
  const rule = 'the pid of a running process; no process here has this one';
  return argumentError('ERR_INVALID_ARG_VALUE', `${name}.pid`, rule, pid);
}

/**
 * Whether the process still runs; `null`: it cannot be told from here.
 *
 * The same boot and pid namespace are enough to tell. The hostname is not
 * compared: two containers may share a pid namespace under two names. After
 * another boot, nothing is known: it may be another machine on the same folder.
 */
export function isAlive(mark: SessionMark): boolean | null {
  const { pid, start, boot, namespace } = mark;
  if (boot === '' || boot !== bootId()) return null;
  if (namespace === '' || namespace !== pidNamespace()) return null;
  const stat = statOf(pid);
  if (stat !== '') {
    if (hasEnded(stat)) return false;
    // Without a start time, another process may have the pid.
    return start === '' ? null : startIn(stat) === start;
  }
  // Its /proc is hidden (hidepid), or there is no descriptor left to read it.
  if (!exists(pid)) return false;
  return start === '' ? null : true;
}

export function isSameMark(one: SessionMark, other: SessionMark): boolean {
  return (
    one.pid === other.pid &&
    one.start === other.start &&
    one.boot === other.boot &&
    one.namespace === other.namespace
  );
}

/** Whether the process of `mark` is the one of `upper`, or runs below it. */
export function isWithinSession(mark: SessionMark, upper: SessionMark): boolean {
  if (isSameMark(mark, upper)) return true;
  return isAlive(mark) === true && isAlive(upper) === true && isBelow(mark.pid, upper.pid);
}

/** Whether this process is the one of `mark`, or runs below it. */
export function isInSession(mark: SessionMark): boolean {
  return isAlive(mark) === true && isBelow(process.pid, mark.pid);
}

/** Whether a claim of that session is one of the session of `own`, or of this process's. */
export function isOfSession(session: SessionMark, own: SessionMark | null): boolean {
  return own === null ? isInSession(session) : isWithinSession(own, session);
}

/**
 * Whether a claim may be of the session of its parent. One without a session
 * tells nothing. A process above that of the parent is another session: a
 * terminal is above all agents that were started in it.
 */
export function mayBeWithin(mark: SessionMark | null, upper: SessionMark | null): boolean {
  return mark === null || upper === null || isWithinSession(mark, upper);
}

function startIn(stat: string): string {
  return statFields(stat)[19] ?? '';
}

/**
 * Whether nothing of the process runs any more: it is a zombie, or about to
 * become one. A main thread that has ended before the others looks like a
 * zombie too, so the threads are counted.
 */
function hasEnded(stat: string): boolean {
  const fields = statFields(stat);
  const [state, threads, memory] = [fields[0], fields[17], fields[20]];
  if (state === 'X') return true;
  return (state === 'Z' || memory === '0') && Number(threads) <= 1;
}

/** EPERM is a process of another user. */
function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
