import { IS_DIRECTORY, IS_READ_ONLY } from './binding.js';
import { errnoOf, LockLostError, LockStateError, systemError } from './errors.js';
import type { Request } from './options.js';
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
} from './owner-record.js';
import { type FilePath, pathText } from './paths.js';

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
}

const STALE = errnoOf('ESTALE');
const MISSING = errnoOf('ENOENT');
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
  const held: Held = {
    id,
    token: 0,
    previous: null,
    record: null,
    format: request.record,
    since: 0,
  };
  const directory = (traits & IS_DIRECTORY) !== 0;
  if (request.record === false || directory) {
    if (directory && request.recordWanted) throw noRecord(path, 'it is a directory');
    if (!request.keepFile && size === 0 && (traits & FIXED) === 0) native.removeAtEnd(id);
    held.token = mode === 'shared' ? 0 : nextToken(0);
    return held;
  }
  const content = readRecord(request, id, size);
  held.previous = toOwnerRecord<object>(content);
  if (!request.keepFile && content.ours && (traits & FIXED) === 0) native.removeAtEnd(id);
  if (mode === 'shared') {
    held.token = content.token;
    return held;
  }
  held.token = nextToken(content.token);
  if (!content.ours && request.recordWanted) {
    throw noRecord(path, 'it has content that is not a lock record, which is left alone');
  }
  if (!content.ours || (traits & IS_READ_ONLY) !== 0) return held;
  held.record = request.record;
  held.since = Date.now();
  writeRecord(request, held, request.dataText, false);
  // The record has to be in the file before it is clear that the file is the
  // one at the path, or a newcomer might read an old token there.
  return comparePath(request, id) < 0 ? null : held;
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

/** `guarded`: against a hand-over of the record by another process. */
export function writeRecord(
  { native, path }: Pick<Request, 'native' | 'path'>,
  held: Held,
  dataText: string,
  guarded: boolean,
): void {
  const format = held.record;
  if (format === null) return;
  const text = heldContent(format, held.since, held.token, dataText);
  const errno = native.write(held.id, text, releasedContent(format, held.token), guarded);
  if (errno === 0) return;
  // Guarded, it is opened by its path once more.
  if (errno === STALE || (guarded && errno === MISSING)) {
    throw new LockLostError(path, `${pathText(path)} is no longer the file that is locked`);
  }
  throw systemError(errno, 'write', path);
}
