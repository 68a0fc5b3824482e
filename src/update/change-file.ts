import { existsSync, fchmodSync, fstatSync, type Stats } from 'node:fs';
import { anyOf, throwIfAborted } from '../base/abort.js';
import { argumentError } from '../base/argument-errors.js';
import { LockLostError, LockStateError } from '../base/errors.js';
import { type FilePath, parentOf, pathText } from '../base/paths.js';
import { monotonicTime } from '../base/timers.js';
import { LockFile } from '../holders/lock-file.js';
import { FileLock, internalsOf } from '../lock/file-lock.js';
import { Deadline } from '../lock/wait.js';
import { whileHeld } from '../lock/with-lock.js';
import { LockContent } from './lock-content.js';
import type { Request } from './options.js';
import { isChowned, replaceFile } from './replace-file.js';
import { resolveTarget } from './resolve-target.js';
import { checkWritable, readOldFile } from './target-file.js';

/** What `fn` gets besides the content. */
export interface UpdateContext {
  /** Aborted with the signal of the options, and when the lock is lost. */
  readonly signal: AbortSignal;
}

/** Returns the new content; `undefined`: unchanged. It must not modify `old`. */
export type Decide = (
  old: Buffer | undefined,
  context: UpdateContext,
) => Promise<Buffer | undefined>;

const GROUP_AND_OTHERS = 0o066;
const LONGEST_PATIENCE_MILLISECONDS = 10_000;

/** Resolves to what is in the file now. */
export async function changeFile(request: Request, decide: Decide): Promise<Buffer | undefined> {
  const { path, timeout, signal, onWait } = request;
  throwIfAborted(signal);
  const target = resolveTarget(path);
  const lockPath = request.lockPath ?? withEnding(target.path);
  if (Buffer.from(lockPath).equals(Buffer.from(target.path))) throw sameFile(target.path);
  // Do not change a lock file that the caller named and that existed before.
  const mayShare = request.lockPath === undefined || !existsSync(lockPath);
  const mode = target.stats?.mode ?? request.permissions;
  const deadline = new Deadline(timeout);
  const lock = await FileLock.acquire(lockPath, {
    record: false,
    // Those who may change the file may take its lock.
    permissions: 0o600 | (mode & GROUP_AND_OTHERS),
    timeout,
    signal,
    onWait,
  });
  const change = (): Promise<Buffer | undefined> =>
    changeLocked(lock, { ...request, path: target.path, mayShare }, deadline, decide);
  return whileHeld([{ lock, path: lock.path }], change);
}

function withEnding(path: FilePath): FilePath {
  const ending = '.lock';
  return typeof path === 'string' ? path + ending : Buffer.concat([path, Buffer.from(ending)]);
}

async function changeLocked(
  lock: FileLock,
  request: Request & { mayShare: boolean },
  deadline: Deadline,
  decide: Decide,
): Promise<Buffer | undefined> {
  const { path, signal, durable, permissions, mayShare } = request;
  const { native, id, file } = internalsOf(lock);
  const lockFile = new LockFile(native, id, file);
  if (lockFile.isDirectory) throw folderInTheWay(lock.path);
  const lockContent = new LockContent(lockFile);
  const old = await readOldFile(path);
  if (old !== null) checkOther(lock, path, old.stats);
  lockContent.removeLeftover(parentOf(path), old?.stats ?? null);
  if (old !== null && mayShare) shareLockFile(lock, old.stats);
  throwIfAborted(signal);
  const next = await decide(old?.bytes, contextOf(lock, signal));
  if (next === undefined || old?.bytes.equals(next) === true) return old?.bytes;
  if (old !== null) checkWritable(path);
  const checkBeforeRename = (): void => {
    throwIfAborted(signal);
    if (!lock.isCurrent()) throw lostMeanwhile(lock.path, path);
  };
  // Check before anything is written, too.
  checkBeforeRename();
  const patience = (): number => Math.min(deadline.remaining, waitsUntil - monotonicTime());
  const waitsUntil = monotonicTime() + LONGEST_PATIENCE_MILLISECONDS;
  const stats = old?.stats ?? null;
  const replacement = { path, bytes: next, old: stats, permissions, durable };
  await replaceFile({ ...replacement, lockContent, checkBeforeRename, patience });
  return next;
}

function contextOf(lock: FileLock, signal: AbortSignal | undefined): UpdateContext {
  let either: AbortSignal | undefined;
  return {
    // Created when it is read: from then on, the path of the lock is watched.
    get signal() {
      either ??= anyOf(signal === undefined ? [lock.signal] : [signal, lock.signal]);
      return either;
    },
  };
}

/**
 * Gives a lock file of this user the rights that the other users of the file
 * need: umask may have taken them away, its group is that of the process that
 * created it, and the file's permissions may have changed since. If root created
 * it, it is given to the file's owner.
 */
function shareLockFile({ fd }: FileLock, target: Stats): void {
  // There is none on Windows.
  if (fd < 0) return;
  const own = fstatSync(fd);
  // An empty file with a single name cannot be a link to something else.
  const isOurs = own.uid === process.geteuid?.() && own.size === 0 && own.nlink === 1;
  if (!isOurs) return;
  if (own.uid !== target.uid || own.gid !== target.gid) {
    const isPrivate = own.uid === target.uid && (target.mode & 0o060) === 0;
    if (!isPrivate && !isChowned(fd, target.uid, target.gid)) isChowned(fd, own.uid, target.gid);
  }
  const mode = own.mode | (target.mode & GROUP_AND_OTHERS);
  if (mode !== own.mode) fchmodSync(fd, mode & 0o777);
}

/** The same file under another name, such as a hard link. */
function checkOther({ fd }: FileLock, path: FilePath, target: Stats): void {
  if (fd < 0) return;
  const { dev, ino } = fstatSync(fd);
  if (dev === target.dev && ino === target.ino) throw sameFile(path);
}

function sameFile(path: FilePath): TypeError | RangeError {
  const rule = 'another file than the one that is updated, which a rename replaces';
  return argumentError('ERR_INVALID_ARG_VALUE', 'options.lockPath', rule, pathText(path));
}

function folderInTheWay(path: string): LockStateError {
  const message = `${path} is a folder, perhaps a lock of proper-lockfile, which this lock would not exclude: change all programs that update the file together, then remove the folder, or set "lockPath"`;
  return new LockStateError(path, message);
}

function lostMeanwhile(lockPath: string, path: FilePath): LockLostError {
  const message = `${lockPath} was removed or replaced while the callback ran, so ${pathText(path)} was not written: another update may have run beside it; do not remove lock files`;
  return new LockLostError(lockPath, message);
}
