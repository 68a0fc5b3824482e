import { existsSync, readdirSync } from 'node:fs';
import { anyOf, throwIfAborted } from '../base/abort.js';
import { argumentError } from '../base/argument-errors.js';
import { checkInteger } from '../base/arguments.js';
import { isLockError, LockLostError } from '../base/errors.js';
import { printable } from '../base/holder.js';
import type { HeldLock } from '../base/locker.js';
import { makeFolders } from '../base/make-folders.js';
import { type FilePath, joinPath, pathText } from '../base/paths.js';
import { OWN_PREFIX } from '../base/temporary-name.js';
import { emitHoldfastWarning } from '../base/warning.js';
import { acquireInTurn, besideEachOther } from '../lock/in-turn.js';
import { checkRequest, type FileLockOptions } from '../lock/options.js';
import { whileHeld } from '../lock/with-lock.js';
import { type PreparedCounter, prepareCounter, raiseCounter, readCounter } from './counter.js';
import { idsInNames, padded, type UsedIds } from './ids-in-names.js';
import { checkNextId, type NextIdOptions, type Request } from './options.js';

/** What `create` gets besides the id. */
export interface CreateContext {
  /** The id padded to the width of the others: `'0004'`. */
  text: string;
  /** Aborted with the signal of the options, and when a lock is lost. */
  readonly signal: AbortSignal;
  /** The locked descriptor, to hand down to a child whose work the lock must cover. */
  fd?: number;
  /** The descriptors of all directories, with `with` several: a child needs each. */
  fds: readonly number[];
}

/**
 * Creates the entry with this id. If it throws, the id is free unless an entry
 * with it has appeared.
 */
export type Create<T> = (id: number, context: CreateContext) => T | Promise<T>;

/** The id that was given out. */
export interface NextId<T> {
  /** An integer from `start` on, at most `Number.MAX_SAFE_INTEGER`. */
  id: number;
  /** The id padded to the width of the others: `'0004'`. */
  text: string;
  /** What `create` returned. */
  value: T;
}

/**
 * Calls `create` with the next id of a directory, in one process at a time: the
 * lock is held while the ids in use are read, one is chosen, and `create` runs.
 *
 * An id counts as given out once `create` has resolved, or an entry has it: a
 * process that is killed halfway leaves no hole. If `create` throws, its error is
 * passed on unchanged, and the id is free unless an entry with it has appeared.
 * The last id is kept in a file beside the lock, `{lockName}.last`; the next id
 * is larger than that one and than every id in use.
 *
 * Not promised: if the creator of an entry is killed and the entry is deleted
 * before the next call, its id is given out again. Entries that programs create
 * without this lock are seen only afterwards.
 *
 * Rejects with `ERR_LOCK_TIMEOUT` (`ERR_LOCK_HELD` with `timeout: 0`), which names
 * the holder; `ERR_ID_AMBIGUOUS` if the names do not say which number is the id;
 * `ERR_ID_COUNTER` if a file that is not a counter has the counter's name;
 * `signal.reason`; `ERR_OUT_OF_RANGE` if the ids are used up; `ERR_LOCK_LOST` if
 * a lock was lost in the meantime (its file was replaced, the session with its
 * server ended), because another process may have got the same id; system and
 * argument errors.
 */
export function withNextId<T>(
  directory: string | Buffer | URL,
  create: Create<T>,
): Promise<NextId<T>>;
export function withNextId<T>(
  directory: string | Buffer | URL,
  options: NextIdOptions,
  create: Create<T>,
): Promise<NextId<T>>;
export async function withNextId<T>(
  directory: string | Buffer | URL,
  ...rest: [Create<T>] | [NextIdOptions | undefined, Create<T>]
): Promise<NextId<T>> {
  const [options, create] = rest.length === 1 ? [undefined, rest[0]] : rest;
  return giveNextId(directory, options, create);
}

type Acquire = (
  path: FilePath,
  options: Pick<FileLockOptions, 'timeout' | 'signal'>,
) => Promise<HeldLock>;

function fileAcquire(): Acquire {
  const acquire = besideEachOther();
  return (path, given) => acquire(checkRequest(path, given, Number.POSITIVE_INFINITY));
}

/** For the command, whose locks are closed without unlocking them. */
export async function giveNextId<T>(
  directory: unknown,
  options: NextIdOptions | undefined,
  create: Create<T>,
  acquire: Acquire = fileAcquire(),
): Promise<NextId<T>> {
  const request = checkNextId(directory, options);
  if (typeof create !== 'function') {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'create', 'a function', create);
  }
  const { locker, signal } = request;
  throwIfAborted(signal);
  if (!existsSync(request.directory)) makeFolders(request.directory);
  const folders = [request.directory, ...request.others];
  const paths = folders.map((folder) => joinPath(folder, request.lockName));
  // With a locker, the paths have been checked to be text.
  const acquireOne: Acquire =
    locker === undefined ? acquire : (path, given) => locker.acquire(pathText(path), given);
  const { inTurn } = await acquireInTurn(
    paths,
    { timeout: request.timeout, creates: false },
    (at, timeout) => acquireOne(paths[at] as FilePath, { timeout, signal }),
  );
  const locks = inTurn.map((each) => ({ ...each, folder: folders[each.at] as FilePath }));
  return whileHeld(locks, () => giveOut(request, locks, create));
}

interface Locked {
  folder: FilePath;
  /** The path of its lock file. */
  path: string;
  lock: HeldLock;
}

async function giveOut<T>(
  request: Request,
  locks: Locked[],
  create: Create<T>,
): Promise<NextId<T>> {
  const { directory, lockName, pad } = request;
  const folders = locks.map(({ folder }) => folder);
  // First, because a file that is not a counter ends the call.
  const counters = folders.map((folder) => readCounter(folder, lockName));
  const used = await usedIds(request, folders);
  const id = choose(request, used.ids, counters);
  const text = padded(id, pad ?? used.width);
  throwIfAborted(request.signal);
  const fd = locks.find(({ folder }) => folder === directory)?.lock.fd;
  const fds = locks.flatMap(({ lock }) => lock.fd ?? []);
  let signal: AbortSignal | undefined;
  const signals = (): AbortSignal[] =>
    [request, ...locks.map(({ lock }) => lock)].flatMap((each) => each.signal ?? []);
  const context: CreateContext = {
    text,
    // Created when it is read: from then on, the paths of file locks are watched.
    get signal() {
      signal ??= anyOf(signals());
      return signal;
    },
    fds,
    ...(fd !== undefined && { fd }),
  };
  const prepared: PreparedCounter[] = [];
  let value: T;
  try {
    // Before `create`: an id that cannot be counted must not be used.
    for (const folder of folders) prepared.push(prepareCounter(folder, lockName, id));
    value = await create(id, context);
  } catch (error) {
    for (const each of prepared) each.discard();
    await countWhatAppeared(request, folders, id);
    throw error;
  }
  try {
    for (const each of locks) await checkStillHeld(each, id);
  } catch (error) {
    for (const each of prepared) each.discard();
    // A server that does not answer leaves open whether the lock is still held.
    if (!isLockError(error, 'ERR_LOCK_LOST')) await countWhatAppeared(request, folders, id);
    throw error;
  }
  for (const each of prepared) each.commit();
  return { id, text, value };
}

/** Rejects if another process may have got the same id. */
async function checkStillHeld({ lock, path }: Locked, id: number): Promise<void> {
  let cause: unknown;
  try {
    if (lock.isCurrent?.() !== false) return await lock.check?.();
  } catch (error) {
    if (!isLockError(error, 'ERR_LOCK_LOST')) throw error;
    cause = error;
  }
  const message = `${path} was lost while id ${id} was given out: it may have been given out twice`;
  throw new LockLostError(path, message, cause);
}

/** `create` has failed: no error from here may hide its error. */
async function countWhatAppeared(request: Request, folders: FilePath[], id: number): Promise<void> {
  try {
    const { ids } = await usedIds(request, folders);
    if (!ids.has(id)) return;
    for (const folder of folders) raiseCounter(folder, request.lockName, id);
  } catch (error) {
    warn(`could not record that id ${id} was given out: ${(error as Error).message}`);
  }
}

function choose(
  { reuse, start, directory }: Request,
  used: ReadonlySet<number>,
  counters: number[],
): number {
  let id = start;
  if (reuse) while (used.has(id)) id++;
  else for (const each of [...used, ...counters]) if (each >= id) id = each + 1;
  if (id <= Number.MAX_SAFE_INTEGER) return id;
  const path = pathText(directory);
  const error = new RangeError(`there is no id left above ${id - 1} in ${path}`);
  throw Object.assign(error, { code: 'ERR_OUT_OF_RANGE', path });
}

async function usedIds(request: Request, folders: FilePath[]): Promise<UsedIds> {
  const { directory, lockName, pattern, scan } = request;
  if (scan !== undefined) return { ids: await scannedIds(scan), width: 0 };
  // In a name that is not UTF-8, Node replaces only bytes beyond ASCII, and so
  // keeps the digits.
  const names = folders.flatMap((folder) => readdirSync(folder));
  const entries = names.filter(
    (name) => !name.startsWith(lockName) && !name.startsWith(OWN_PREFIX),
  );
  const places = folders.map((folder) => printable(pathText(folder))).join(', ');
  return idsInNames(entries, pattern, pathText(directory), (name, text) =>
    warn(`'${printable(name)}' in ${places} is ignored: '${printable(text)}' is not an id`),
  );
}

async function scannedIds(scan: NonNullable<Request['scan']>): Promise<Set<number>> {
  const given = (await scan()) as Iterable<number> | AsyncIterable<number> | undefined;
  const isList = Symbol.iterator in Object(given) || Symbol.asyncIterator in Object(given);
  if (!isList) {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'what scan() gives', 'iterable', given);
  }
  const ids = new Set<number>();
  for await (const id of given as AsyncIterable<number>) {
    ids.add(checkInteger(id, 'an id of scan()', 0, Number.MAX_SAFE_INTEGER));
  }
  return ids;
}

function warn(message: string): void {
  emitHoldfastWarning('HOLDFAST_ID_IGNORED', message);
}
