import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  argumentError,
  checkBoolean,
  checkFunction,
  checkInteger,
  checkMilliseconds,
  checkOptions,
  checkPath,
  checkSignal,
  optionNames,
} from './arguments.js';
import { LockLostError } from './errors.js';
import { type FileLock, fileLocker, type HeldLock, type Locker } from './file-lock.js';
import { makeFolders } from './folders.js';
import { printable } from './holder.js';
import { whileHeld } from './with-lock.js';

export interface NextIdOptions {
  /**
   * Finds the id in the name of an entry of the directory: its first group.
   * Default: the last run of digits. Names that do not match have no id.
   */
  pattern?: RegExp | undefined;
  /** The ids in use, where they are not in the names of the directory's entries. */
  scan?: (() => Iterable<number> | AsyncIterable<number> | Promise<Iterable<number>>) | undefined;
  /** Of the lock file, inside the directory. Default `'.next-id.lock'`. */
  lockName?: string | undefined;
  /** Milliseconds to wait for the lock, 0 to Infinity. Default 30,000. */
  timeout?: number | undefined;
  /**
   * Default `false`: no id is given out twice, even after its entry was
   * deleted. `true`: the smallest that no entry has.
   */
  reuse?: boolean | undefined;
  /** The first id. Default 1. */
  start?: number | undefined;
  /** Where the lock comes from. Default `fileLocker()`; for tests `memoryLocker()`. */
  locker?: Locker | undefined;
  /** Ends the wait for the lock, and is handed on to `create`. */
  signal?: AbortSignal | undefined;
}

const NEXT_ID_OPTIONS = optionNames<NextIdOptions>({
  pattern: true,
  scan: true,
  lockName: true,
  timeout: true,
  reuse: true,
  start: true,
  locker: true,
  signal: true,
});

export interface CreateContext {
  /** That of the options, or one that is never aborted. */
  signal: AbortSignal;
  /** The locked descriptor, to hand down to a child whose work is to be waited for. */
  fd?: number;
}

export type Create<T> = (id: number, context: CreateContext) => T | Promise<T>;

const LOCK_NAME = '.next-id.lock';
const TIMEOUT_MILLISECONDS = 30_000;
const COUNTER = '.last';
const LONGEST_NAME = 255;
const NONE = -1;

/**
 * Calls `create` with the next id of a directory, one process at a time: the
 * lock is held while it looks which ids there are, chooses, and creates.
 *
 * An id counts as given out once `create` has resolved, or an entry carries
 * it: a process that is killed half-way leaves no hole. If `create` throws,
 * its error comes through unchanged, and the id is free unless an entry with
 * it has appeared. The last id is kept in a file beside the lock,
 * `{lockName}.last`; the larger of it and what is there wins.
 *
 * What is not promised: an entry that was deleted before any next call after
 * its creator was killed leaves no trace; programs that make entries without
 * this lock are only seen afterwards.
 *
 * Rejects with `ERR_LOCK_TIMEOUT` (`ERR_LOCK_HELD` with `timeout: 0`), which names
 * the holder; `signal.reason`; `ERR_OUT_OF_RANGE` where the ids are used up;
 * `ERR_LOCK_LOST` if the lock file was replaced meanwhile, for then another
 * process may have been given the same id; system and argument errors.
 */
export function withNextId<T>(
  directory: string | URL,
  create: Create<T>,
): Promise<{ id: number; value: T }>;
export function withNextId<T>(
  directory: string | URL,
  options: NextIdOptions,
  create: Create<T>,
): Promise<{ id: number; value: T }>;
export async function withNextId<T>(
  directory: string | URL,
  ...rest: [Create<T>] | [NextIdOptions | undefined, Create<T>]
): Promise<{ id: number; value: T }> {
  const [options, create] = rest.length === 1 ? [undefined, rest[0]] : rest;
  const request = check(directory, options);
  if (typeof create !== 'function') {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'create', 'a function', create);
  }
  const { locker, lock: path, timeout, signal } = request;
  if (signal?.aborted === true) throw signal.reason;
  const lock = await locker.acquire(path, { timeout, signal });
  return whileHeld(lock, path, () => {
    // A locker without files has made none.
    makeFolders(request.directory);
    return giveOut(request, lock, create);
  });
}

interface Request {
  directory: string;
  lock: string;
  lockName: string;
  pattern: RegExp | undefined;
  scan: NextIdOptions['scan'];
  timeout: number;
  reuse: boolean;
  start: number;
  locker: Locker;
  signal: AbortSignal | undefined;
}

function check(path: unknown, options: NextIdOptions | undefined): Request {
  const checked = checkOptions(options, NEXT_ID_OPTIONS);
  const { pattern, lockName = LOCK_NAME, start, locker = fileLocker() } = checked;
  const directory = checkPath(path, 'directory');
  if (typeof locker?.acquire !== 'function') {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'options.locker', 'a Locker', locker);
  }
  return {
    directory,
    lock: join(directory, checkName(lockName)),
    lockName,
    pattern: checkPattern(pattern),
    scan: checkFunction(checked.scan, 'options.scan'),
    timeout: checkMilliseconds(checked.timeout, 'options.timeout', TIMEOUT_MILLISECONDS),
    reuse: checkBoolean(checked.reuse, 'options.reuse', false),
    start:
      start === undefined ? 1 : checkInteger(start, 'options.start', 0, Number.MAX_SAFE_INTEGER),
    locker,
    signal: checkSignal(checked.signal),
  };
}

/** Of its own: one with the flag g remembers where it was. */
function checkPattern(pattern: unknown): RegExp | undefined {
  if (pattern === undefined) return undefined;
  if (!(pattern instanceof RegExp)) {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'options.pattern', 'a RegExp', pattern);
  }
  const groups = new RegExp(`${pattern.source}|`, pattern.flags).exec('') as RegExpExecArray;
  if (groups.length > 1) return new RegExp(pattern);
  const rule = 'with a group around the id, as in /task-(\\d+)/';
  throw argumentError('ERR_INVALID_ARG_VALUE', 'options.pattern', rule, String(pattern));
}

function checkName(name: unknown): string {
  if (typeof name !== 'string') {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'options.lockName', 'a string', name);
  }
  const isName = name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);
  if (!isName || Buffer.byteLength(name + COUNTER) > LONGEST_NAME) {
    const rule =
      "the name of a file in the directory, without '/' and NUL and of at most 250 bytes";
    throw argumentError('ERR_INVALID_ARG_VALUE', 'options.lockName', rule, name);
  }
  return name;
}

async function giveOut<T>(
  request: Request,
  lock: HeldLock,
  create: Create<T>,
): Promise<{ id: number; value: T }> {
  const counter = readCounter(request);
  const used = await usedIds(request);
  const id = choose(request, used, counter);
  const signal = request.signal ?? new AbortController().signal;
  if (signal.aborted) throw signal.reason;
  let value: T;
  try {
    value = await create(id, { signal, ...(lock.fd !== undefined && { fd: lock.fd }) });
  } catch (error) {
    await countWhatAppeared(request, id, counter);
    throw error;
  }
  if ((lock as Partial<FileLock>).isCurrent?.() === false) {
    const message = `${request.lock} was removed or replaced while id ${id} was given out: it may have been given out twice`;
    throw new LockLostError(request.lock, message);
  }
  writeCounter(request, Math.max(id, counter));
  return { id, value };
}

/** `create` has failed: whatever happens here must not hide why. */
async function countWhatAppeared(request: Request, id: number, counter: number): Promise<void> {
  try {
    const used = await usedIds(request);
    if (used.has(id)) writeCounter(request, Math.max(id, counter));
  } catch (error) {
    warn(`that id ${id} was given out could not be noted: ${(error as Error).message}`);
  }
}

function choose({ reuse, start, directory }: Request, used: Set<number>, counter: number): number {
  let id = start;
  if (reuse) while (used.has(id)) id++;
  else for (const each of [...used, counter]) if (each >= id) id = each + 1;
  if (id <= Number.MAX_SAFE_INTEGER) return id;
  const error = new RangeError(`there is no id left above ${id - 1} in ${directory}`);
  throw Object.assign(error, { code: 'ERR_OUT_OF_RANGE', path: directory });
}

async function usedIds(request: Request): Promise<Set<number>> {
  const { directory, lockName, pattern, scan } = request;
  const ids = new Set<number>();
  if (scan !== undefined) {
    const given = (await scan()) as Iterable<number> | AsyncIterable<number> | undefined;
    const isList = Symbol.iterator in Object(given) || Symbol.asyncIterator in Object(given);
    if (!isList) {
      throw argumentError('ERR_INVALID_ARG_TYPE', 'what scan() gives', 'iterable', given);
    }
    for await (const id of given as AsyncIterable<number>) {
      ids.add(checkInteger(id, 'an id of scan()', 0, Number.MAX_SAFE_INTEGER));
    }
    return ids;
  }
  for (const name of readdirSync(directory)) {
    if (name.startsWith(lockName)) continue;
    const text = idIn(name, pattern);
    if (text === undefined) continue;
    const id = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(id)) ids.add(id);
    else warn(`${printable(join(directory, name))} is ignored: '${printable(text)}' is no id`);
  }
  return ids;
}

function idIn(name: string, pattern: RegExp | undefined): string | undefined {
  if (pattern === undefined) return /(\d+)\D*$/.exec(name)?.[1];
  // One with the flag g would go on where it found the last.
  pattern.lastIndex = 0;
  const match = pattern.exec(name);
  return match === null ? undefined : match[1];
}

/** `NONE` where there is none, or it cannot be understood: what is there counts then. */
function readCounter({ lock }: Request): number {
  let text: string;
  try {
    // Whatever it is, nobody is to wait for it.
    const fd = openSync(lock + COUNTER, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      text = readFileSync(fd, 'latin1');
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NONE;
    throw error;
  }
  const last = /^\d+\s*$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(last)) return last;
  warn(`${lock}${COUNTER} is ignored: it has no number in it`);
  return NONE;
}

/** By one rename: whoever is killed meanwhile leaves the old one. */
function writeCounter({ lock }: Request, last: number): void {
  // No longer than the counter's, and not scanned either.
  const temporary = `${lock}.new`;
  try {
    // Not through a link that somebody has put there.
    rmSync(temporary, { force: true, recursive: true });
    const fd = openSync(temporary, 'wx', 0o666);
    try {
      writeSync(fd, `${last}\n`);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, lock + COUNTER);
  } catch (error) {
    try {
      rmSync(temporary, { force: true });
    } catch {
      // The first error tells more; the next call removes it.
    }
    throw error;
  }
}

function warn(message: string): void {
  process.emitWarning(message, { type: 'HoldfastWarning', code: 'HOLDFAST_ID_IGNORED' });
}
