import { randomBytes } from 'node:crypto';
import { throwIfAborted } from '../base/abort.js';
import { errnoOf } from '../base/errno.js';
import { LockStateError, LockUnsupportedError, systemError } from '../base/errors.js';
import type { Holder } from '../base/holder.js';
import { type FilePath, joinPath, parentOf, pathText } from '../base/paths.js';
import { LockFile, openExisting } from '../holders/lock-file.js';
import { type Content, heldContent, toOwnerRecord } from '../holders/owner-record.js';
import { nextToken } from '../holders/token.js';
import { holderOf } from '../holders/who-holds.js';
import { FileLock, lockOf } from '../lock/file-lock.js';
import { type Hold, holdOf } from '../lock/hold.js';
import { recordHold } from '../lock/hold-record.js';
import { checkRequest, type FileLockOptions, type Request } from '../lock/options.js';
import {
  confirmForce,
  type Forced,
  type ForceOptions,
  MOST_ROUNDS,
  type Refuse,
} from './confirm.js';

/**
 * Acquires even though `asked` holds the lock. Nothing can take a lock away from
 * a living process: this replaces the file at the path with a new, locked one.
 *
 * When two steal at the same time, the second finds a holder that it has not
 * asked about: it is refused, or asks again.
 */
export async function steal(
  path: FilePath,
  options: FileLockOptions<object>,
  asked: Holder<object> | null,
  force: ForceOptions<never>,
  refuse: Refuse,
): Promise<Forced> {
  const request = checkRequest(path, options, 0);
  let target = asked;
  const confirmTarget = (): Promise<void> =>
    confirmForce(target === null ? [] : [target], force, refuse, options.signal);
  await confirmTarget();
  for (let round = 0; round < MOST_ROUNDS; round++) {
    throwIfAborted(options.signal);
    const free = FileLock.tryAcquire(path, options);
    if (free !== null) return { lock: free, expected: false };
    const old = openExisting(path);
    if (old === null) continue;
    try {
      const holder = holderOf<object>(path);
      if (!isSame(holder, target)) {
        if (force.confirm === undefined) throw refuse(holder);
        target = holder;
        await confirmTarget();
        continue;
      }
      const lock = replace(request, old);
      if (lock !== null) return { lock, expected: true };
    } finally {
      old.close();
    }
  }
  throw refuse(holderOf(path));
}

function isSame(one: Holder<object> | null, other: Holder<object> | null): boolean {
  return one?.pid === other?.pid && one?.since?.getTime() === other?.since?.getTime();
}

/** Returns `null` if the path leads to another file by now. */
function replace(request: Request, old: LockFile): FileLock<object> | null {
  const { native, path, permissions } = request;
  if (old.size() < 0) return null;
  const before = old.read();
  if (!before.ours) {
    throw new LockStateError(
      path,
      `${pathText(path)} has content that is not a lock record, so it is not replaced`,
    );
  }
  const format = request.record === false ? 'json' : request.record;
  const since = Date.now();
  // Not derived from the lock file's name, which may already have the greatest
  // length.
  const name = `.holdfast-${process.pid}-${randomBytes(6).toString('hex')}`;
  const text = heldContent(format, since, nextToken(before.token, path), request.dataText);
  const id = native.replace(old.id, joinPath(parentOf(path), name), permissions, text);
  if (id === -errnoOf('ESTALE')) return null;
  if (id === -errnoOf('ENOTSUP')) {
    throw new LockUnsupportedError(
      path,
      `the lock of ${pathText(path)} cannot be stolen safely on its file system`,
      systemError(-id, 'fcntl', path),
    );
  }
  if (id < 0) throw systemError(-id, CANNOT_WRITE.includes(-id) ? 'write' : 'rename', path);
  const file = new LockFile(native, id, path);
  try {
    // The old holder's token is final only now: until the rename, the old file
    // could still get another holder with a larger one.
    const last = lastContent(old, before);
    const hold: Hold = {
      ...holdOf(request, file),
      format,
      token: nextToken(last.token, path),
      previous: toOwnerRecord<object>(last),
    };
    native.compare(id);
    if (!request.keepFile) file.removeAtEnd();
    recordHold(hold, before, { data: request.dataText, since, strict: true });
    if (file.size() >= 0) return lockOf(request, hold) as FileLock<object>;
  } catch (error) {
    file.close();
    throw error;
  }
  // Another process has stolen the lock from this one.
  file.close();
  return null;
}

/**
 * The path already leads to our file, so do not fail if the old one cannot be
 * read any more: the clock makes a later token larger in all cases but one.
 */
function lastContent(old: LockFile, before: Content): Content {
  try {
    return old.read();
  } catch {
    return before;
  }
}

const CANNOT_WRITE = (['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO'] as const).map(errnoOf);
