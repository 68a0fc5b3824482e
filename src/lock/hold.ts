import { errnoOf, LockLostError, LockStateError, systemError } from '../base/errors.js';
import { type FilePath, pathText } from '../base/paths.js';
import { emitHoldfastWarning } from '../base/warning.js';
import {
  type Content,
  FOREIGN,
  heldContent,
  nextToken,
  type OwnerRecord,
  parseContent,
  RECORD_LIMIT,
  type RecordFormat,
  releasedContent,
  toOwnerRecord,
} from '../holders/owner-record.js';
import { IS_DIRECTORY, IS_READ_ONLY, type NativeBinding } from '../native/binding.js';
import type { Request } from './options.js';

/** A lock that is held. */
export interface Held {
  id: number;
  token: number;
  previous: OwnerRecord<object> | null;
  /** What is in the file; `null`: nothing of ours. */
  record: RecordFormat | null;
  /** What is to be there whenever the hold is exclusive. */
  format: RecordFormat | false;
  /** When the record was first written. */
  since: number;
  /** As in the request. */
  member?: boolean;
  /** The record, or fields in it, were asked for by name. */
  required: boolean;
  /** Anybody may read the fields: a file that is created is readable by all. */
  public: boolean;
}

/** Nothing is written yet. */
export function heldOf(request: Request, id: number): Held {
  return {
    id,
    token: 0,
    previous: null,
    record: null,
    format: request.record,
    since: 0,
    required: request.recordWanted || request.dataText !== '',
    public: (request.permissions & OTHERS_MAY_READ) !== 0,
    member: request.member,
  };
}

const STALE = errnoOf('ESTALE');
const MISSING = errnoOf('ENOENT');
// What a disk says that cannot be written to now.
const UNWRITABLE = ['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EROFS'];
const OTHERS_MAY_READ = 0o004;
// What is never written into, nor removed.
const FIXED = IS_DIRECTORY | IS_READ_ONLY;

/**
 * With the lock granted: is it the right file's, and what is to be written
 * into it? `null`, and the descriptor closed, when the path leads elsewhere:
 *   1. We open the file at the path.
 *   2. Its holder, or anybody, unlinks it or renames another onto the path.
 *   3. We are granted the lock of a file that nobody else will ever open.
 *   4. Somebody else opens the new file and is granted that.
 */
export function settle(request: Request, id: number): Held | null {
  const { native } = request;
  try {
    const size = comparePath(request, id);
    const held = size < 0 ? null : publish(request, id, size);
    if (held === null) native.release(id);
    return held;
  } catch (error) {
    native.release(id);
    throw error;
  }
}

/** The file's size; negative when the path leads elsewhere. */
export function comparePath(
  { native, path }: Pick<Request, 'native' | 'path'>,
  id: number,
): number {
  const size = native.compare(id);
  if (size < 0 && size !== -STALE) throw systemError(-size, 'stat', path);
  return size;
}

function publish(request: Request, id: number, size: number): Held | null {
  const { native, mode, path } = request;
  const traits = native.traits(id);
  const held = heldOf(request, id);
  const directory = (traits & IS_DIRECTORY) !== 0;
  if (request.record === false || directory) {
    if (directory && request.recordWanted) throw noRecord(path, 'it is a directory');
    if (!request.keepFile && size === 0 && (traits & FIXED) === 0) native.removeAtEnd(id);
    held.token = mode === 'shared' ? 0 : nextToken(0, path);
    return held;
  }
  const content = readRecord(request, id, size);
  held.previous = toOwnerRecord<object>(content);
  // First: where it cannot grow, nothing is removed that says so.
  held.token = mode === 'shared' ? content.token : nextToken(content.token, path);
  const removes = !request.keepFile && content.ours && (traits & FIXED) === 0;
  if (mode === 'shared') {
    if (removes) native.removeAtEnd(id);
    return held;
  }
  if (!content.ours && request.recordWanted) {
    throw noRecord(path, 'it has content that is not a lock record, which is left alone');
  }
  if (!content.ours || (traits & IS_READ_ONLY) !== 0) return held;
  held.record = request.record;
  held.since = Date.now();
  writeRecordIfPossible(request, held, request.dataText, false);
  // Not before: a call that is refused leaves the file as it was.
  if (removes) native.removeAtEnd(id);
  // The record has to be in the file before it is clear that the file is the
  // one at the path, or a newcomer might read an old token there.
  return comparePath(request, id) < 0 ? null : held;
}

/**
 * In a folder like /tmp anybody may make a file in advance, with rights that
 * let all write. What is written there its owner can read, so the user's own
 * fields are not; what else is in a record, any user of this machine can see.
 */
function refuseForeignOwner(native: NativeBinding, path: FilePath, { id }: Held): void {
  const self = process.geteuid?.();
  if (self === undefined) return;
  const uid = native.owner(id);
  if (uid === self || uid === 0) return;
  const file = pathText(path);
  throw new LockStateError(
    path,
    `no data is written into ${file}: it belongs to user ${uid}, who could read it; use a folder that is not open to others, or, for data that anybody may read, permissions: 0o644`,
  );
}

function noRecord(path: FilePath, reason: string): LockStateError {
  return new LockStateError(path, `no record can be written into ${pathText(path)}: ${reason}`);
}

/** What the file says; only ever read with its lock held. */
export function readRecord(
  request: Pick<Request, 'native' | 'path'>,
  id: number,
  size: number,
): Content {
  if (size === 0) return parseContent('');
  if (size > RECORD_LIMIT) return FOREIGN;
  const text = request.native.read(id);
  if (typeof text === 'number') throw systemError(-text, 'read', request.path);
  return parseContent(text);
}

/**
 * On acquiring: a disk that takes no record does not keep the lock from being
 * held, or the job that makes room could not run. Where the record was asked
 * for by name, it does.
 */
export function writeRecordIfPossible(
  request: Pick<Request, 'native' | 'path'>,
  held: Held,
  dataText: string,
  guarded: boolean,
): void {
  try {
    writeRecord(request, held, dataText, guarded);
  } catch (error) {
    goOnWithout(request.path, held, error as NodeJS.ErrnoException);
    held.record = null;
  }
}

/** Throws what is more than a record that nobody asked for. */
export function goOnWithout(path: FilePath, held: Held, error: NodeJS.ErrnoException): void {
  if (held.required || !UNWRITABLE.includes(error.code ?? '')) throw error;
  emitHoldfastWarning(
    'HOLDFAST_NO_RECORD',
    `The record in ${pathText(path)} is not up to date: ${error.message}`,
    "The lock is held all the same. With record: 'json' this is an error.",
  );
}

/** `guarded`: against a hand-over of the record by another process. */
export function writeRecord(
  { native, path }: Pick<Request, 'native' | 'path'>,
  held: Held,
  dataText: string,
  guarded: boolean,
): void {
  const format = held.record;
  if (format === null) return;
  if (format === 'json' && dataText !== '' && !held.public) refuseForeignOwner(native, path, held);
  const text = heldContent(format, held.since, held.token, dataText, held.member);
  const errno = native.write(held.id, text, releasedContent(format, held.token), guarded);
  if (errno === 0) return;
  // Guarded, it is opened by its path once more.
  if (errno === STALE || (guarded && errno === MISSING)) {
    throw new LockLostError(path, `${pathText(path)} is no longer the file that is locked`);
  }
  throw systemError(errno, 'write', path);
}
