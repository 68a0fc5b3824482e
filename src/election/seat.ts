import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../base/errno.js';
import { LockStateError, systemError } from '../base/errors.js';
import { readContent, whileOpen } from '../holders/lock-file.js';
import type { Content } from '../holders/owner-record.js';
import { FileLock, internalsOf } from '../lock/file-lock.js';
import { IS_DIRECTORY, IS_READ_ONLY, SHARED } from '../native/binding.js';
import { contentOf, whileOpenIfAllowed } from './open.js';

/** The one file that all members queue for. No id begins with a dot. */
export const SEAT = '.primary';

/**
 * Throws if this member could never be primary, because `.primary` is not a
 * regular file, has other content, or cannot be written by this user. It may be
 * missing. {@link acquireSeat} checks the same later, under the lock.
 */
export function checkSeat(directory: string): void {
  const path = join(directory, SEAT);
  whileOpen(path, ({ native, id }) => {
    const traits = native.traits(id);
    if ((traits & IS_DIRECTORY) !== 0) throw unusable(path, 'it is a folder');
    if (readContent(path)?.ours === false) throw unusable(path, 'it has other content');
    if ((traits & IS_READ_ONLY) !== 0) throw unwritable(path);
  });
}

/** Waits in the queue for the seat, which stores the term of this member. */
export async function acquireSeat(
  directory: string,
  id: string,
  signal: AbortSignal,
): Promise<FileLock<object>> {
  const path = join(directory, SEAT);
  return checkStored(await FileLock.acquire<object>(path, { ...seatOptions(id), signal }));
}

/** The same without waiting; `null` if the seat is taken. */
export function tryAcquireSeat(directory: string, id: string): FileLock<object> | null {
  const seat = FileLock.tryAcquire<object>(join(directory, SEAT), seatOptions(id));
  return seat === null ? null : checkStored(seat);
}

function seatOptions(id: string): {
  data: { id: string };
  record: 'json';
  permissions: number;
} {
  // All users who may create files in the folder can be members, as far as the
  // umask allows. A primary that cannot write could not store its term.
  return { data: { id }, record: 'json', permissions: 0o666 };
}

/**
 * A primary that could only read `.primary` would take its term from the clock.
 * The next one's clock may be behind, so the term would not be a fencing token.
 */
function checkStored(seat: FileLock<object>): FileLock<object> {
  if (internalsOf(seat as FileLock).record !== null) return seat;
  seat.releaseSync();
  throw unwritable(seat.path);
}

function unwritable(path: string): Error {
  if (isOnReadOnlyMount(path)) {
    const reason =
      'its file system is read-only, so no term can be stored in it: use a folder that can be written';
    return systemError(errnoOf('EROFS'), 'open', path, reason);
  }
  const reason =
    "this user cannot write it, so no term can be stored in it: give it the permissions of its folder, or use a folder of this user's own";
  return systemError(errnoOf('EACCES'), 'open', path, reason);
}

function isOnReadOnlyMount(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EROFS';
  }
}

function unusable(path: string, reason: string): LockStateError {
  const message = `${path} cannot be the seat of an election: ${reason}, which is left alone; use another folder`;
  return new LockStateError(path, message);
}

export function isTaken(directory: string): boolean {
  return contentOfSeat(directory) !== null;
}

/** The id in the record of the seat, if the seat is taken. */
export function primaryId(directory: string): string | null {
  const data = contentOfSeat(directory)?.owner?.data;
  const named = (data as { id?: unknown } | undefined)?.id;
  return typeof named === 'string' ? named : null;
}

/**
 * `null` if the seat is free or missing. Takes a shared lock for microseconds,
 * and changes nothing.
 */
function contentOfSeat(directory: string): Content | null {
  return whileOpenIfAllowed(join(directory, SEAT), (file) =>
    file.tryLock(SHARED) ? null : contentOf(file),
  );
}
