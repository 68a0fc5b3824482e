import { randomBytes } from 'node:crypto';
import { constants } from 'node:os';
import { clearInterval, setInterval } from 'node:timers';
import { onAbort } from '../base/abort.js';
import {
  errnoOf,
  isLockError,
  LockStateError,
  LockUnsupportedError,
  openError,
  systemError,
} from '../base/errors.js';
import type { Holder } from '../base/holder.js';
import { type FilePath, joinPath, parentOf, pathText } from '../base/paths.js';
import { walkAsync } from '../holders/kernel-tables.js';
import {
  type Content,
  FOREIGN,
  heldContent,
  nextToken,
  parseContent,
  toOwnerRecord,
} from '../holders/owner-record.js';
import { holderOf, readContent, viewKernel, whilePinned } from '../holders/who-holds.js';
import { FileLock, lockOf } from '../lock/file-lock.js';
import { comparePath, type Held, heldOf, writeRecord } from '../lock/hold.js';
import { checkRequest, type FileLockOptions, type Request } from '../lock/options.js';
import {
  cannotEnd,
  type Hold,
  isAlive,
  lockersOf,
  signalHolder,
  thoroughBudget,
  userThatTook,
} from './signal-holder.js';

/** What is to be done about a holder, and who has the last word. */
export interface ForceOptions<T extends object> {
  how: 'steal' | 'terminate';
  /** Milliseconds between SIGTERM and SIGKILL. */
  grace: number;
  /** Whose processes may be ended. */
  uid: number | undefined;
  confirm: ((holder: Holder<T>, all: Holder<T>[]) => boolean | Promise<boolean>) | undefined;
}

/** A lock, and whether what its last holder left is no surprise: it was forced. */
export interface Forced {
  lock: FileLock<object>;
  expected: boolean;
}

/** Makes the error for a refusal by this holder. */
export type Refuse = (holder: Holder<object> | null) => Error;

const ROUNDS = 20;
const NOBODY: Holder<never> = {
  pid: null,
  self: false,
  source: 'record',
  verified: false,
  inOtherContainer: false,
  since: null,
  command: null,
  hostname: null,
  data: null,
};

/** Throws the refusal where the answer is no, and `signal.reason` while there is none. */
async function askAbout(
  all: Holder<object>[],
  { confirm }: ForceOptions<never>,
  refuse: Refuse,
  signal: AbortSignal | undefined,
): Promise<void> {
  throwIfAborted(signal);
  if (confirm === undefined) return;
  const [holder = null] = all;
  let forget = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    forget = onAbort(signal, () => reject(signal?.reason));
  });
  try {
    const first = (holder ?? NOBODY) as Holder<never>;
    const answer = await Promise.race([confirm(first, all as Holder<never>[]), aborted]);
    throwIfAborted(signal);
    if (!answer) throw refuse(holder);
  } finally {
    forget();
  }
}

function listOf(holder: Holder<object> | null): Holder<object>[] {
  return holder === null ? [] : [holder];
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw signal.reason;
}

/**
 * A lock in spite of `asked`, who holds it. Nothing takes a lock from a living
 * process: this puts a new, locked file in the place of the one it holds.
 *
 * Of two that steal at once, the second finds a holder that nobody asked it
 * about: it is refused, or asks again.
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
  await askAbout(listOf(target), force, refuse, options.signal);
  for (let round = 0; round < ROUNDS; round++) {
    throwIfAborted(options.signal);
    const free = FileLock.tryAcquire(path, options);
    if (free !== null) return { lock: free, expected: false };
    const old = request.native.open(path, -1);
    if (old === -errnoOf('ENOENT')) continue;
    if (old < 0) throw openError(-old, path);
    try {
      const holder = holderOf<object>(path);
      if (!isSame(holder, target)) {
        if (force.confirm === undefined) throw refuse(holder);
        target = holder;
        await askAbout(listOf(target), force, refuse, options.signal);
        continue;
      }
      const lock = replace(request, old);
      if (lock !== null) return { lock, expected: true };
    } finally {
      request.native.release(old);
    }
  }
  throw refuse(holderOf(path));
}

function isSame(one: Holder<object> | null, other: Holder<object> | null): boolean {
  return one?.pid === other?.pid && one?.since?.getTime() === other?.since?.getTime();
}

/** `null`: the path leads to another file by now. */
function replace(request: Request, old: number): FileLock<object> | null {
  const { native, path, permissions } = request;
  if (comparePath(request, old) < 0) return null;
  const before = contentOf(request, old);
  if (!before.ours) {
    throw new LockStateError(
      path,
      `${pathText(path)} has content that is not a lock record: it is not replaced`,
    );
  }
  const format = request.record === false ? 'json' : request.record;
  const since = Date.now();
  // Not from the lock's own name, which may be as long as a name can be.
  const name = `.holdfast-${process.pid}-${randomBytes(6).toString('hex')}`;
  const text = heldContent(format, since, nextToken(before.token, path), request.dataText);
  const id = native.replace(old, joinPath(parentOf(path), name), permissions, text);
  if (id === -errnoOf('ESTALE')) return null;
  if (id === -errnoOf('ENOTSUP')) {
    throw new LockUnsupportedError(
      path,
      `the lock of ${pathText(path)} cannot be stolen safely on its file system`,
      systemError(-id, 'fcntl', path),
    );
  }
  if (id < 0) throw systemError(-id, NO_ROOM.includes(-id) ? 'write' : 'rename', path);
  try {
    // Only now is the old holder's token the last one: before the rename it
    // could still have been followed by another.
    const last = lastContent(request, old, before);
    const held: Held = {
      ...heldOf(request, id),
      token: nextToken(last.token, path),
      previous: toOwnerRecord<object>(last),
      record: format,
      format,
      since,
    };
    native.compare(id);
    if (!request.keepFile) native.removeAtEnd(id);
    writeRecord(request, held, request.dataText, false);
    if (comparePath(request, id) >= 0) return lockOf(request, held) as FileLock<object>;
  } catch (error) {
    native.release(id);
    throw error;
  }
  // Stolen in turn.
  native.release(id);
  return null;
}

/**
 * By now the path is ours, so a file that cannot be read any more is no reason
 * to fail: the clock makes a later token larger in any case but one.
 */
function lastContent(request: Request, old: number, before: Content): Content {
  try {
    return contentOf(request, old);
  } catch {
    return before;
  }
}

const NO_ROOM = (['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO'] as const).map(errnoOf);

/** What the opened file says, whatever the path leads to by now. */
function contentOf({ native, path }: Request, id: number): Content {
  const text = native.read(id);
  if (typeof text === 'string') return parseContent(text);
  if (-text === errnoOf('EISDIR')) return FOREIGN;
  throw systemError(-text, 'read', path);
}

/**
 * Asks all that share the hold to end, then makes them, and waits for the lock
 * itself. Only a process is signalled whose own descriptors were seen to have
 * the lock and that is of the user who took it, and nobody before all of them
 * may be; children that it was passed on to meanwhile count, whoever took the
 * lock anew is a refusal.
 */
export async function terminate(
  path: FilePath,
  options: FileLockOptions<object>,
  force: ForceOptions<never>,
  refuse: Refuse,
): Promise<Forced> {
  return whilePinned(path, (file) => {
    if (file === null) throw cannotEnd(path, null, 'the system does not tell who holds it');
    const user = force.uid ?? userThatTook(path, file);
    return end({ path, file, user, options, force, refuse });
  });
}

interface Ending extends Hold {
  options: FileLockOptions<object>;
  force: ForceOptions<never>;
  refuse: Refuse;
}

async function end(ending: Ending): Promise<Forced> {
  const { path, file, options, force, refuse } = ending;
  const first = await holdersNow(ending);
  if (first.length === 0) throw cannotEnd(path, holderOf(path), 'its holder is out of sight');
  for (const holder of first) {
    if (holder.self) throw cannotEnd(path, holder, 'this very process holds it');
    if (holder.pid === null || !holder.verified) {
      throw cannotEnd(path, holder, 'its holder could not be verified');
    }
    // Before anything is done: may all of them be signalled?
    signalHolder(ending, holder, 0);
  }
  const targets = new Set(first.map(({ pid }) => pid));
  const forced = (lock: FileLock<object>): Forced => {
    return { lock, expected: targets.has(lock.previous?.pid ?? null) };
  };
  const hold = lockersOf(file);
  await askAbout(first, force, refuse, options.signal);
  const asked = new Set<number | null>();
  for (let round = 0; round < ROUNDS; round++) {
    const free = FileLock.tryAcquire(path, options);
    if (free !== null) return forced(free);
    const now = await holdersNow(ending);
    // Nobody listened while that was looked up.
    throwIfAborted(options.signal);
    // Children that were started since share the hold that was asked about:
    // the kernel goes on naming the process that took it. Looked up after the
    // holders, and never taken for the same when nothing is seen.
    const lockers = [...lockersOf(file)];
    const same = lockers.length > 0 && lockers.every((pid) => hold.has(pid));
    if (same) for (const { pid, verified } of now) if (verified) targets.add(pid);
    const other =
      now.length > 0 ? now.find(({ pid }) => !targets.has(pid)) : holderOf<object>(path);
    if (other != null && !targets.has(other.pid)) throw refuse(other);
    let patience = now.length > 0 ? KILL_MILLISECONDS : LOOK_MILLISECONDS;
    for (const holder of now) {
      // Whoever was asked has had its time.
      const isAsked = asked.has(holder.pid);
      if (!isAsked) patience = force.grace;
      asked.add(holder.pid);
      signalHolder(ending, holder, constants.signals[isAsked ? 'SIGKILL' : 'SIGTERM']);
    }
    const lock = await acquireOrGone(path, options, now, patience);
    if (lock !== null) return forced(lock);
  }
  throw cannotEnd(path, holderOf(path), 'it does not end');
}

async function holdersNow({ path, file }: Ending): Promise<Holder<object>[]> {
  const budget = thoroughBudget();
  const view = await walkAsync(viewKernel(file, readContent(path), { everyHolder: true, budget }));
  const holders = view?.holders ?? [];
  if (!budget.cut) return holders;
  throw cannotEnd(path, holders[0] ?? null, 'there are too many processes to look through');
}

const KILL_MILLISECONDS = 5000;
const LOOK_MILLISECONDS = 50;

/** `null` when the time is up, or when all are gone and the lock is not free. */
async function acquireOrGone(
  path: FilePath,
  options: FileLockOptions<object>,
  holders: Holder<object>[],
  patience: number,
): Promise<FileLock<object> | null> {
  const controller = new AbortController();
  const gone = new Error('they are gone');
  const forget = onAbort(options.signal, () => controller.abort(options.signal?.reason));
  let looks = 0;
  const timer = setInterval(() => {
    // A child of theirs may hold; but first the kernel has to be done with them.
    const allGone = !holders.some(({ pid }) => isAlive(pid ?? 0));
    if (allGone && ++looks > 2) controller.abort(gone);
  }, LOOK_MILLISECONDS);
  try {
    const { signal } = controller;
    return await FileLock.acquire(path, { ...options, timeout: patience, signal });
  } catch (error) {
    if (
      error === gone ||
      isLockError(error, 'ERR_LOCK_TIMEOUT') ||
      isLockError(error, 'ERR_LOCK_HELD')
    ) {
      return null;
    }
    throw error;
  } finally {
    clearInterval(timer);
    forget();
  }
}
