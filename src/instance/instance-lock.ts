import { EventEmitter } from 'node:events';
import { clearInterval, setInterval } from 'node:timers';
import { argumentError, checkFilePath, checkOptions, givenOptions } from '../base/arguments.js';
import { AlreadyRunningError, type LockHeldError, LockLostError } from '../base/errors.js';
import type { Holder } from '../base/holder.js';
import { checkExclusive, type HeldLock, type Locker } from '../base/locker.js';
import { emitHoldfastWarning } from '../base/warning.js';
import type { OwnerRecord } from '../holders/owner-record.js';
import { holderOf } from '../holders/who-holds.js';
import { FileLock, internalsOf } from '../lock/file-lock.js';
import { lookAtFile, withDefaults } from '../lock/file-locker.js';
import { acquireInstance, beginInstance, refusalOf } from './acquire-instance.js';
import { checkInstanceOptions, INSTANCE_OPTIONS, type InstanceLockOptions } from './options.js';
import { forgetSignals, releaseOnSignals } from './release-on-signals.js';

const CHECK_MILLISECONDS = 250;
const MOST_FAILED_CHECKS = 3;

/**
 * The lock of the one instance of a program: held while the program runs,
 * released when it ends. A second instance is told about the first.
 *
 * At most one instance holds the lock at any moment, unless the lock file is
 * removed or replaced, as `force: { how: 'steal' }` does. Then the old instance
 * is told within a second, by the event `lost` and by `signal`. If it uses
 * neither, there is a process warning with code `HOLDFAST_INSTANCE_LOST`.
 */
export class InstanceLock<T extends object = Record<string, unknown>>
  extends EventEmitter<{ lost: [Holder<T> | null] }>
  implements HeldLock
{
  readonly #lock: FileLock<T>;
  readonly #controller = new AbortController();
  #signalTaken = false;
  #failedChecks = 0;
  readonly #timer: NodeJS.Timeout;

  private constructor(lock: FileLock<T>, keepFile: boolean) {
    super();
    this.#lock = lock;
    this.#timer = setInterval(() => this.#check(), CHECK_MILLISECONDS).unref();
    if (!keepFile) releaseOnSignals(this);
  }

  /**
   * Acquires, or rejects with {@link AlreadyRunningError} at once or after
   * `timeout`. `force` ends a running instance or replaces its lock file. If
   * this cannot be done safely, it rejects with `ERR_LOCK_FORCE`. Then nothing
   * has been signalled or changed. Other errors are those of
   * `FileLock.acquire`.
   */
  static async acquire<T extends object = Record<string, unknown>>(
    path: string | Buffer | URL,
    options?: InstanceLockOptions<T>,
  ): Promise<InstanceLock<T>> {
    const lock = await acquireInstance(path, options);
    return new InstanceLock<T>(lock as unknown as FileLock<T>, options?.keepFile === true);
  }

  /** Acquires at once or throws: it does not wait and takes no `force`. */
  static acquireSync<T extends object = Record<string, unknown>>(
    path: string | Buffer | URL,
    options?: Omit<InstanceLockOptions<T>, 'timeout' | 'signal' | 'onWait' | 'force'>,
  ): InstanceLock<T> {
    const { name, file, onStale, force, timeout } = checkInstanceOptions(options);
    if (force !== undefined || timeout > 0) {
      const what = force === undefined ? 'options.timeout' : 'options.force';
      throw argumentError('ERR_INVALID_ARG_VALUE', what, 'left out: acquireSync cannot wait', what);
    }
    let lock: FileLock<object>;
    try {
      lock = FileLock.acquireSync(path, file);
    } catch (error) {
      const { holder } = refusalOf(error);
      throw new AlreadyRunningError((error as LockHeldError).path, holder, name);
    }
    beginInstance(lock, onStale);
    return new InstanceLock<T>(lock as unknown as FileLock<T>, options?.keepFile === true);
  }

  /** Aborted with a `LockLostError` when the file is stolen, replaced or deleted. */
  get signal(): AbortSignal {
    // Reading it counts as listening: listeners through AbortSignal.any()
    // cannot be counted.
    this.#signalTaken = true;
    return this.#controller.signal;
  }

  get path(): string {
    return this.#lock.path;
  }

  get held(): boolean {
    return this.#lock.held;
  }

  get fd(): number {
    return this.#lock.fd;
  }

  get token(): number {
    return this.#lock.token;
  }

  get previous(): OwnerRecord<T> | null {
    return this.#lock.previous;
  }

  /** Whether the file at `path` is still the one that is locked. */
  isCurrent(): boolean {
    return this.#lock.isCurrent();
  }

  /** The same as a promise, which rejects with `ERR_LOCK_LOST`. */
  check(): Promise<void> {
    return this.#lock.check();
  }

  /** Merges `patch` into your fields of the record, which a second instance is told. */
  update(patch: Partial<T>): void {
    this.#lock.update(patch);
  }

  /** As `FileLock.releaseSync`. Never touches a file that has replaced the locked one. */
  releaseSync(): void {
    clearInterval(this.#timer);
    forgetSignals(this);
    this.#lock.releaseSync();
  }

  async release(): Promise<void> {
    this.releaseSync();
  }

  [Symbol.dispose](): void {
    this.releaseSync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.releaseSync();
  }

  #check(): void {
    try {
      this.#failedChecks++;
      if (this.isCurrent()) {
        this.#failedChecks = 0;
        return;
      }
    } catch {
      // The check failed, whatever the reason. The lock counts as lost if the
      // next checks fail as well.
      if (this.#failedChecks < MOST_FAILED_CHECKS) return;
    }
    clearInterval(this.#timer);
    const { path } = this;
    const message = `${path} is no longer the file that is locked: another instance may be running`;
    this.#controller.abort(new LockLostError(path, message));
    if (this.listenerCount('lost') > 0) {
      this.emit('lost', holderOf<T>(internalsOf(this.#lock as FileLock<object>).file) as never);
      return;
    }
    if (this.#signalTaken) return;
    emitHoldfastWarning('HOLDFAST_INSTANCE_LOST', message);
  }
}

/** A {@link Locker} of instance locks, with `options` as defaults. */
export function instanceLocker(options?: InstanceLockOptions<object>): Locker {
  const defaults = givenOptions(checkOptions(options, INSTANCE_OPTIONS), INSTANCE_OPTIONS);
  return {
    async acquire(path, given) {
      const { mode, ...merged } = withDefaults<InstanceLockOptions<object>>(defaults, given);
      checkExclusive(mode, checkFilePath(path), 'the locks of instances');
      return InstanceLock.acquire<object>(path, merged);
    },
    look: lookAtFile,
  };
}
