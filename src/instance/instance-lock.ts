import { EventEmitter } from 'node:events';
import { clearInterval, setInterval } from 'node:timers';
import {
  argumentError,
  checkFunction,
  checkInteger,
  checkMilliseconds,
  checkOneOf,
  checkOptions,
  givenOptions,
  optionNames,
} from '../base/arguments.js';
import {
  AlreadyRunningError,
  isLockError,
  type LockHeldError,
  LockLostError,
  LockStateError,
} from '../base/errors.js';
import type { Holder } from '../base/holder.js';
import type { AcquireOptions, HeldLock, Locker } from '../base/locker.js';
import type { OwnerRecord, RecordFormat } from '../holders/owner-record.js';
import { holderOf } from '../holders/who-holds.js';
import { FileLock, internalsOf, withDefaults } from '../lock/file-lock.js';
import { checkRequest, type FileLockOptions } from '../lock/options.js';
import type { Forced, ForceOptions, Refuse } from './confirm.js';
import { forgetSignals, releaseOnSignals } from './release-on-signals.js';
import { steal } from './steal.js';
import { terminate } from './terminate.js';

export interface InstanceForceOptions<T extends object = Record<string, unknown>> {
  /**
   * `'terminate'`: SIGTERM to the holder, `grace`, SIGKILL; the safe one.
   * `'steal'`: a new lock file in the place of the old one, whose holder runs
   * on; it hears of it within a second, if it listens.
   */
  how: 'steal' | 'terminate';
  /** Milliseconds between SIGTERM and SIGKILL. Default 5000. */
  grace?: number | undefined;
  /**
   * For `'terminate'`: the user whose processes may be ended, by number.
   * Default: the user that took the lock. Who may open a lock file can pass
   * its lock on to somebody else's process; where one of another user shares
   * it, or who took it cannot be told, nothing is signalled (`ERR_LOCK_FORCE`).
   */
  uid?: number | undefined;
  /**
   * Asked last, about the holder and, with `'terminate'`, all processes that
   * would be signalled; `false`: `AlreadyRunningError`.
   */
  confirm?: ((holder: Holder<T>, all: Holder<T>[]) => boolean | Promise<boolean>) | undefined;
}

export interface InstanceLockOptions<T extends object = Record<string, unknown>>
  extends Omit<AcquireOptions<T>, 'pollInterval'> {
  /** What is already running, in the message of the refusal. Default `'instance'`. */
  name?: string | undefined;
  /** The user's own fields of a JSON record: a URL, a port. */
  data?: Partial<T> | undefined;
  /** Default `'json'`. A file that is not Holdfast's own is an error. */
  record?: RecordFormat | undefined;
  /** Of a file that is created, before umask. Default `0o600`. */
  permissions?: number | undefined;
  /** Default 0: the second instance fails at once. */
  timeout?: number | undefined;
  /** Default `false`: the file is removed on release, exit and SIGINT, SIGTERM, SIGHUP. */
  keepFile?: boolean | undefined;
  /**
   * Called with the record of an instance that did not release, before any
   * work. Not for one that `force` has just ended or replaced.
   */
  onStale?: ((previous: OwnerRecord<T>) => void) | undefined;
  /** What to do about an instance that runs. Default: nothing. */
  force?: InstanceForceOptions<T> | undefined;
}

const INSTANCE_OPTIONS = optionNames<InstanceLockOptions & AcquireOptions>({
  name: true,
  data: true,
  record: true,
  permissions: true,
  timeout: true,
  keepFile: true,
  onStale: true,
  force: true,
  signal: true,
  onWait: true,
  // Not for those who call this one, but a Locker takes it.
  pollInterval: true,
});
const FORCE_OPTIONS = optionNames<InstanceForceOptions>({
  how: true,
  grace: true,
  uid: true,
  confirm: true,
});

interface Checked {
  name: string;
  file: FileLockOptions<object>;
  timeout: number;
  onStale: ((previous: OwnerRecord<never>) => void) | undefined;
  force: ForceOptions<never> | undefined;
}

/** `unknown`: of any user's fields, and whatever callers without types pass. */
function check(options: unknown): Checked {
  const { name, timeout, onStale, force, record, ...rest } = givenOptions(
    checkOptions(
      options as (InstanceLockOptions<object> & AcquireOptions<object>) | undefined,
      INSTANCE_OPTIONS,
    ),
    INSTANCE_OPTIONS,
  );
  if (name !== undefined && typeof name !== 'string') {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'options.name', 'a string', name);
  }
  return {
    name: name ?? 'instance',
    timeout: checkMilliseconds(timeout, 'options.timeout', 0),
    onStale: checkFunction(onStale, 'options.onStale') as Checked['onStale'],
    force: force === undefined ? undefined : checkForce(force),
    file: {
      keepFile: false,
      ...rest,
      record: checkOneOf(record, 'options.record', ['json', 'pid'] as const, 'json'),
    },
  };
}

// The one above it means none.
const HIGHEST_USER = 2 ** 32 - 2;

function checkForce(force: InstanceForceOptions<object>): ForceOptions<never> {
  const { how, grace, uid, confirm } = checkOptions(force, FORCE_OPTIONS, 'options.force');
  if (how !== 'steal' && how !== 'terminate') {
    throw argumentError(
      'ERR_INVALID_ARG_VALUE',
      'options.force.how',
      "'steal' or 'terminate'",
      how,
    );
  }
  return {
    how,
    grace: checkMilliseconds(grace, 'options.force.grace', 5000),
    uid: uid === undefined ? undefined : checkInteger(uid, 'options.force.uid', 0, HIGHEST_USER),
    confirm: checkFunction(confirm, 'options.force.confirm') as ForceOptions<never>['confirm'],
  };
}

/** The lock under an instance lock; for the command as well. */
export async function acquireInstance(
  path: string | Buffer | URL,
  options: unknown,
): Promise<FileLock<object>> {
  const { name, file, timeout, onStale, force } = check(options);
  const began = performance.now();
  const refuse: Refuse = (holder) =>
    new AlreadyRunningError(absolute, holder, name, Math.round(performance.now() - began));
  const { path: absolute } = checkRequest(path, file, timeout);
  let forced: Forced;
  try {
    forced = { lock: await FileLock.acquire(absolute, { ...file, timeout }), expected: false };
  } catch (error) {
    const { holder } = refusal(error);
    if (force === undefined) throw refuse(holder);
    // That it had to wait has been said.
    const { onWait: _said, ...quiet } = file;
    forced =
      force.how === 'steal'
        ? await steal(absolute, quiet, holder, force, refuse)
        : await terminate(absolute, quiet, force, refuse);
  }
  return begin(forced.lock, forced.expected ? undefined : onStale);
}

/** What is thrown for another reason is thrown on. */
function refusal(error: unknown): { holder: Holder<object> | null } {
  if (isLockError(error, 'ERR_LOCK_HELD') || isLockError(error, 'ERR_LOCK_TIMEOUT')) {
    return error as unknown as { holder: Holder<object> | null };
  }
  throw error;
}

/** Held, but is it an instance's? */
function begin(lock: FileLock<object>, onStale: Checked['onStale']): FileLock<object> {
  try {
    if (internalsOf(lock).record === null) {
      throw new LockStateError(
        lock.path,
        `no record can be written into ${lock.path}: it can only be read`,
      );
    }
    if (lock.previous !== null) onStale?.(lock.previous as OwnerRecord<never>);
    return lock;
  } catch (error) {
    lock.releaseSync();
    throw error;
  }
}

const CHECK_MILLISECONDS = 250;
const LOOKS = 3;

/**
 * One instance of a program: held while it runs, gone when it ends, and whoever
 * starts second is told about the first.
 *
 * At most one instance holds at any moment, unless the lock file is removed or
 * replaced from outside (`force: { how: 'steal' }` is that): then the old one
 * hears of it within a second, by `lost` and `signal`; where neither is
 * asked for, a process warning with code `HOLDFAST_INSTANCE_LOST` says it.
 */
export class InstanceLock<T extends object = Record<string, unknown>>
  extends EventEmitter<{ lost: [Holder<T> | null] }>
  implements HeldLock
{
  readonly #lock: FileLock<T>;
  readonly #controller = new AbortController();
  #signalTaken = false;
  #unseen = 0;
  readonly #timer: NodeJS.Timeout;

  private constructor(lock: FileLock<T>, keepFile: boolean) {
    super();
    this.#lock = lock;
    this.#timer = setInterval(() => this.#look(), CHECK_MILLISECONDS).unref();
    if (!keepFile) releaseOnSignals(this);
  }

  /**
   * Acquires, or rejects with {@link AlreadyRunningError} (at once, or after
   * `timeout`). With `force`, an instance that runs is ended or its lock file
   * replaced: `ERR_LOCK_FORCE` where that cannot be done safely, and then
   * nothing has been signalled or changed. Otherwise as `FileLock.acquire`.
   */
  static async acquire<T extends object = Record<string, unknown>>(
    path: string | Buffer | URL,
    options?: InstanceLockOptions<T>,
  ): Promise<InstanceLock<T>> {
    const lock = await acquireInstance(path, options);
    return new InstanceLock<T>(lock as unknown as FileLock<T>, options?.keepFile === true);
  }

  /** The same at once, without waiting and without force. */
  static acquireSync<T extends object = Record<string, unknown>>(
    path: string | Buffer | URL,
    options?: Omit<InstanceLockOptions<T>, 'timeout' | 'signal' | 'onWait' | 'force'>,
  ): InstanceLock<T> {
    const { name, file, onStale, force, timeout } = check(options);
    if (force !== undefined || timeout > 0) {
      const what = force === undefined ? 'options.timeout' : 'options.force';
      throw argumentError('ERR_INVALID_ARG_VALUE', what, 'left out: acquireSync cannot wait', what);
    }
    let lock: FileLock<object>;
    try {
      lock = FileLock.acquireSync(path, file);
    } catch (error) {
      const { holder } = refusal(error);
      throw new AlreadyRunningError((error as LockHeldError).path, holder, name);
    }
    begin(lock, onStale);
    return new InstanceLock<T>(lock as unknown as FileLock<T>, options?.keepFile === true);
  }

  /** Aborted with a `LockLostError` when the file is stolen, replaced or deleted. */
  get signal(): AbortSignal {
    // Whoever asks for it means to hear: also through AbortSignal.any(), whose
    // listeners cannot be counted.
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

  /** Merges into the record: what the second start is to be told. */
  update(patch: Partial<T>): void {
    this.#lock.update(patch);
  }

  /** As `FileLock.releaseSync`. Never harms a file that has replaced this one's. */
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

  #look(): void {
    try {
      this.#unseen++;
      if (this.isCurrent()) {
        this.#unseen = 0;
        return;
      }
    } catch {
      // Not to be looked at, for whatever reason: lost if it stays so.
      if (this.#unseen < LOOKS) return;
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
    process.emitWarning(message, { type: 'HoldfastWarning', code: 'HOLDFAST_INSTANCE_LOST' });
  }
}

/** A {@link Locker} of instance locks, with `options` as defaults. */
export function instanceLocker(options?: InstanceLockOptions<object>): Locker {
  const defaults = givenOptions(checkOptions(options, INSTANCE_OPTIONS), INSTANCE_OPTIONS);
  return {
    acquire: async (path, acquireOptions) =>
      InstanceLock.acquire<object>(path, withDefaults(defaults, acquireOptions)),
  };
}
