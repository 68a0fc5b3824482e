import { argumentError, describe, notJson } from '../base/argument-errors.js';
import { ownIdentity, type ProcessIdentity } from './process-identity.js';
import { isRunning } from './running-process.js';

/** What a lock file says about a holder. For people; it may be wrong. */
export interface OwnerRecord<T extends object = Record<string, unknown>> {
  /** The pid that the holder has, or had, in its own pid namespace. */
  pid: number;
  /** When it acquired the lock; `null` for a bare pid. */
  since: Date | null;
  /** The host that wrote the record; `null` for a bare pid. */
  hostname: string | null;
  /** The fencing token; 0 if the record has none. */
  token: number;
  /** The user's own fields. */
  data: Partial<T>;
  /** Whether that process still runs, by pid and start time; `null` where it is not known. */
  running: boolean | null;
}

/** `'json'`, or the decimal pid and a newline, so that `kill $(cat file)` works. */
export type RecordFormat = 'json' | 'pid';

/** A parsed lock file. */
export interface Content {
  /** Empty, a record of Holdfast, or a bare pid: it may be overwritten. */
  ours: boolean;
  /** The last fencing token, even one that is too large to grow; 0: no token. */
  token: number;
  /** The holder that did not release, if the file names one. */
  owner: (ProcessIdentity & { since: Date | null; data: object; member?: true }) | null;
}

/** The longest record, in bytes. */
export const RECORD_LIMIT = 64 * 1024;
/** The fields of a JSON record that a user cannot set. */
export const RESERVED_FIELDS = ['pid', 'startedAt', 'holdfast'];
// Deeper data breaks programs that print it.
const DEEPEST = 500;
const PAGE = 4096;
const HIGHEST_PID = 2 ** 31 - 1;
// Room for the fields that are not the user's: names, a date, identity, token.
const OWN_FIELDS = 1024;

/** Content of another program. */
export const FOREIGN: Content = { ours: false, token: 0, owner: null };

/** What a clean release leaves: the token, so that the next one can be larger. */
export function releasedContent(format: RecordFormat, token: number): string {
  return format === 'pid' ? '' : `{"holdfast":{"token":${token}}}\n`;
}

/** What every JSON record of this process begins with, and what precedes its token. */
export function recordFrame(): { head: string; tail: string } {
  const { pid, hostname, start, boot } = ownIdentity();
  return {
    head: `{"pid":${pid},"startedAt":"`,
    tail: `"holdfast":{"hostname":${JSON.stringify(hostname)},"start":"${start}","boot":"${boot}","token":`,
  };
}

/**
 * The record of this process; `data` is from {@link checkData}. The addon writes
 * the same: src-native/record-text.cc.
 */
export function heldContent(
  format: RecordFormat,
  since: number,
  token: number,
  data: string,
  member = false,
): string {
  if (format === 'pid') return `${ownIdentity().pid}\n`;
  const { head, tail } = recordFrame();
  const end = member ? ',"member":true}}\n' : '}}\n';
  return `${head}${new Date(since).toISOString()}",${data}${tail}${token}${end}`;
}

/**
 * The user's fields as members of a JSON object, each followed by a comma.
 * Refuses what JSON would silently drop or change, reserved names, and what
 * would not fit into a record.
 */
export function checkData(data: unknown, name = 'options.data'): string {
  if (data === undefined) return '';
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    throw argumentError('ERR_INVALID_ARG_TYPE', name, 'an object', data);
  }
  let text: string | undefined;
  try {
    text = JSON.stringify(data, refuseWhatJsonDrops);
  } catch (error) {
    throw notJson(name, error);
  }
  // An object with a toJSON method may have become anything.
  if (text?.[0] !== '{') {
    throw argumentError('ERR_INVALID_ARG_TYPE', name, 'an object', data);
  }
  const plain = JSON.parse(text);
  const reserved = RESERVED_FIELDS.find((key) => Object.hasOwn(plain, key));
  if (reserved !== undefined) {
    const rule = "without this field, which is Holdfast's own: choose another name";
    throw argumentError('ERR_INVALID_ARG_VALUE', `${name}.${reserved}`, rule, plain[reserved]);
  }
  if (nesting(text) > DEEPEST) {
    throw argumentError('ERR_INVALID_ARG_VALUE', name, `at most ${DEEPEST} levels deep`, data);
  }
  if (Buffer.byteLength(text) > RECORD_LIMIT - OWN_FIELDS) {
    throw argumentError(
      'ERR_OUT_OF_RANGE',
      name,
      `at most ${RECORD_LIMIT - OWN_FIELDS} bytes as JSON`,
      data,
    );
  }
  return text === '{}' ? '' : `${text.slice(1, -1)},`;
}

/** The reverse of {@link checkData}. */
export function parseData(members: string): object {
  return JSON.parse(`{${members.slice(0, -1)}}`);
}

/** An upper bound of its depth: brackets in strings count, too. */
function nesting(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const character of text) {
    if (character === '{' || character === '[') deepest = Math.max(deepest, ++depth);
    else if (character === '}' || character === ']') depth--;
  }
  return deepest;
}

/** A replacer of `JSON.stringify` that throws where it would leave something out. */
export function refuseWhatJsonDrops(this: unknown, key: string, value: unknown): unknown {
  // `value` is the result of toJSON: for an invalid date, null.
  const original = (this as Record<string, unknown>)[key];
  const bad =
    typeof value === 'function' ||
    typeof value === 'symbol' ||
    (typeof value === 'number' && !Number.isFinite(value)) ||
    value instanceof Map ||
    value instanceof Set ||
    (original instanceof Date && value === null) ||
    // It would become null; so would a hole.
    (value === undefined && Array.isArray(this));
  if (!bad) return value;
  const place = Array.isArray(this) ? `element ${key}` : key === '' ? 'it' : `'${key}'`;
  throw new TypeError(
    `${place} is ${original instanceof Date ? 'an invalid Date' : describe(value)}`,
  );
}

const TOKEN_ALONE = /^\{"holdfast":\{"token":(\d{1,16})\}\}\s*$/;
const RECORD_BEGINNING = /^\{"pid":\d{1,10},"startedAt":"\d{4}-[^"]{19}",/;
const BARE_PID = /^\s*(\d{1,10})\s*$/;

/** Parses a lock file. Never throws, never trusts. */
export function parseContent(text: string): Content {
  const alone = TOKEN_ALONE.exec(text);
  if (alone !== null) return { ours: true, token: Number(alone[1]), owner: null };
  if (/^\n*$/.test(text)) return { ours: true, token: 0, owner: null };
  const bare = BARE_PID.exec(text);
  if (bare !== null) return barePid(Number(bare[1]));
  if (text.length > RECORD_LIMIT || !text.startsWith('{') || nesting(text) > DEEPEST) {
    return FOREIGN;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return torn(text);
  }
  return fromJson(value as Record<string, unknown>);
}

/**
 * A write of several pages that a SIGKILL cut short between two of them. Its
 * beginning makes it ours; otherwise nobody could ever write into that file
 * again. A write of one page is never cut.
 */
function torn(text: string): Content {
  if (Buffer.byteLength(text) < PAGE) return FOREIGN;
  const end = text.indexOf('\n');
  if (end > 0 && end < text.length - 1) {
    // The new record is complete, and the rest of an old one follows it.
    const first = parseContent(text.slice(0, end));
    if (first.ours) return first;
  }
  return RECORD_BEGINNING.test(text) ? { ours: true, token: 0, owner: null } : FOREIGN;
}

function barePid(pid: number): Content {
  if (pid < 1 || pid > HIGHEST_PID) return FOREIGN;
  const nowhere = { hostname: '', start: '', boot: '' };
  return { ours: true, token: 0, owner: { pid, ...nowhere, since: null, data: {} } };
}

function fromJson(value: Record<string, unknown>): Content {
  const { pid, startedAt, holdfast, ...data } = value;
  if (typeof holdfast !== 'object' || holdfast === null) return FOREIGN;
  const { hostname, start, boot, token, member } = holdfast as Record<string, unknown>;
  if (typeof token !== 'number' || !Number.isInteger(token) || token < 0) return FOREIGN;
  if (pid === undefined && startedAt === undefined && Object.keys(data).length === 0) {
    return { ours: true, token, owner: null };
  }
  if (typeof pid !== 'number' || !Number.isInteger(pid) || pid < 1 || pid > HIGHEST_PID) {
    return FOREIGN;
  }
  if (typeof hostname !== 'string' || typeof start !== 'string' || typeof boot !== 'string') {
    return FOREIGN;
  }
  if (typeof startedAt !== 'string') return FOREIGN;
  const since = new Date(startedAt);
  if (Number.isNaN(since.getTime())) return FOREIGN;
  return {
    ours: true,
    token,
    owner: { pid, hostname, start, boot, since, data, ...(member === true && { member }) },
  };
}

/** The record as users see it; `null` if the file names no holder. */
export function toOwnerRecord<T extends object>(content: Content): OwnerRecord<T> | null {
  const { owner, token } = content;
  if (owner === null) return null;
  return {
    pid: owner.pid,
    since: owner.since,
    hostname: owner.hostname === '' ? null : owner.hostname,
    token,
    data: owner.data as Partial<T>,
    running: isRunning(owner),
  };
}
