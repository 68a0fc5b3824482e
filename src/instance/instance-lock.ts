import { EventEmitter } from 'node:events';
import { clearInterval, setInterval } from 'node:timers';
import { argumentError, noConstructor } from '../base/argument-errors.js';
import { checkFilePath, checkOptions, givenOptions } from '../base/arguments.js';
import { type InstanceAnswer, isLockError, LockLostError } from '../base/errors.js';
import type { Holder } from '../base/holder.js';
import { checkExclusive, type HeldLock, type Locker } from '../base/locker.js';
import { emitHoldfastWarning } from '../base/warning.js';
import type { OwnerRecord } from '../holders/owner-record.js';
import { holderOf } from '../holders/who-holds.js';
import { FileLock, internalsOf } from '../lock/file-lock.js';
import { lookAtFile, withDefaults } from '../lock/file-locker.js';
import { acquireInstance, alreadyRunning, beginInstance, refusalOf } from './acquire-instance.js';
import { lockOrAnswer } from './acquire-or-send.js';
import { MessageServer } from './message-server.js';
import {
  type AcquireOrSendOptions,
  checkInstanceOptions,
  INSTANCE_OPTIONS,
  type InstanceLockOptions,
} from './options.js';
import { forgetSignals, releaseOnSignals } from './release-on-signals.js';
import { sendMessage } from './send-message.js';
import { checkMessagesWork } from './socket-file.js';

const CHECK_MILLISECONDS = 250;
const MOST_FAILED_CHECKS = 3;

/**
 * The lock of the one instance of a program: held while the program runs,
 * released when it ends. A second instance gets an error that names the first.
 *
 * At most one instance holds the lock at any moment, unless the lock file is
 * removed or replaced, as `force: { how: 'steal' }` does. Then the old instance
 * learns of it within a second, by the event `lost` and by `signal`. If it uses
 * neither, it gets a process warning with code `HOLDFAST_INSTANCE_LOST`.
 */
export class InstanceLock<T extends object = Record<string, unknown>>
  extends EventEmitter<{ lost: [Holder<T> | null] }>
  implements HeldLock
{
  readonly #lock: FileLock<T>;
  readonly #controller = new AbortController();
  #signalTaken = false;
  #failedChecks = 0;
  #messages: MessageServer | null = null;
  readonly #timer: NodeJS.Timeout;

  private constructor(lock: FileLock<T>, keepFile: boolean) {
    super();
    if (!(lock instanceof FileLock)) throw noConstructor('InstanceLock');
    this.#lock = lock;
    this.#timer = setInterval(() => this.#check(), CHECK_MILLISECONDS).unref();
    if (!keepFile) releaseOnSignals(this);
  }

  /**
   * Becomes the first instance, or sends `message`, a JSON value of at most 1
   * MiB, to the one that runs. Resolves to `{ lock }` if this is the first: then
   * it handles `message` itself, and its `onMessage` is not called with it.
   * Otherwise resolves to `{ answer, pid }` with what the `onMessage` of the
   * first returned. If the first ends before it has answered, this process
   * becomes the first, or sends the message to the one that does.
   *
   * A message may be handled twice if the first dies between handling and
   * answering; messages do not reach other hosts and containers.
   *
   * Rejects with `ERR_INSTANCE_NO_ANSWER` after `timeout`, `ERR_INSTANCE_HANDLER`
   * if the `onMessage` of the first threw, `ERR_LOCK_STATE` if something else is
   * at `PATH.sock`, `ERR_LOCK_UNSUPPORTED` on Windows; otherwise as `acquire`.
   */
  static async acquireOrSend<T extends object = Record<string, unknown>>(
    path: string | Buffer | URL,
    message: unknown,
    options: AcquireOrSendOptions<T>,
  ): Promise<
    { lock: InstanceLock<T>; answer?: never; pid?: never } | (InstanceAnswer & { lock?: never })
  > {
    for (;;) {
      const result = await lockOrAnswer(path, message, options);
      if (!(result instanceof FileLock)) return result;
      try {
        return { lock: await InstanceLock.#begin<T>(result, options) };
      } catch (error) {
        // Stolen before we listened: send the message to the new holder.
        if (!isLockError(error, 'ERR_LOCK_LOST')) throw error;
      }
    }
  }

  /**
   * Acquires, or rejects with {@link AlreadyRunningError} at once or after
   * `timeout`. `force` ends a running instance or replaces its lock file. If that
   * cannot be done safely, it rejects with `ERR_LOCK_FORCE`, and nothing was
   * signalled or changed. Other errors are those of `FileLock.acquire`.
   */
  static async acquire<T extends object = Record<string, unknown>>(
    path: string | Buffer | URL,
    options?: InstanceLockOptions<T>,
  ): Promise<InstanceLock<T>> {
    if (options?.onMessage !== undefined) checkMessagesWork(checkFilePath(path));
    const lock = await acquireInstance(path, options, sendMessage);
    return InstanceLock.#begin<T>(lock, options);
  }

  static async #begin<T extends object>(
    lock: FileLock<object>,
    options: InstanceLockOptions<T> | undefined,
  ): Promise<InstanceLock<T>> {
    const instance = new InstanceLock<T>(
      lock as unknown as FileLock<T>,
      options?.keepFile === true,
    );
    const { onMessage } = options ?? {};
    if (onMessage === undefined) return instance;
    try {
      // The last step is synchronous, so the code that awaits the lock runs before
      // the first message comes.
      instance.#messages = await MessageServer.listen(lock, onMessage);
      return instance;
    } catch (error) {
      instance.releaseSync();
      throw error;
    }
  }

  /**
   * Acquires at once or throws: it does not wait and takes no `force`, and no
   * `onMessage`, because a failure to listen is reported through the event loop.
   */
  static acquireSync<T extends object = Record<string, unknown>>(
    path: string | Buffer | URL,
    options?: Omit<InstanceLockOptions<T>, 'timeout' | 'signal' | 'onWait' | 'force' | 'onMessage'>,
  ): InstanceLock<T> {
    const { name, file, onStale, force, timeout, onMessage } = checkInstanceOptions(options);
    if (force !== undefined || timeout > 0 || onMessage !== undefined) {
      const which = force !== undefined ? 'force' : timeout > 0 ? 'timeout' : 'onMessage';
      const what = `options.${which}`;
      throw argumentError('ERR_INVALID_ARG_VALUE', what, 'left out: acquireSync cannot wait', what);
    }
    let lock: FileLock<object>;
    try {
      lock = FileLock.acquireSync(path, file);
    } catch (error) {
      const { holder } = refusalOf(error);
      throw alreadyRunning(checkFilePath(path), holder, { name, waited: 0, send: sendMessage });
    }
    beginInstance(lock, onStale);
    return new InstanceLock<T>(lock as unknown as FileLock<T>, options?.keepFile === true);
  }

  /** Aborted with a `LockLostError` when the file is stolen, replaced or deleted. */
  get signal(): AbortSignal {
    // Reading it counts as listening, because listeners through AbortSignal.any()
    // cannot be counted.
    this.#signalTaken = true;
    return this.#controller.signal;
  }

  /** The lock file, absolute; bytes that are not UTF-8 are replaced. */
  get path(): string {
    return this.#lock.path;
  }

  /** False once released; still true after the lock was lost. */
  get held(): boolean {
    return this.#lock.held;
  }

  /** The locked descriptor: see `FileLock.fd`. -1 once it is closed, and always on Windows. */
  get fd(): number {
    return this.#lock.fd;
  }

  /** The fencing token: see `FileLock.token`. */
  get token(): number {
    return this.#lock.token;
  }

  /** The record of an instance that did not release; `null` if the last one did. */
  get previous(): OwnerRecord<T> | null {
    return this.#lock.previous;
  }

  /** Whether the file at `path` is still the one that is locked. */
  isCurrent(): boolean {
    return this.#lock.isCurrent();
  }

  /** The same as a promise, which rejects with `ERR_LOCK_LOST` if it is not. */
  check(): Promise<void> {
    return this.#lock.check();
  }

  /**
   * Merges `patch` into your fields of the record, which a second instance sees:
   * see `FileLock.update`.
   */
  update(patch: Partial<T>): void {
    this.#lock.update(patch);
  }

  /**
   * As `FileLock.releaseSync`. Never touches a file that has replaced the locked
   * one. It receives no more messages, and does not wait for those that `onMessage`
   * is working on: their answers still go out if the process lives on.
   */
  releaseSync(): void {
    clearInterval(this.#timer);
    forgetSignals(this);
    this.#messages?.closeSync();
    this.#lock.releaseSync();
  }

  /**
   * The same, but the lock is held until `onMessage` has answered what it has
   * received, for at most 5 seconds. Do not await it in `onMessage`: it would
   * wait for that.
   */
  async release(): Promise<void> {
    if (this.#messages !== null) await this.#messages.close();
    this.releaseSync();
  }

  [Symbol.dispose](): void {
    this.releaseSync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  #check(): void {
    try {
      this.#failedChecks++;
      if (this.isCurrent()) {
        this.#failedChecks = 0;
        return;
      }
    } catch {
      // Whatever makes a check fail, the lock counts as lost if the next checks
      // fail, too.
      if (this.#failedChecks < MOST_FAILED_CHECKS) return;
    }
    clearInterval(this.#timer);
    this.#messages?.closeSync();
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
export function instanceLocker<T extends object = Record<string, unknown>>(
  options?: InstanceLockOptions<T>,
): Locker {
  const defaults = givenOptions(checkOptions(options, INSTANCE_OPTIONS), INSTANCE_OPTIONS);
  return {
    async acquire(path, given) {
      const { mode, ...merged } = withDefaults<InstanceLockOptions<T>>(defaults, given);
      checkExclusive(mode, checkFilePath(path), 'the locks of instances');
      return InstanceLock.acquire<T>(path, merged);
    },
    look: lookAtFile,
  };
}
