import { readlinkSync } from 'node:fs';
import {
  type AcquireOptions,
  acquire,
  acquireSync,
  checkRequest,
  comparePath,
  type FileLockOptions,
  type Held,
  type LockMode,
  nativeMode,
  type Request,
  readRecord,
  tryAcquire,
  writeRecord,
} from './acquire.js';
import { argumentError, checkInteger } from './arguments.js';
import {
  EXCLUSIVE,
  IS_DIRECTORY,
  IS_READ_ONLY,
  IS_REMOTE,
  loadBinding,
  type NativeBinding,
  RELEASE_STEPS,
  SHARED,
  UNLOCKED,
} from './binding.js';
import {
  errnoOf,
  flockError,
  LockHeldError,
  LockLostError,
  LockStateError,
  LockTimeoutError,
  openError,
  systemError,
} from './errors.js';
import { modeOfDescriptor, walkSync } from './lock-tables.js';
import { checkData, nextToken, type OwnerRecord, parseData } from './owner-record.js';
import { attempt, deadlineOf, waitForLock } from './waiting.js';
import { holderOf } from './who-holds.js';

/** A lock as those need it who only want something held and let go. */
export interface HeldLock extends AsyncDisposable {
  readonly token: number;
  readonly fd?: number;
  release(): Promise<void>;
}

/** Where locks come from: what a function takes that is to be tested with a fake. */
export interface Locker {
  acquire(path: string, options?: AcquireOptions<object>): Promise<HeldLock>;
}

// A lock that nobody can release any more stays held: it guards something
// that may still go on. That is a mistake worth hearing of.
const collected = new FinalizationRegistry<string>((path) => {
  process.emitWarning(
    `A FileLock of ${path} was garbage-collected while held; the lock stays held`,
    {
      type: 'HoldfastWarning',
      code: 'HOLDFAST_LOCK_COLLECTED',
      detail: 'Keep the FileLock and call release(), or use withLock() or "await using".',
    },
  );
});

// Most locks are released within a moment, and to watch one takes as long as a
// system call. So it is watched from when it has been held for a while; until
// then it is kept, and cannot be collected.
const UNWATCHED_MILLISECONDS = 100;
const taken = new Set<FileLock>();
let watching = false;

function watchTaken(): void {
  watching = false;
  for (const lock of taken) collected.register(lock, lock.path, lock);
  taken.clear();
}

function watch(lock: FileLock<never>): void {
  taken.add(lock as FileLock);
  if (watching) return;
  watching = true;
  setTimeout(watchTaken, UNWATCHED_MILLISECONDS).unref();
}

function unwatch(lock: FileLock<never>): void {
  if (!taken.delete(lock as FileLock)) collected.unregister(lock);
}

// For functions of this file that are not the users'.
let internalsOf: (lock: FileLock) => { native: NativeBinding; id: number };

/**
 * A lock on a file: flock(2). It exists only as long as it is held, like a
 * `FileHandle`. The kernel releases it when the process ends, however it ends.
 *
 * What it does not promise: it binds only programs that take the same lock;
 * it does not span machines; it is not fair in every case (docs/semantics.md).
 * A held lock does not keep the process alive, a pending wait does.
 */
export class FileLock<T extends object = Record<never, never>> implements HeldLock {
  /** Absolute, as of the call that acquired it. */
  readonly path: string;
  /** Left by a holder that did not release; `null` if the last one did. */
  readonly previous: OwnerRecord<T> | null;

  static {
    internalsOf = (lock) => ({ native: lock.#native, id: lock.#id });
  }

  readonly #native: NativeBinding;
  readonly #id: number;
  readonly #lock: Held;
  #mode: LockMode;
  #held = true;
  // As JSON: what the caller does to its object later changes nothing.
  #data: string;

  /** Only from within: use {@link FileLock.acquire} and its siblings. */
  private constructor(request: Request, lock: Held) {
    this.path = request.path;
    this.previous = lock.previous as OwnerRecord<T> | null;
    this.#native = request.native;
    this.#id = lock.id;
    this.#lock = lock;
    this.#mode = request.mode;
    this.#data = request.dataText;
    watch(this as unknown as FileLock<never>);
  }

  /**
   * Acquires the lock, waiting in the kernel for as long as `timeout` allows
   * (default: without end). Missing folders and the file are made.
   *
   * Rejects with `ERR_LOCK_HELD` (`timeout: 0`), `ERR_LOCK_TIMEOUT`,
   * `ERR_LOCK_UNSUPPORTED`, `ERR_LOCK_STATE` (a record asked for in a file that
   * is not Holdfast's), `signal.reason`, a system error as of `node:fs`
   * (`ELOOP`: a symlink, which is never followed), or an argument error.
   */
  static async acquire<T extends object = Record<never, never>>(
    path: string | URL,
    options?: FileLockOptions<T>,
  ): Promise<FileLock<T>> {
    const request = checkRequest(path, options, Number.POSITIVE_INFINITY);
    return new FileLock<T>(request, await acquire(request));
  }

  /**
   * The same, taking this thread while it waits; `timeout` is 0 by default.
   * Throws `ERR_LOCK_STATE` at once where it would wait for this thread itself.
   */
  static acquireSync<T extends object = Record<never, never>>(
    path: string | URL,
    options?: FileLockOptions<T>,
  ): FileLock<T> {
    const request = checkRequest(path, options, 0);
    return new FileLock<T>(request, acquireSync(request));
  }

  /**
   * Never waits: `null` where the lock is held. It looks twice within 2 ms, so
   * that a probe is not taken for a holder. Throws what `acquireSync` throws
   * for other reasons; `timeout`, `signal` and `onWait` have no effect.
   */
  static tryAcquire<T extends object = Record<never, never>>(
    path: string | URL,
    options?: FileLockOptions<T>,
  ): FileLock<T> | null {
    const request = checkRequest(path, options, 0);
    const held = tryAcquire(request);
    return held === null ? null : new FileLock<T>(request, held);
  }

  /**
   * Takes over a lock that a parent process handed down as descriptor `fd`
   * (through `stdio` of `spawn`); the mode is the descriptor's. The token is
   * that of the hold, the record becomes this process's. From then on the
   * descriptor is the lock's own; it is not inherited further.
   *
   * Throws `ERR_LOCK_STATE` if the descriptor has no lock or is a lock of this
   * process already, `ERR_LOCK_LOST` if the path leads to another file, `EBADF`.
   * After an error the descriptor is open as before.
   */
  static adopt<T extends object = Record<never, never>>(
    fd: number,
    path: string | URL,
    options?: FileLockOptions<T>,
  ): FileLock<T> {
    checkInteger(fd, 'fd', 0, 2 ** 31 - 1);
    const request = checkRequest(path, options, 0);
    return new FileLock<T>(request, adopt(request, fd));
  }

  /** False once released, detached, or lost by a failed `tryUpgrade`. */
  get held(): boolean {
    return this.#held;
  }

  get mode(): LockMode {
    return this.#mode;
  }

  /**
   * The locked descriptor, to hand down to a child (`stdio`); -1 once it is
   * closed. Never close it. Having handed it down, call `detach`, not
   * `release`, which would unlock it for the child as well.
   */
  get fd(): number {
    return this.#held ? this.#native.descriptor(this.#id) : -1;
  }

  /**
   * The fencing token: an integer that grows with every exclusive hold, for
   * those who receive this holder's effects to refuse an earlier holder's. As
   * long as the JSON record is kept it grows strictly; otherwise it is as good
   * as the clock. A shared holder has the last one stored, or 0.
   */
  get token(): number {
    return this.#lock.token;
  }

  /**
   * Merges `patch` into the user's fields of the record and writes it. Throws
   * `ERR_LOCK_LOST` if the path leads to another file by now, `ERR_LOCK_STATE`
   * if this lock writes no JSON record.
   */
  update(patch: Partial<T>): void {
    this.#checkHeld('update');
    const request = this.#request();
    if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) {
      throw argumentError('ERR_INVALID_ARG_TYPE', 'patch', 'an object', patch);
    }
    if (this.#lock.record !== 'json') {
      throw new LockStateError(this.path, `this lock of ${this.path} writes no JSON record`);
    }
    const data = checkData({ ...parseData(this.#data), ...patch }, 'patch');
    this.#checkCurrent();
    writeRecord(request, this.#lock, data, false);
    this.#data = data;
  }

  /**
   * From exclusive to shared, without a moment in which another could be
   * exclusive. The record is taken out first. Already shared: nothing happens.
   */
  downgrade(): void {
    this.#checkHeld('downgrade');
    if (this.#mode === 'shared') return;
    const cleared = this.#native.clear(this.#id);
    if (cleared !== 0) throw systemError(cleared, 'write', this.path);
    this.#lock.record = null;
    const errno = this.#native.tryLock(this.#id, SHARED);
    if (errno !== 0) throw this.#lose(flockError(errno, this.path));
    this.#mode = 'shared';
  }

  /**
   * From shared to exclusive, without waiting. Not atomic: the kernel drops
   * the shared lock first. So `false` means that the lock is LOST: `held` is
   * false, and somebody else may have it. `true`: the token is raised and the
   * record is written as on acquiring. Already exclusive: `true`.
   * Throws `ERR_LOCK_LOST` if the path leads to another file; lost as well.
   */
  tryUpgrade(): boolean {
    this.#checkHeld('upgrade');
    if (this.#mode === 'exclusive') return true;
    const errno = this.#native.tryLock(this.#id, EXCLUSIVE);
    if (errno !== 0) {
      this.#end();
      this.#native.release(this.#id);
      if (errno === errnoOf('EWOULDBLOCK')) return false;
      throw flockError(errno, this.path);
    }
    this.#mode = 'exclusive';
    try {
      this.#checkCurrent();
      this.#publishAgain();
      this.#checkCurrent();
    } catch (error) {
      throw this.#lose(error);
    }
    return true;
  }

  /** Whether the file at `path` is still the one that is locked. */
  isCurrent(): boolean {
    return this.#held && comparePath(this.#request(), this.#id) >= 0;
  }

  /**
   * Closes without unlocking: the lock lives on in the child that was given
   * `fd`, and ends with the last process that has the descriptor. Takes this
   * process out of the record, unless the child's is already there.
   */
  detach(): void {
    this.#checkHeld('detach');
    this.#end();
    this.#native.detach(this.#id);
  }

  /**
   * Takes the record out, removes the file where `keepFile` is false, unlocks
   * and closes; a step that fails does not keep the later ones from being
   * done, and the first failure is thrown. A second call does nothing.
   */
  releaseSync(): void {
    if (!this.#held) return;
    this.#end();
    const result = this.#native.release(this.#id);
    if (result === 0) return;
    const step = RELEASE_STEPS[result >> 12] ?? 'close';
    throw systemError(result & 4095, step, this.path);
  }

  /** `releaseSync` as a promise. */
  async release(): Promise<void> {
    this.releaseSync();
  }

  [Symbol.dispose](): void {
    this.releaseSync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.releaseSync();
  }

  #request(): Pick<Request, 'native' | 'path'> {
    return { native: this.#native, path: this.path };
  }

  #checkHeld(what: string): void {
    if (this.#held) return;
    throw new LockStateError(this.path, `cannot ${what}: this lock of ${this.path} is not held`);
  }

  #checkCurrent(): void {
    if (this.isCurrent()) return;
    throw new LockLostError(this.path, `${this.path} is no longer the file that is locked`);
  }

  #publishAgain(): void {
    const traits = this.#native.traits(this.#id);
    const size = comparePath(this.#request(), this.#id);
    const content = readRecord(this.#request(), this.#id, size);
    this.#lock.token = nextToken(content.token);
    const format = this.#lock.format;
    if (format === false || !content.ours || (traits & (IS_READ_ONLY | IS_DIRECTORY)) !== 0) return;
    this.#lock.record = format;
    this.#lock.since = Date.now();
    writeRecord(this.#request(), this.#lock, this.#data, false);
  }

  #lose(error: unknown): unknown {
    this.#end();
    this.#native.release(this.#id);
    return error;
  }

  #end(): void {
    this.#held = false;
    unwatch(this as unknown as FileLock<never>);
  }
}

function adopt(request: Request, fd: number): Held {
  const { native, path } = request;
  if (native.owns(fd)) {
    throw new LockStateError(path, `descriptor ${fd} belongs to a lock of this process already`);
  }
  const mode = walkSync(modeOfDescriptor(fd));
  // Asks for nothing but what a closed descriptor refuses.
  const id = native.adopt(fd, path, nativeMode(mode ?? 'shared'));
  if (id < 0) {
    const unlockable = -id === errnoOf('ENXIO');
    throw unlockable ? openError(-id, path) : systemError(-id, 'fcntl', path);
  }
  try {
    if (mode === null) {
      throw new LockStateError(path, `descriptor ${fd} holds no lock, so there is none to adopt`);
    }
    request.mode = mode;
    return adoptRecord(request, id, fd);
  } catch (error) {
    native.forget(id);
    throw error;
  }
}

/** The token is the hold's; the record becomes that of this process. */
function adoptRecord(request: Request, id: number, fd: number): Held {
  const { native, path, mode, record } = request;
  const size = comparePath(request, id);
  if (size < 0) {
    throw new LockLostError(path, `descriptor ${fd} is not of the file at ${path}`);
  }
  const plain = (native.traits(id) & (IS_DIRECTORY | IS_READ_ONLY)) === 0;
  const content = readRecord(request, id, size);
  if (!request.keepFile && content.ours && plain) native.removeAtEnd(id);
  const exclusive = mode === 'exclusive';
  const token = exclusive && content.token === 0 ? nextToken(0) : content.token;
  const ours = content.ours && plain && exclusive;
  if (request.recordWanted && !ours) {
    throw new LockStateError(path, `no record can be written into ${path}`);
  }
  const held: Held = {
    id,
    token,
    previous: null,
    record: ours && record !== false ? record : null,
    format: record,
    since: Date.now(),
  };
  // The parent may detach at this moment and take its own record out.
  writeRecord(request, held, request.dataText, true);
  return held;
}

/**
 * Turns this process into `command`, which then holds the lock: exec(3). The
 * record goes first, for nobody could take it out any more. Throws where the
 * command cannot be run.
 */
export function executeInPlace(lock: FileLock, command: string[]): never {
  const { native, id } = internalsOf(lock);
  native.clear(id);
  const [file = ''] = command;
  throw systemError(native.execute(file, command, lock.fd), 'execve', file);
}

/**
 * Locks, or unlocks, a descriptor that stays the caller's: the lock belongs to
 * whoever shares its description, and outlives this process with them.
 */
export async function lockDescriptor(
  fd: number,
  mode: LockMode | 'unlocked',
  timeout: number,
): Promise<void> {
  const native = loadBinding(`descriptor ${fd}`);
  const link = `/proc/self/fd/${fd}`;
  const id = native.borrow(fd, link);
  if (id < 0) throw systemError(-id, 'fcntl', link);
  const path = readlinkSync(link);
  const remote = (native.traits(id) & IS_REMOTE) !== 0;
  const deadline = deadlineOf(timeout, remote);
  if (mode === 'unlocked') {
    const errno = native.tryLock(id, UNLOCKED);
    native.detach(id);
    if (errno !== 0) throw flockError(errno, path);
    return;
  }
  const wait = {
    native,
    id,
    mode: nativeMode(mode),
    path,
    remote,
    anyFile: true,
    deadline,
    signal: undefined,
    pollInterval: undefined,
  };
  let outcome = await attempt(wait);
  if (outcome === 'refused' && timeout > 0) outcome = await waitForLock(wait);
  if (outcome === 'granted') {
    native.detach(id);
    return;
  }
  if (outcome === 'refused') native.detach(id);
  const holder = holderOf(path);
  throw timeout === 0
    ? new LockHeldError(path, holder)
    : new LockTimeoutError(path, holder, timeout);
}

/**
 * Runs `fn` with the lock held and releases it whatever `fn` does. The error
 * of `fn` comes through unchanged; a release that fails after it is a process
 * warning, a release that alone fails rejects.
 */
export function withLock<R, T extends object = Record<never, never>>(
  path: string | URL,
  fn: (lock: FileLock<T>) => R | Promise<R>,
): Promise<R>;
export function withLock<R, T extends object = Record<never, never>>(
  path: string | URL,
  options: FileLockOptions<T>,
  fn: (lock: FileLock<T>) => R | Promise<R>,
): Promise<R>;
export async function withLock<R, T extends object>(
  path: string | URL,
  ...rest:
    | [(lock: FileLock<T>) => R | Promise<R>]
    | [FileLockOptions<T>, (lock: FileLock<T>) => R | Promise<R>]
): Promise<R> {
  const [options, fn] = rest.length === 1 ? [undefined, rest[0]] : rest;
  if (typeof fn !== 'function') {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'fn', 'a function', fn);
  }
  const lock = await FileLock.acquire<T>(path, options);
  let result: R;
  try {
    result = await fn(lock);
  } catch (error) {
    await lock.release().catch((failure: Error) => {
      process.emitWarning(`Releasing ${lock.path} failed: ${failure.message}`, {
        type: 'HoldfastWarning',
        code: 'HOLDFAST_RELEASE_FAILED',
      });
    });
    throw error;
  }
  await lock.release();
  return result;
}

/** A {@link Locker} of real file locks, with `options` as defaults. */
export function fileLocker(options?: FileLockOptions<object>): Locker {
  return {
    acquire: (path, acquireOptions) =>
      FileLock.acquire<object>(path, { ...options, ...acquireOptions }),
  };
}
