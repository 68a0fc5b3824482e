import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkMilliseconds,
  checkOneOf,
  checkOptions,
  checkPath,
  checkSignal,
} from './arguments.js';
import {
  EXCLUSIVE,
  IS_DIRECTORY,
  IS_READ_ONLY,
  IS_REMOTE,
  loadBinding,
  type NativeBinding,
  SHARED,
} from './binding.js';
import {
  errnoOf,
  LockHeldError,
  LockLostError,
  LockStateError,
  LockTimeoutError,
  openError,
  systemError,
} from './errors.js';
import type { Holder } from './holder.js';
import {
  type Content,
  checkData,
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
import {
  attempt,
  attemptHere,
  attemptSync,
  Deadline,
  deadlineOf,
  type Outcome,
  sleep,
  sleepSync,
  type Wait,
  waitForLock,
  waitForLockSync,
} from './waiting.js';
import { holderOf } from './who-holds.js';

export type LockMode = 'exclusive' | 'shared';

export interface AcquireOptions<T extends object = Record<never, never>> {
  /**
   * How long to wait, in milliseconds, 0 to Infinity. Default: Infinity for
   * `acquire`, 0 for `acquireSync`. 0 fails at once, with `ERR_LOCK_HELD`;
   * a longer one fails with `ERR_LOCK_TIMEOUT`, never early.
   */
  timeout?: number;
  /**
   * Ends the wait: rejects with `signal.reason`, unchanged. A grant that comes
   * at the same moment is given back. `acquireSync` looks at it once, before
   * it waits.
   */
  signal?: AbortSignal;
  /**
   * Called once, when it turns out that the lock has to be waited for, with
   * the holder where it can be told. What it throws ends the wait.
   */
  onWait?: (holder: Holder<T> | null) => void;
  /**
   * Poll instead of waiting in the kernel, at most this many milliseconds
   * apart (jittered, from 1 ms on doubling up to it). Default: wait in the
   * kernel; where that is not possible, poll every 50 ms.
   */
  pollInterval?: number;
}

export interface FileLockOptions<T extends object = Record<never, never>>
  extends AcquireOptions<T> {
  /** Default `'exclusive'`. Any number of shared holders exclude an exclusive one. */
  mode?: LockMode;
  /**
   * Of a file that is created, before umask. Default `0o600`: whoever may open
   * a lock file may hold its lock for ever.
   */
  permissions?: number;
  /**
   * What an exclusive holder writes into the file. Default `'json'` where the
   * file is Holdfast's own (empty, a record, a bare pid), else nothing. Asked
   * for on another file it is `ERR_LOCK_STATE`.
   */
  record?: RecordFormat | false;
  /**
   * The user's own fields of a JSON record; where none is written, they are
   * not. Reserved: `pid`, `startedAt`, `holdfast`.
   */
  data?: T;
  /**
   * Default `true`. `false` removes the file on release; never one that is not
   * Holdfast's own. Not where programs that do not compare path and descriptor
   * (flock(1), cargo) share the file: they would end up locking nothing.
   */
  keepFile?: boolean;
}

/** A checked call. */
export interface Request {
  native: NativeBinding;
  path: string;
  mode: LockMode;
  permissions: number;
  record: RecordFormat | false;
  /** The record was asked for by name. */
  recordWanted: boolean;
  /** From {@link checkData}. */
  dataText: string;
  keepFile: boolean;
  timeout: number;
  signal: AbortSignal | undefined;
  onWait: ((holder: Holder<never> | null) => void) | undefined;
  pollInterval: number | undefined;
}

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

// Somebody's probe holds the lock for microseconds; it is to refuse nobody.
const SECOND_TRY_MILLISECONDS = 1;
// A file that is replaced at every look is not worth a busy loop.
const ROUNDS_WITHOUT_PAUSE = 3;
const LONGEST_PAUSE_MILLISECONDS = 50;
const FOLDER_TRIES = 10;
// What is never written into, nor removed.
const FIXED = IS_DIRECTORY | IS_READ_ONLY;

export function checkRequest(
  path: unknown,
  options: FileLockOptions<object> | undefined,
  defaultTimeout: number,
): Request {
  const checked = checkOptions(options);
  const { permissions, pollInterval, record, signal, onWait } = checked;
  const keepFile = checkBoolean(checked.keepFile, 'options.keepFile', true);
  const lockPath = checkPath(path);
  const request: Request = {
    native: undefined as never,
    path: lockPath,
    mode: checkOneOf(checked.mode, 'options.mode', ['exclusive', 'shared'] as const, 'exclusive'),
    permissions:
      permissions === undefined
        ? 0o600
        : checkInteger(permissions, 'options.permissions', 0, 0o7777),
    record: checkOneOf(record, 'options.record', ['json', 'pid', false] as const, 'json'),
    recordWanted: record === 'json' || record === 'pid',
    dataText: checkData(checked.data),
    keepFile,
    timeout: checkMilliseconds(checked.timeout, 'options.timeout', defaultTimeout),
    signal: checkSignal(signal),
    onWait: checkFunction(onWait, 'options.onWait') as Request['onWait'],
    pollInterval:
      pollInterval === undefined
        ? undefined
        : checkInteger(pollInterval, 'options.pollInterval', 1, 2 ** 31 - 1),
  };
  // Only a call that is right in itself needs the addon.
  request.native = loadBinding(lockPath);
  return request;
}

/** Waits without taking this thread. */
export async function acquire(request: Request): Promise<Held> {
  if (request.signal?.aborted === true) throw request.signal.reason;
  const deadline = new Deadline(request.timeout);
  let announced = false;
  for (let round = 0; ; round++) {
    const wait = openFor(request, deadline);
    let outcome = wait.remote ? await attempt(wait) : attemptHere(wait);
    if (outcome === 'refused' && request.timeout === 0) {
      await sleep(SECOND_TRY_MILLISECONDS, undefined);
      outcome = await attempt(wait);
    }
    if (outcome === 'refused') {
      announced = prepareToWait(request, wait, announced);
      outcome = await waitForLock(wait);
    }
    const held = outcome === 'granted' ? settle(request, wait.id) : null;
    if (held !== null) return held;
    const pause = beforeNextRound(request, deadline, outcome, round);
    if (pause > 0) await sleep(pause, request.signal);
  }
}

/** The same, taking this thread for as long as it waits. */
export function acquireSync(request: Request): Held {
  if (request.signal?.aborted === true) throw request.signal.reason;
  const deadline = new Deadline(request.timeout);
  let announced = false;
  for (let round = 0; ; round++) {
    const wait = openFor(request, deadline);
    let outcome = attemptSync(wait);
    if (outcome === 'refused' && request.timeout === 0) {
      sleepSync(SECOND_TRY_MILLISECONDS);
      outcome = attemptSync(wait);
    }
    if (outcome === 'refused') {
      refuseToWaitForItself(request, wait);
      announced = prepareToWait(request, wait, announced);
      outcome = waitForLockSync(wait);
    }
    const held = outcome === 'granted' ? settle(request, wait.id) : null;
    if (held !== null) return held;
    const pause = beforeNextRound(request, deadline, outcome, round);
    if (pause > 0) sleepSync(pause);
  }
}

/** Without waiting, and without the search for the holder: `null` if refused. */
export function tryAcquire(request: Request): Held | null {
  const deadline = new Deadline(0);
  for (let round = 0; round <= ROUNDS_WITHOUT_PAUSE; round++) {
    const wait = openFor(request, deadline);
    let outcome = attemptSync(wait);
    if (outcome === 'refused') {
      sleepSync(SECOND_TRY_MILLISECONDS);
      outcome = attemptSync(wait);
    }
    if (outcome === 'refused') request.native.release(wait.id);
    if (outcome === 'refused' || outcome === 'timeout') return null;
    const held = outcome === 'granted' ? settle(request, wait.id) : null;
    if (held !== null) return held;
  }
  return null;
}

function openFor(request: Request, deadline: Deadline): Wait {
  const { native, path, mode, signal, pollInterval } = request;
  const id = openLockFile(request);
  const remote = (native.traits(id) & IS_REMOTE) !== 0;
  const until = deadline.remaining === 0 ? deadlineOf(0, remote) : deadline;
  return {
    native,
    id,
    mode: nativeMode(mode),
    path,
    remote,
    deadline: until,
    signal,
    pollInterval,
  };
}

export function nativeMode(mode: LockMode): typeof EXCLUSIVE | typeof SHARED {
  return mode === 'exclusive' ? EXCLUSIVE : SHARED;
}

/** Missing folders are made; somebody may remove them again in between. */
function openLockFile({ native, path, permissions }: Request): number {
  for (let tries = 0; ; tries++) {
    const id = native.open(path, permissions);
    if (id > 0) return id;
    if (id !== -MISSING || tries === FOLDER_TRIES) throw openError(-id, path);
    makeFolders(dirname(path));
  }
}

function makeFolders(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    // Node says so of a file system that is read-only: mkdir(2) knows better.
    let missing = folder;
    while (!existsSync(dirname(missing))) missing = dirname(missing);
    mkdirSync(missing);
  }
}

/** Throws the refusal of a call that is not to wait. */
function prepareToWait(request: Request, wait: Wait, announced: boolean): true {
  const { native, path, onWait, timeout } = request;
  if (timeout === 0) {
    native.release(wait.id);
    throw new LockHeldError(path, holderOf(path));
  }
  if (!announced && onWait !== undefined) {
    try {
      onWait(holderOf(path));
    } catch (error) {
      native.release(wait.id);
      throw error;
    }
  }
  return true;
}

/**
 * A synchronous wait for what only this thread can bring about would never
 * end. With a wait of its own pending, it is the kernel that would wait for
 * it: it grants the earlier wait, whose JavaScript cannot run any more.
 */
function refuseToWaitForItself(request: Request, wait: Wait): void {
  if (request.timeout === 0 || !request.native.blockedByItself(wait.id, wait.mode)) return;
  request.native.release(wait.id);
  throw new LockStateError(
    request.path,
    `${request.path} is held or waited for by this very thread, so a synchronous wait for it would never end; use acquire(), or release it first`,
  );
}

/** How long to pause before the next round; throws where there is to be none. */
function beforeNextRound(
  request: Request,
  deadline: Deadline,
  outcome: Outcome | 'refused',
  round: number,
): number {
  const { path, timeout } = request;
  const pause =
    round < ROUNDS_WITHOUT_PAUSE
      ? 0
      : Math.min(2 ** (round - ROUNDS_WITHOUT_PAUSE), LONGEST_PAUSE_MILLISECONDS);
  if (timeout === 0) {
    if (outcome === 'timeout' || pause > 0) throw new LockHeldError(path, holderOf(path));
    return 0;
  }
  if (outcome === 'timeout' || deadline.remaining === 0) {
    throw new LockTimeoutError(path, holderOf(path), timeout);
  }
  return Math.min(pause, deadline.remaining);
}

/**
 * With the lock granted: is it the right file's, and what is to be written
 * into it? `null`, and the descriptor closed, when the path leads elsewhere:
 *   1. We open the file at the path.
 *   2. Its holder, or anybody, unlinks it or renames another onto the path.
 *   3. We are granted the lock of a file that nobody else will ever open.
 *   4. Somebody else opens the new file and is granted that.
 */
function settle(request: Request, id: number): Held | null {
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

function noRecord(path: string, reason: string): LockStateError {
  return new LockStateError(path, `no record can be written into ${path}: ${reason}`);
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
  if (errno === STALE)
    throw new LockLostError(path, `${path} is no longer the file that is locked`);
  throw systemError(errno, 'write', path);
}
