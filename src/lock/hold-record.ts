import { LockLostError, LockStateError } from '../base/errors.js';
import { pathText } from '../base/paths.js';
import { emitHoldfastWarning } from '../base/warning.js';
import type { LockFile } from '../holders/lock-file.js';
import { type Content, heldContent, releasedContent } from '../holders/owner-record.js';
import { isOwn } from '../holders/running-process.js';
import { nextToken } from '../holders/token.js';
import type { Hold } from './hold.js';

export interface Recording {
  /** From `checkData`. */
  data: string;
  /** Guards against a process that hands the record over at this moment. Default: false. */
  guarded?: boolean;
  /** Default: now. */
  since?: number;
  /** A disk that takes no record is an error, whatever the caller asked for. */
  strict?: boolean;
}

/**
 * Records this process as the holder. False, and nothing is written, if no record
 * is wanted, or the file has other content or must not be written. `hold` already
 * has its token.
 */
export function recordHold(hold: Hold, content: Content, recording: Recording): boolean {
  const { file, format } = hold;
  if (format === false || !content.ours || file.isFixed) return false;
  hold.record = format;
  hold.since = recording.since ?? Date.now();
  try {
    writeRecord(hold, recording);
  } catch (error) {
    if (recording.strict === true) throw error;
    goOnWithout(hold, error as NodeJS.ErrnoException);
    hold.record = null;
  }
  return true;
}

/** After an upgrade: the token grows and the record is written, as on acquiring. */
export function recordUpgrade(hold: Hold, data: string): void {
  const { file } = hold;
  const content = file.read(file.size());
  hold.token = nextToken(content.token, file.path);
  recordHold(hold, content, { data });
}

// The errors of a disk that cannot be written now.
const UNWRITABLE = ['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EROFS'];

/**
 * A full disk does not prevent the lock: otherwise the job that makes room could
 * not run. Throws if the caller asked for the record, and throws every other
 * error.
 */
export function goOnWithout(hold: Hold, error: NodeJS.ErrnoException): void {
  if (hold.required || !UNWRITABLE.includes(error.code ?? '')) throw error;
  emitHoldfastWarning(
    'HOLDFAST_NO_RECORD',
    `The record in ${pathText(hold.file.path)} is not up to date: ${error.message}`,
    "The lock is held all the same. With record: 'json' this is an error.",
  );
}

/** Writes the record again; without one, does nothing. */
export function writeRecord(hold: Hold, { data, guarded = false }: Recording): void {
  const { file, record, token, since, member } = hold;
  if (record === null) return;
  if (record === 'json' && data !== '' && !hold.public) refuseForeignOwner(file);
  const text = heldContent(record, since, token, data, member);
  file.write({ text, left: releasedContent(record, token), guarded });
}

/**
 * In a folder like /tmp anybody may create a file in advance, with rights that
 * let all write. Its owner can read what is written there, so the user's own
 * fields are not written. Any user of this machine can see the rest of a record.
 */
function refuseForeignOwner({ native, id, path }: LockFile): void {
  const self = process.geteuid?.();
  if (self === undefined) return;
  const uid = native.owner(id);
  if (uid === self || uid === 0) return;
  throw new LockStateError(
    path,
    `no data is written into ${pathText(path)}: it belongs to user ${uid}, who could read it; use a folder that is not open to others, or, for data that anybody may read, permissions: 0o644`,
  );
}

/** Throws if a process that was handed the lock has released it or taken it over. */
export function checkOwnRecord({ file, token }: Hold): void {
  const path = pathText(file.path);
  const { ours, owner, token: stored } = file.read(file.size());
  if (ours && (owner === null || (isOwn(owner) && stored === token))) return;
  const what = owner === null ? 'content of another program' : `the record of pid ${owner.pid}`;
  throw new LockLostError(path, `${path} now has ${what}`);
}

export function checkCurrent({ file }: Hold): void {
  if (file.size() < 0) throw file.lost();
}
