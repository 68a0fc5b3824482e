import { noConstructor } from '../base/argument-errors.js';
import { checkInteger, HIGHEST_DESCRIPTOR } from '../base/arguments.js';
import { flockError, LockLostError, LockStateError, systemError } from '../base/errors.js';
import type { HeldLock, LockMode } from '../base/locker.js';
import { type FilePath, pathText } from '../base/paths.js';
import type { LockFile } from '../holders/lock-file.js';
import type { OwnerRecord, RecordFormat } from '../holders/owner-record.js';
import { type NativeBinding, SHARED } from '../native/binding.js';
import { acquire, acquireSync, tryAcquire } from './acquire.js';
import { adopt } from './adopt.js';
import { changeData, upgradeHold } from './change-hold.js';
import type { Hold } from './hold.js';
import { goOnWithout } from './hold-record.js';
import { unwatch, watch, watchSoon } from './leak-warning.js';
import { endLossWatch, lossSignal, tellLoss } from './loss-watch.js';
import { checkRequest, type FileLockOptions, type Request } from './options.js';

// For the floors above this one, not for users.
export let internalsOf: (lock: FileLock) => {
  native: NativeBinding;
  id: number;
  /** The path to the file. */
  file: FilePath;
  /** The file itself, open. */
  opened: LockFile;
  record: RecordFormat | null;
};
/** Makes the `FileLock` of a lock that was acquired in another way. */
export let lockOf: (request: Request, hold: Hold) => FileLock;

/**
 * A lock on a file: flock(2). It exists only as long as it is held, like a
 * `FileHandle`. The kernel releases it when the process ends, however it ends.
 *
 * What it does not promise: it binds only programs that take the same lock;
 * it does not span machines; it is not fair in every case (docs/semantics.md).
 * A held lock does not keep the process alive, a pending wait does.
 */
export class FileLock<T extends object = Record<string, unknown>> implements HeldLock {
  /** Absolute since the lock was acquired; bytes that are not UTF-8 are replaced. */
  readonly path: string;
  /** The record of a holder that did not release; `null` if the last one did. */
  readonly previous: OwnerRecord<T> | null;

  static {
    internalsOf = (lock) => {
      const { file, record } = lock.#hold;
      return { native: file.native, id: file.id, file: file.path, opened: file, record };
    };
    lockOf = (request, hold) => watch(new FileLock(request, hold));
  }

  readonly #hold: Hold;
  #mode: LockMode;
  #held = true;
  // As JSON: later changes to the caller's object have no effect.
  #data: string;

  /** Use {@link FileLock.acquire} and its siblings. The hold may begin later. */
  private constructor(request: Request, hold: Hold) {
    if (hold?.file === undefined) throw noConstructor('FileLock');
    this.path = pathText(hold.file.path);
    this.previous = hold.previous as OwnerRecord<T> | null;
    this.#hold = hold;
    this.#mode = request.mode;
    this.#data = request.dataText;
  }

  static #begun<T extends object>(lock: FileLock<T>): void {
    // The lock may have been made before the grant. Mostly nothing was left.
    const { previous } = lock.#hold;
    if (previous !== lock.previous) Object.assign(lock, { previous });
    watchSoon(lock);
  }

  /**
   * Acquires the lock, waiting in the kernel for as long as `timeout` allows
   * (default: without end), also in code that holds it already, and so for itself
   * (docs/waiting.md). Creates the file and missing folders.
   * Rejects with `ERR_LOCK_HELD` (`timeout: 0`), `ERR_LOCK_TIMEOUT`, `ERR_LOCK_UNSUPPORTED`,
   * `ERR_LOCK_STATE` (`record` set for a file that is not Holdfast's own, `data` for a file of
   * another user, a token that cannot grow), `signal.reason`, a system error like those of
   * `node:fs` (`ELOOP`: a symlink), or an argument error.
   */
  static acquire<T extends object = Record<string, unknown>>(
    path: string | Buffer | URL,
    options?: FileLockOptions<T>,
  ): Promise<FileLock<T>> {
    try {
      const request = checkRequest(path, options, Number.POSITIVE_INFINITY);
      return acquire(request, (hold) => new FileLock<T>(request, hold), FileLock.#begun);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * The same, blocking this thread while it waits; `timeout` is 0 by default.
   * Throws `ERR_LOCK_STATE` at once if it would wait for this thread itself.
   */
  static acquireSync<T extends object = Record<string, unknown>>(
    path: string | Buffer | URL,
    options?: FileLockOptions<T>,
  ): FileLock<T> {
    const request = checkRequest(path, options, 0);
    return watch(new FileLock<T>(request, acquireSync(request)));
  }

  /**
   * Never waits: `null` if the lock is held. It tries twice within 2 ms, so that
   * a probe does not count as a holder. Otherwise it throws what `acquireSync`
   * throws; `timeout`, `signal` and `onWait` have no effect.
   */
  static tryAcquire<T extends object = Record<string, unknown>>(
    path: string | Buffer | URL,
    options?: FileLockOptions<T>,
  ): FileLock<T> | null {
    const request = checkRequest(path, options, 0);
    const hold = tryAcquire(request);
    return hold === null ? null : watch(new FileLock<T>(request, hold));
  }

  /**
   * Takes over a lock that a parent process handed down as descriptor `fd`
   * (through `stdio` of `spawn`), with the mode of the descriptor and the token
   * of the hold. The record now names this process. The descriptor then belongs
   * to the lock; children do not inherit it. `mode` and `timeout` have no effect.
   *
   * Throws `ERR_LOCK_STATE` if the descriptor has no lock or already belongs to
   * a lock of this process, `ERR_LOCK_LOST` if the path leads to another file,
   * `EBADF`. After an error the descriptor still belongs to the caller, and is
   * closed on exec.
   */
  static adopt<T extends object = Record<string, unknown>>(
    fd: number,
    path: string | Buffer | URL,
    options?: FileLockOptions<T>,
  ): FileLock<T> {
    checkInteger(fd, 'fd', 0, HIGHEST_DESCRIPTOR);
    const request = checkRequest(path, options, 0);
    const { hold, mode } = adopt(request, fd);
    return watch(new FileLock<T>({ ...request, mode }, hold));
  }

  /** False once released, detached, or lost in a failed `tryUpgrade` or `downgrade`. */
  get held(): boolean {
    return this.#held;
  }

  /** The current mode; `downgrade` and `tryUpgrade` change it. */
  get mode(): LockMode {
    return this.#mode;
  }

  /**
   * The locked descriptor, to hand down to a child (`stdio`); -1 once it is
   * closed, and always on Windows. Never close it. After handing it down, call
   * `detach`, not `release`, which would unlock it for the child as well.
   */
  get fd(): number {
    const { native, id } = this.#hold.file;
    return this.#held ? native.descriptor(id) : -1;
  }

  /**
   * The fencing token: an integer that grows with every exclusive hold, so that
   * receivers can refuse the writes of earlier holders. While the JSON record is
   * kept it grows strictly; otherwise it is as good as the clock. A shared holder
   * has the last stored token, or 0.
   */
  get token(): number {
    return this.#hold.token;
  }

  /**
   * Merges `patch` into your fields of the record and writes it. Throws
   * `ERR_LOCK_LOST` if the path now leads to another file, `ERR_LOCK_STATE` if
   * this lock has no JSON record in the file, or if the file belongs to another
   * user (see `data`).
   */
  update(patch: Partial<T>): void {
    this.#checkHeld('update');
    this.#data = changeData(this.#hold, this.#data, patch);
  }

  /**
   * From exclusive to shared; no other holder can become exclusive in between.
   * Removes the record first; if that fails and `record` or `data` was set, it
   * throws and nothing else happens. Already shared: no effect.
   */
  downgrade(): void {
    this.#checkHeld('downgrade');
    if (this.#mode === 'shared') return;
    const { native, id } = this.#hold.file;
    const cleared = native.clear(id);
    if (cleared !== 0) goOnWithout(this.#hold, systemError(cleared, 'write', this.path));
    this.#hold.record = null;
    const errno = native.tryLock(id, SHARED);
    if (errno !== 0) throw this.#lose(flockError(errno, this.path));
    this.#mode = 'shared';
  }

  /**
   * From shared to exclusive, without waiting. Not atomic: the kernel drops
   * the shared lock first. So `false` means that the lock is LOST: `held` is
   * false, and another process may have it. `true`: the token grows and the
   * record is written, as on acquiring. Already exclusive: `true`. Throws
   * `ERR_LOCK_LOST` if the path leads to another file; then it is lost as well.
   */
  tryUpgrade(): boolean {
    this.#checkHeld('upgrade');
    if (this.#mode === 'exclusive') return true;
    let upgraded: boolean;
    try {
      upgraded = upgradeHold(this.#hold, this.#data);
    } catch (error) {
      throw this.#lose(error);
    }
    if (upgraded) this.#mode = 'exclusive';
    else this.#lose(undefined);
    return upgraded;
  }

  /** Whether the file at `path` is still the one that is locked. */
  isCurrent(): boolean {
    return this.#held && this.#hold.file.size() >= 0;
  }

  /** The same as a promise, which rejects with `ERR_LOCK_LOST` if it is not. */
  async check(): Promise<void> {
    if (this.isCurrent()) return;
    if (this.#held) throw this.#hold.file.lost();
    throw new LockLostError(this.path, `this lock of ${this.path} is no longer held`);
  }

  /**
   * Aborted with a `LockLostError` within a second after the path leads to
   * another file, and by a failed `tryUpgrade`; never by a release. The path is
   * watched from the first read of this property, for as long as the lock is
   * held.
   */
  get signal(): AbortSignal {
    return lossSignal(this.#hold.file, this.#held);
  }

  /**
   * Closes without unlocking: the lock lives on in the child that has `fd`, and
   * ends with the last process that has the descriptor. Removes this process
   * from the record, unless the child has already written its own. Call it
   * right after `spawn`: a release by the child unlocks for both.
   */
  detach(): void {
    this.#checkHeld('detach');
    this.#end();
    const { native, id } = this.#hold.file;
    native.detach(id);
  }

  /**
   * Removes the record, removes the file if `keepFile` is false, unlocks and
   * closes. A failing step does not prevent the later ones; the first failure
   * is thrown. A second call does nothing.
   */
  releaseSync(): void {
    if (!this.#held) return;
    this.#end();
    this.#hold.file.release();
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

  #checkHeld(what: string): void {
    if (this.#held) return;
    throw new LockStateError(this.path, `cannot ${what}: this lock of ${this.path} is not held`);
  }

  #lose(error: unknown): unknown {
    this.#end();
    this.#hold.file.close();
    tellLoss(this.#hold.file, error);
    return error;
  }

  #end(): void {
    this.#held = false;
    unwatch(this);
    endLossWatch(this.#hold.file);
  }
}
