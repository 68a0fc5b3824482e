import { argumentError, checkInteger, checkOptions, givenOptions } from '../base/arguments.js';
import { errnoOf, flockError, LockLostError, LockStateError, systemError } from '../base/errors.js';
import {
  ACQUIRE_OPTIONS,
  type AcquireOptions,
  type HeldLock,
  type Locker,
  type LockMode,
} from '../base/locker.js';
import { type FilePath, pathText } from '../base/paths.js';
import {
  checkData,
  nextToken,
  type OwnerRecord,
  parseData,
  type RecordFormat,
} from '../holders/owner-record.js';
import { isOwn } from '../holders/process-identity.js';
import {
  EXCLUSIVE,
  IS_DIRECTORY,
  IS_READ_ONLY,
  type NativeBinding,
  RELEASE_STEPS,
  SHARED,
} from '../native/binding.js';
import { acquire, acquireSync, tryAcquire } from './acquire.js';
import { adopt } from './adopt.js';
import {
  comparePath,
  goOnWithout,
  type Held,
  readRecord,
  writeRecord,
  writeRecordIfPossible,
} from './hold.js';
import { unwatch, watch } from './leak-warning.js';
import { checkRequest, FILE_LOCK_OPTIONS, type FileLockOptions, type Request } from './options.js';

// For floors above this one, not for users.
export let internalsOf: (lock: FileLock) => {
  native: NativeBinding;
  id: number;
  /** What leads to the file. */
  file: FilePath;
  record: RecordFormat | null;
};
/** A lock of what was acquired in another way. */
export let lockOf: (request: Request, held: Held) => FileLock;

/**
 * A lock on a file: flock(2). It exists only as long as it is held, like a
 * `FileHandle`. The kernel releases it when the process ends, however it ends.
 *
 * What it does not promise: it binds only programs that take the same lock;
 * it does not span machines; it is not fair in every case (docs/semantics.md).
 * A held lock does not keep the process alive, a pending wait does.
 */
export class FileLock<T extends object = Record<string, unknown>> implements HeldLock {
  /** Absolute, as of the call that acquired it; bytes that are not UTF-8 are replaced. */
  readonly path: string;
  /** Left by a holder that did not release; `null` if the last one did. */
  readonly previous: OwnerRecord<T> | null;

  static {
    internalsOf = (lock) => ({
      native: lock.#native,
      id: lock.#id,
      file: lock.#file,
      record: lock.#lock.record,
    });
    lockOf = (request, held) => new FileLock(request, held);
  }

  readonly #native: NativeBinding;
  readonly #file: FilePath;
  readonly #id: number;
  readonly #lock: Held;
  #mode: LockMode;
  #held = true;
  // As JSON: what the caller does to its object later changes nothing.
  #data: string;

  /** Only from within: use {@link FileLock.acquire} and its siblings. */
  private constructor(request: Request, lock: Held) {
    this.path = pathText(request.path);
    this.#file = request.path;
    this.previous = lock.previous as OwnerRecord<T> | null;
    this.#native = request.native;
    this.#id = lock.id;
    this.#lock = lock;
    this.#mode = request.mode;
    this.#data = request.dataText;
    watch(this);
  }

  /**
   * Acquires the lock, waiting in the kernel for as long as `timeout` allows
   * (default: without end). Missing folders and the file are made.
   *
   * Rejects with `ERR_LOCK_HELD` (`timeout: 0`), `ERR_LOCK_TIMEOUT`,
   * `ERR_LOCK_UNSUPPORTED`, `ERR_LOCK_STATE` (a record asked for in a file that
   * is not Holdfast's, `data` in one of another user, a token that cannot grow), `signal.reason`, a system error as of `node:fs`
   * (`ELOOP`: a symlink, which is never followed), or an argument error.
   */
  static async acquire<T extends object = Record<string, unknown>>(
    path: string | Buffer | URL,
    options?: FileLockOptions<T>,
  ): Promise<FileLock<T>> {
    const request = checkRequest(path, options, Number.POSITIVE_INFINITY);
    return new FileLock<T>(request, await acquire(request));
  }

  /**
   * The same, taking this thread while it waits; `timeout` is 0 by default.
   * Throws `ERR_LOCK_STATE` at once where it would wait for this thread itself.
   */
  static acquireSync<T extends object = Record<string, unknown>>(
    path: string | Buffer | URL,
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
  static tryAcquire<T extends object = Record<string, unknown>>(
    path: string | Buffer | URL,
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
   * After an error the descriptor is still the caller's, and closed on exec.
   */
  static adopt<T extends object = Record<string, unknown>>(
    fd: number,
    path: string | Buffer | URL,
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
   * closed, and always on Windows, where there is none. Never close it. Having
   * handed it down, call `detach`, not `release`, which would unlock it for the
   * child as well.
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
   * if this lock has no JSON record in the file, or `patch` goes into a file
   * of another user (see `data`).
   */
  update(patch: Partial<T>): void {
    this.#checkHeld('update');
    const request = this.#request();
    if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) {
      throw argumentError('ERR_INVALID_ARG_TYPE', 'patch', 'an object', patch);
    }
    if (this.#lock.record !== 'json') {
      throw new LockStateError(
        this.path,
        `this lock of ${this.path} has no JSON record in the file`,
      );
    }
    const data = checkData({ ...parseData(this.#data), ...patch }, 'patch');
    this.#checkCurrent();
    this.#checkRecord();
    writeRecord(request, this.#lock, data, false);
    this.#data = data;
  }

  /**
   * From exclusive to shared, without a moment in which another could be
   * exclusive. The record is taken out first; where that fails and it was asked
   * for by name, nothing else happens. Already shared: nothing happens.
   */
  downgrade(): void {
    this.#checkHeld('downgrade');
    if (this.#mode === 'shared') return;
    const cleared = this.#native.clear(this.#id);
    if (cleared !== 0) {
      goOnWithout(this.#file, this.#lock, systemError(cleared, 'write', this.path));
    }
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
   * process out of the record, unless the child's is already there. Call it
   * right after `spawn`: once the child releases, there is nothing left here.
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

  /** A process that was handed the lock may have released it, or taken it over. */
  #checkRecord(): void {
    const size = comparePath(this.#request(), this.#id);
    const { ours, owner, token } = readRecord(this.#request(), this.#id, size);
    const isStill = owner === null || (isOwn(owner) && token === this.token);
    if (ours && isStill) return;
    const what = owner === null ? 'content of another program' : `the record of pid ${owner.pid}`;
    throw new LockLostError(this.path, `${this.path} has ${what} by now`);
  }

  #publishAgain(): void {
    const traits = this.#native.traits(this.#id);
    const size = comparePath(this.#request(), this.#id);
    const content = readRecord(this.#request(), this.#id, size);
    this.#lock.token = nextToken(content.token, this.#file);
    const format = this.#lock.format;
    if (format === false || !content.ours || (traits & (IS_READ_ONLY | IS_DIRECTORY)) !== 0) return;
    this.#lock.record = format;
    this.#lock.since = Date.now();
    writeRecordIfPossible(this.#request(), this.#lock, this.#data, false);
  }

  #lose(error: unknown): unknown {
    this.#end();
    this.#native.release(this.#id);
    return error;
  }

  #end(): void {
    this.#held = false;
    unwatch(this);
  }
}

/** A {@link Locker} of real file locks. */
export interface FileLocker extends Locker {
  acquire(path: string | Buffer | URL, options?: AcquireOptions<object>): Promise<HeldLock>;
}

/** A {@link Locker} of real file locks, with `options` as defaults. */
export function fileLocker(options?: FileLockOptions<object>): FileLocker {
  const defaults = givenOptions(checkOptions(options, FILE_LOCK_OPTIONS), FILE_LOCK_OPTIONS);
  return {
    acquire: async (path, acquireOptions) =>
      FileLock.acquire<object>(path, withDefaults(defaults, acquireOptions)),
  };
}

/** What is undefined in `options` is left to `defaults`. */
export function withDefaults<O extends object>(
  defaults: O | undefined,
  options?: AcquireOptions<object>,
): O {
  const checked = checkOptions(options, ACQUIRE_OPTIONS);
  return { ...defaults, ...givenOptions(checked, ACQUIRE_OPTIONS) } as O;
}
