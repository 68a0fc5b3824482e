import { join } from 'node:path';
import { errnoOf, flockError, LockStateError, openError, systemError } from '../base/errors.js';
import { parseContent } from '../holders/owner-record.js';
import { readContent } from '../holders/who-holds.js';
import { FileLock, internalsOf } from '../lock/file-lock.js';
import { IS_DIRECTORY, IS_READ_ONLY, loadBinding, SHARED } from '../native/binding.js';
import { canPass } from './troubles.js';

/** The one file that all members queue for. Begins with a dot, as no id does. */
export const SEAT = '.primary';

const MISSING = errnoOf('ENOENT');

/**
 * Throws where this member could never be primary: `.primary` is no regular
 * file, has other content, or cannot be written by this user. A missing one is
 * good. Later, {@link acquireSeat} finds the same out under the lock.
 */
export function checkSeat(directory: string): void {
  const path = join(directory, SEAT);
  const native = loadBinding(path);
  const id = native.open(path, -1);
  if (id === -MISSING) return;
  if (id < 0) throw openError(-id, path);
  try {
    const traits = native.traits(id);
    if ((traits & IS_DIRECTORY) !== 0) throw unusable(path, 'it is a folder');
    if (readContent(path)?.ours === false) throw unusable(path, 'it has other content');
    if ((traits & IS_READ_ONLY) !== 0) throw unwritable(path);
  } finally {
    native.release(id);
  }
}

/** Waits in the queue. The seat of a member, whose term is stored in it. */
export async function acquireSeat(
  directory: string,
  id: string,
  signal: AbortSignal,
): Promise<FileLock<object>> {
  const path = join(directory, SEAT);
  return checkStored(await FileLock.acquire<object>(path, { ...seatOptions(id), signal }));
}

/** The same without waiting; `null` where somebody has it. */
export function tryAcquireSeat(directory: string, id: string): FileLock<object> | null {
  const seat = FileLock.tryAcquire<object>(join(directory, SEAT), seatOptions(id));
  return seat === null ? null : checkStored(seat);
}

function seatOptions(id: string): {
  data: { id: string };
  record: 'json';
  permissions: number;
} {
  // For all who may make files in the folder, as far as the umask allows: a
  // primary that cannot write could not store its term.
  return { data: { id }, record: 'json', permissions: 0o666 };
}

/**
 * A primary that only reads `.primary` would have the clock as its term, and
 * so might the next one, whose clock is behind: no fencing token.
 */
function checkStored(seat: FileLock<object>): FileLock<object> {
  if (internalsOf(seat as FileLock).record !== null) return seat;
  seat.releaseSync();
  throw unwritable(seat.path);
}

function unwritable(path: string): Error {
  const error = systemError(errnoOf('EACCES'), 'open', path);
  error.message = `EACCES: ${path} cannot be written by this user, so no term can be stored in it: give it the permissions of its folder, or use a folder of this user's own`;
  return error;
}

function unusable(path: string, reason: string): LockStateError {
  const message = `${path} cannot be the seat of an election: ${reason}, which is left alone; use another folder`;
  return new LockStateError(path, message);
}

/** Whether somebody holds the seat. */
export function isTaken(directory: string): boolean {
  return contentOfSeat(directory) !== null;
}

/** Whom the record in the seat names, if it is taken. */
export function primaryId(directory: string): string | null {
  const content = contentOfSeat(directory);
  const data = content === null ? undefined : parseContent(content).owner?.data;
  const named = (data as { id?: unknown } | undefined)?.id;
  return typeof named === 'string' ? named : null;
}

/**
 * `null` where the seat is free, or is none. Looks with a shared lock, for
 * microseconds, and changes nothing.
 */
function contentOfSeat(directory: string): string | null {
  const path = join(directory, SEAT);
  const native = loadBinding(path);
  const id = native.open(path, -1);
  if (id < 0) {
    const error = openError(-id, path);
    if (-id !== MISSING && canPass(error)) throw error;
    return null;
  }
  const errno = native.tryLock(id, SHARED);
  const content = errno === 0 ? '' : native.read(id);
  native.release(id);
  if (errno === 0) return null;
  if (errno !== errnoOf('EWOULDBLOCK')) throw flockError(errno, path);
  return typeof content === 'string' ? content : '';
}
