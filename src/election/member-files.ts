import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { argumentError, isNameHere } from '../arguments.js';
import { EXCLUSIVE, loadBinding, SHARED } from '../binding.js';
import { errnoOf, systemError } from '../errors.js';
import { parseContent, toOwnerRecord } from '../owner-record.js';
import { isOwn } from '../process-identity.js';

export interface Member<T extends object = Record<string, unknown>> {
  id: string;
  /** `null` where its file does not tell. */
  pid: number | null;
  since: Date | null;
  /** It is in this very process (several members may be). */
  self: boolean;
  primary: boolean;
  data: Partial<T> | null;
}

export const SUFFIX = '.lock';
/** The one file that all members queue for. Begins with a dot, as no id does. */
export const SEAT = '.primary';
const LONGEST_NAME = 255;

/** An id, which becomes the name of a file. */
export function checkId(id: unknown): string {
  if (typeof id !== 'string') {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'options.id', 'a string', id);
  }
  if (isId(id) && !/\p{Surrogate}/u.test(id)) return id;
  const rule =
    "a name of whole characters, without '/' and NUL, that does not begin with '.', of at most 250 bytes";
  throw argumentError('ERR_INVALID_ARG_VALUE', 'options.id', rule, id);
}

function isId(id: string): boolean {
  if (id === '' || id.startsWith('.') || /[/\0]/.test(id) || !isNameHere(id)) return false;
  return Buffer.byteLength(id) <= LONGEST_NAME - SUFFIX.length;
}

export function fileOf(directory: string, id: string): string {
  return join(directory, `${id}${SUFFIX}`);
}

/** The living, in order of id. The files of the dead are removed. */
export function lookAtMembers<T extends object>(directory: string): Member<T>[] {
  const primary = primaryId(directory);
  const members: Member<T>[] = [];
  for (const id of idsIn(directory)) {
    const content = clearAway(fileOf(directory, id));
    if (content === null) continue;
    const parsed = parseContent(content);
    const record = toOwnerRecord<T>(parsed);
    members.push({
      id,
      pid: record?.pid ?? null,
      since: record?.since ?? null,
      self: parsed.owner !== null && isOwn(parsed.owner),
      primary: id === primary,
      data: record?.data ?? null,
    });
  }
  return members;
}

/** Of all files that may be those of members, alive or not. */
export function idsIn(directory: string): string[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return names
    .filter((name) => name.endsWith(SUFFIX))
    .map((name) => name.slice(0, -SUFFIX.length))
    .filter(isId)
    .sort();
}

const MISSING = errnoOf('ENOENT');
// Not a file that could be a member's.
const OTHER = [errnoOf('ELOOP'), errnoOf('ENXIO'), errnoOf('EACCES'), errnoOf('EPERM')];

/**
 * The content of a living member's file; of a dead one's the file is removed,
 * whatever it holds, and the answer is `null`:
 *   1. We get its lock, so nobody lives by it.
 *   2. Meanwhile its name may have gone to the file of somebody new.
 *   3. So the path is compared, and removed as every lock file is, guarded.
 */
export function clearAway(path: string): string | null {
  const native = loadBinding(path);
  if (!isRegular(path)) return null;
  const id = native.open(path, -1);
  if (id < 0) {
    if (-id === MISSING || OTHER.includes(-id)) return null;
    throw systemError(-id, 'open', path);
  }
  const errno = native.tryLock(id, EXCLUSIVE);
  if (errno === 0) {
    native.removeAtEnd(id);
    native.release(id);
    return null;
  }
  const content = native.read(id);
  native.release(id);
  if (errno !== errnoOf('EWOULDBLOCK')) throw systemError(errno, 'flock', path);
  return typeof content === 'string' ? content : '';
}

function isRegular(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** Whether somebody holds the seat. */
export function isTaken(directory: string): boolean {
  return contentOfSeat(directory) !== null;
}

/** Whom the record in the seat names, if it is taken. */
function primaryId(directory: string): string | null {
  const content = contentOfSeat(directory);
  const data = content === null ? undefined : parseContent(content).owner?.data;
  const named = (data as { id?: unknown } | undefined)?.id;
  return typeof named === 'string' ? named : null;
}

/** `null` where the seat is free. Looks with a shared lock, for microseconds. */
function contentOfSeat(directory: string): string | null {
  const path = join(directory, SEAT);
  const native = loadBinding(path);
  const id = native.open(path, -1);
  if (id < 0) {
    if (-id === MISSING) return null;
    throw systemError(-id, 'open', path);
  }
  const errno = native.tryLock(id, SHARED);
  const content = errno === 0 ? '' : native.read(id);
  native.release(id);
  if (errno === 0) return null;
  if (errno !== errnoOf('EWOULDBLOCK')) throw systemError(errno, 'flock', path);
  return typeof content === 'string' ? content : '';
}
