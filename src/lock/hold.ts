import { errnoOf } from '../base/errno.js';
import { flockError, LockStateError, openError, systemError } from '../base/errors.js';
import { makeFolders } from '../base/make-folders.js';
import { parentOf, pathText } from '../base/paths.js';
import { LockFile } from '../holders/lock-file.js';
import {
  type OwnerRecord,
  type RecordFormat,
  recordFrame,
  toOwnerRecord,
} from '../holders/owner-record.js';
import { isWhole, ownIdentity } from '../holders/process-identity.js';
import { nextToken } from '../holders/token.js';
import {
  CONTENT,
  ID,
  type NativeBinding,
  NOT_BEGUN,
  OPENED,
  REFUSED,
  REPLACED,
  SINCE,
  SIZE,
  TAKE_STEPS,
  TAKEN,
  TOKEN,
  TRAITS,
} from '../native/binding.js';
import { results } from '../native/load.js';
import { goOnWithout, recordHold } from './hold-record.js';
import { OTHERS_MAY_READ, type Request } from './options.js';

/** A lock that is held. */
export interface Hold {
  readonly file: LockFile;
  token: number;
  previous: OwnerRecord<object> | null;
  /** What is in the file; `null`: nothing of ours. */
  record: RecordFormat | null;
  /** What an exclusive hold writes. */
  readonly format: RecordFormat | false;
  /** When the record was first written. */
  since: number;
  /** The record names a member of an election. */
  readonly member: boolean;
  /** The caller asked for the record by name, or for fields in it. */
  readonly required: boolean;
  /** Anybody may read the fields: `permissions` make a new file readable by all. */
  readonly public: boolean;
}

/** Nothing is written yet. */
export function holdOf(request: Request, file: LockFile): Hold {
  return {
    file,
    token: 0,
    previous: null,
    record: null,
    format: request.record,
    since: 0,
    member: request.member,
    required: request.recordWanted || request.dataText !== '',
    public: (request.permissions & OTHERS_MAY_READ) !== 0,
  };
}

const FOLDER_TRIES = 10;

/**
 * Opens the file and takes its lock if it is free, in one call of the addon: most
 * locks are free. Otherwise it returns the open file: somebody has the lock, or
 * the file is remote and no attempt was made. `null`: the path leads elsewhere by
 * now. Creates missing folders; others may remove them before the next try.
 */
export function takeFree(request: Request): Hold | LockFile | null {
  const { native, path, permissions, create, wish, dataText, record } = request;
  if (record === 'json') identify(native);
  const data = dataText === '' ? undefined : dataText;
  for (let tries = 0; ; tries++) {
    const status = native.take(path, create ? permissions : -1, wish, data);
    if (status === REPLACED) return null;
    if (status >= 0) {
      const file = new LockFile(native, results[ID] as number, path, results[TRAITS]);
      if (status === REFUSED || status === OPENED) return file;
      const hold = holdOf(request, file);
      return goOn(request, hold, status) ? hold : null;
    }
    const isMissing = status === -errnoOf('ENOENT');
    if (!isMissing || tries === FOLDER_TRIES || !create) throw openError(-status, path);
    makeFolders(parentOf(path));
  }
}

export function isHold(taken: Hold | LockFile | null): taken is Hold {
  return taken !== null && !(taken instanceof LockFile);
}

let identified = false;

function identify(native: NativeBinding): void {
  if (identified) return;
  const { head, tail } = recordFrame();
  identified = native.identify(head, tail) && isWhole(ownIdentity());
}

/**
 * Call when the lock is granted: compares path and descriptor and writes the
 * record. False, and the descriptor is closed, when the path leads elsewhere:
 *   1. We open the file at the path.
 *   2. Its holder, or anyone else, unlinks it or renames another file onto the
 *      path.
 *   3. We are granted the lock of a file that nobody else will ever open.
 *   4. Somebody else opens the new file and is granted its lock.
 *
 * `begun`: the status, if the addon has called `begin` already.
 */
export function beginHold(request: Request, hold: Hold, begun = NOT_BEGUN): boolean {
  const status = begun === NOT_BEGUN ? begin(request, hold.file.id) : begun;
  return status !== REPLACED && goOn(request, hold, status);
}

function begin({ native, wish, dataText, record }: Request, id: number): number {
  if (record === 'json') identify(native);
  return native.begin(id, wish, dataText === '' ? undefined : dataText);
}

/** Goes on where the addon stopped; `status` is the result of `take` or `begin`. */
function goOn(request: Request, hold: Hold, status: number): boolean {
  hold.token = results[TOKEN] as number;
  hold.since = results[SINCE] as number;
  if (hold.since !== 0) hold.record = hold.format === false ? null : hold.format;
  if (status === TAKEN) return true;
  try {
    const current = status === CONTENT ? holdFile(request, hold) : goOnAfter(hold, request, status);
    if (!current) hold.file.close();
    return current;
  } catch (error) {
    hold.file.close();
    throw error;
  }
}

/** The rest, after a step that failed. Only the record may fail. */
function goOnAfter(hold: Hold, request: Request, status: number): boolean {
  const { file } = hold;
  const step = TAKE_STEPS[status >> 12] ?? 'flock';
  const errno = status & 4095;
  if (step === 'flock') throw flockError(errno, file.path);
  const error = systemError(errno, step, file.path);
  if (step !== 'write') throw error;
  goOnWithout(hold, error);
  hold.record = null;
  if (!request.keepFile) file.removeAtEnd();
  return file.size() >= 0;
}

/** Content that the addon does not know. False: the path leads elsewhere. */
function holdFile(request: Request, hold: Hold): boolean {
  const { mode, keepFile } = request;
  const { file } = hold;
  const size = results[SIZE] as number;
  hold.since = 0;
  hold.record = null;
  if (request.record === false || file.isDirectory) {
    if (file.isDirectory && request.recordWanted) throw noRecord(file, 'it is a directory');
    if (!keepFile && size === 0 && !file.isFixed) file.removeAtEnd();
    hold.token = mode === 'shared' ? 0 : nextToken(0, file.path);
    return true;
  }
  const content = file.read(size);
  hold.previous = toOwnerRecord<object>(content);
  // Before any change: a file whose token cannot grow is not removed.
  hold.token = mode === 'shared' ? content.token : nextToken(content.token, file.path);
  const removes = !keepFile && content.ours && !file.isFixed;
  if (mode === 'shared') {
    if (removes) file.removeAtEnd();
    return true;
  }
  if (!content.ours && request.recordWanted) {
    throw noRecord(file, 'it has content that is not a lock record, which is left alone');
  }
  if (!recordHold(hold, content, { data: request.dataText })) return true;
  // Not earlier: a call that is refused leaves the file as it was.
  if (removes) file.removeAtEnd();
  // Compare once more, after the record is in the file. Compared only before, a
  // newcomer might read an old token there.
  return file.size() >= 0;
}

function noRecord({ path }: LockFile, reason: string): LockStateError {
  return new LockStateError(path, `no record can be written into ${pathText(path)}: ${reason}`);
}
