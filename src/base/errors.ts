// More than 300 lines: all errors of the core are in one place, where a reader
// looks for them.
import { lstatSync } from 'node:fs';
import { constants } from 'node:os';
import util from 'node:util';
import { errnoOf } from './errno.js';
import { describeHolder, formatDuration, type Holder, oneLine } from './holder.js';
import { type FilePath, pathText } from './paths.js';

/** The `code` of every {@link LockError}. */
export type LockErrorCode =
  | 'ERR_LOCK_HELD'
  | 'ERR_LOCK_TIMEOUT'
  | 'ERR_LOCK_UNSUPPORTED'
  | 'ERR_LOCK_LOST'
  | 'ERR_LOCK_STATE'
  | 'ERR_LOCK_FORCE'
  | 'ERR_INSTANCE_NO_ANSWER'
  | 'ERR_INSTANCE_HANDLER'
  | 'ERR_CLAIM_CONFLICT'
  | 'ERR_CLAIM_INVALID'
  | 'ERR_ID_AMBIGUOUS'
  | 'ERR_ID_COUNTER';

// On the instance, so that an error of another copy of the package is recognised,
// too; instanceof would not recognise it.
const BRAND = Symbol.for('holdfast.LockError');

export function setName(errorClass: { prototype: Error }, name: string): void {
  Object.defineProperty(errorClass.prototype, 'name', {
    value: name,
    configurable: true,
    writable: true,
  });
}

/** The base class of all errors that are about a lock and not a system call. */
export class LockError extends Error {
  readonly code: LockErrorCode;
  /**
   * The lock file, absolute; bytes that are not UTF-8 are replaced. For a lock on
   * a server, its name.
   */
  readonly path: string;

  /** Paths may be anything, and messages are shown on terminals: each line of `message` is made safe. */
  constructor(
    code: LockErrorCode,
    path: FilePath,
    message: string | readonly string[],
    cause?: unknown,
  ) {
    const text = typeof message === 'string' ? oneLine(message) : message.map(oneLine).join('\n');
    super(text, cause === undefined ? undefined : { cause });
    this.code = code;
    this.path = pathText(path);
    Object.defineProperty(this, BRAND, { value: true });
  }
}
setName(LockError, 'LockError');

/**
 * The call was refused at once, because the lock is held. `cause` is the kernel's
 * answer, with code `EWOULDBLOCK` and syscall `flock`; a lock on a server has
 * none.
 */
export class LockHeldError<T extends object = Record<string, unknown>> extends LockError {
  /** Who holds it; `null` where that is not known. */
  readonly holder: Holder<T> | null;

  /** `cause`: `null` for a lock on a server, where the kernel was not asked. */
  constructor(path: FilePath, holder: Holder<T> | null, message?: string, cause?: null) {
    super(
      'ERR_LOCK_HELD',
      path,
      message ?? `${pathText(path)} is held by ${describeHolder(holder)}`,
      cause === null ? undefined : systemError(errnoOf('EWOULDBLOCK'), 'flock', path),
    );
    this.holder = holder;
  }
}
setName(LockHeldError, 'LockHeldError');

/** The answer of another instance. */
export interface InstanceAnswer {
  /** What its `onMessage` returned, or the promise of it resolved to. */
  answer: unknown;
  /** The pid of that instance; `null` if this process cannot see it. */
  pid: number | null;
}

/** Options of `AlreadyRunningError.send`. */
export interface InstanceSendOptions {
  /** How long to wait for the answer, in milliseconds. Default 5000. */
  timeout?: number | undefined;
  /** Ends the wait: rejects with `signal.reason`. The message may have been received. */
  signal?: AbortSignal | undefined;
}

type Send = (message: unknown, options?: InstanceSendOptions) => Promise<InstanceAnswer>;

/** Another instance holds the lock, and keeps it. */
export class AlreadyRunningError<
  T extends object = Record<string, unknown>,
> extends LockHeldError<T> {
  /** The pid of that instance; `null` if it is not known. */
  readonly pid: number | null;
  /** When it acquired the lock; `null` if it is not known. */
  readonly since: Date | null;
  /** What the other instance says about itself. */
  readonly data: Partial<T>;
  /** How long the call waited, in milliseconds. */
  readonly waited: number;
  readonly #send: Send | undefined;

  constructor(
    path: FilePath,
    holder: Holder<T> | null,
    name = 'instance',
    waited = 0,
    send?: Send,
  ) {
    const which =
      holder?.inOtherContainer === true
        ? 'in another container'
        : `pid ${holder?.pid ?? 'unknown'}`;
    super(path, holder, `another ${name} is already running (${which})`);
    this.pid = holder?.pid ?? null;
    this.since = holder?.since ?? null;
    this.data = holder?.data ?? {};
    this.waited = waited;
    this.#send = send;
  }

  /**
   * Sends a message, a JSON value of at most 1 MiB, to the instance that holds
   * the lock now, and resolves to what its `onMessage` answers. It is the same
   * as in `InstanceLock.acquireOrSend`, but this process never becomes the first.
   *
   * Rejects with `ERR_INSTANCE_NO_ANSWER` after `timeout`, `ERR_INSTANCE_HANDLER`
   * if `onMessage` threw, `ERR_LOCK_STATE` if something else is at `PATH.sock`,
   * `ERR_LOCK_UNSUPPORTED`, `signal.reason`, or an argument error.
   */
  async send(message: unknown, options?: InstanceSendOptions): Promise<InstanceAnswer> {
    if (this.#send !== undefined) return this.#send(message, options);
    const reason = `the holder of ${this.path} cannot receive messages: it is not an InstanceLock`;
    throw new LockUnsupportedError(this.path, reason);
  }
}
setName(AlreadyRunningError, 'AlreadyRunningError');

/** The deadline passed while the lock was held. */
export class LockTimeoutError<T extends object = Record<string, unknown>> extends LockError {
  /** Who held it at that moment; `null` where that is not known. */
  readonly holder: Holder<T> | null;
  /** The timeout of the call, in milliseconds. */
  readonly timeout: number;

  constructor(path: FilePath, holder: Holder<T> | null, timeout: number, message?: string) {
    super(
      'ERR_LOCK_TIMEOUT',
      path,
      message ??
        `gave up waiting for ${pathText(path)} after ${formatTimeout(timeout)}: held by ${describeHolder(holder)}`,
    );
    this.holder = holder;
    this.timeout = timeout;
  }
}
setName(LockTimeoutError, 'LockTimeoutError');

/** No lock is possible here: the file system, the kind of file, or a missing addon. */
export class LockUnsupportedError extends LockError {
  constructor(path: FilePath, message: string | readonly string[], cause?: unknown) {
    super('ERR_LOCK_UNSUPPORTED', path, message, cause);
  }
}
setName(LockUnsupportedError, 'LockUnsupportedError');

/**
 * The lock is no longer held: the file at the path is another one than the one
 * that is locked, or the session with the server has ended or may have ended.
 */
export class LockLostError extends LockError {
  /**
   * What the callback of `withLock` or `withLocks` returned, where the lock was
   * lost while it ran: its effects have happened, so do not simply retry.
   */
  declare readonly result?: unknown;

  constructor(path: FilePath, message: string, cause?: unknown) {
    super('ERR_LOCK_LOST', path, message, cause);
  }
}
setName(LockLostError, 'LockLostError');

/** The call does not fit the state of the lock: a mistake in the program. */
export class LockStateError extends LockError {
  constructor(path: FilePath, message: string, cause?: unknown) {
    super('ERR_LOCK_STATE', path, message, cause);
  }
}
setName(LockStateError, 'LockStateError');

/** The holder could not be forced to give way. */
export class LockForceError<T extends object = Record<string, unknown>> extends LockError {
  /** The holder; `null` where that is not known. */
  readonly holder: Holder<T> | null;

  constructor(path: FilePath, holder: Holder<T> | null, message: string, cause?: unknown) {
    super('ERR_LOCK_FORCE', path, message, cause);
    this.holder = holder;
  }
}
setName(LockForceError, 'LockForceError');

type Fields = Record<string, unknown>;
/** The class that goes with a code. */
export type LockErrorOf<C extends LockErrorCode> = C extends keyof LockErrors
  ? LockErrors[C]
  : LockError;
interface LockErrors {
  ERR_LOCK_HELD: LockHeldError<Fields>;
  ERR_LOCK_TIMEOUT: LockTimeoutError<Fields>;
  ERR_LOCK_UNSUPPORTED: LockUnsupportedError;
  ERR_LOCK_LOST: LockLostError;
  ERR_LOCK_STATE: LockStateError;
  ERR_LOCK_FORCE: LockForceError<Fields>;
}

/**
 * Whether `error` is an error of Holdfast and, if `code` is given, has that code.
 * Works across copies of the package, where `instanceof` does not.
 */
export function isLockError<C extends LockErrorCode>(
  error: unknown,
  code: C,
): error is LockErrorOf<C>;
export function isLockError(error: unknown): error is LockError;
export function isLockError(error: unknown, code?: LockErrorCode): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    (error as Record<symbol, unknown>)[BRAND] === true &&
    (code === undefined || (error as LockError).code === code)
  );
}

/** A failed system call, in the shape of `node:fs` errors. */
export interface SystemError extends Error {
  code: string;
  /** Negative, as in `node:fs`. */
  errno: number;
  syscall: string;
  path: string;
}

/** `errno` as the kernel gives it: positive. `reason`: instead of the system's text. */
export function systemError(
  errno: number,
  syscall: string,
  filePath: FilePath,
  reason?: string,
): SystemError {
  const path = pathText(filePath);
  const code = nameOf(errno, syscall);
  const number = libuvNumber(code, errno);
  // libuv's text, if it knows the error; it does not know ENOLCK and ESTALE.
  const text = reason ?? libuvErrors().get(number)?.[1] ?? `error ${errno}`;
  const error = new Error(`${code}: ${text}, ${syscall} '${oneLine(path)}'`);
  return Object.assign(error, { code, errno: number, syscall, path });
}

/** Number, name and text. Bun before 1.4 has no such function, so it is not imported by name. */
function libuvErrors(): ReturnType<typeof util.getSystemErrorMap> {
  const get = util.getSystemErrorMap as typeof util.getSystemErrorMap | undefined;
  return get?.() ?? new Map();
}

/** The `errno` of `node:fs`; on Windows, libuv's own number, not the C library's. */
function libuvNumber(code: string, errno: number): number {
  if (process.platform !== 'win32') return -errno;
  for (const [number, [name]] of libuvErrors()) if (name === code) return number;
  return -errno;
}

let names: Map<number, string> | undefined;

function nameOf(errno: number, syscall: string): string {
  // The same number on Linux; for a lock, this is the name that people search for.
  if (syscall === 'flock' && errno === constants.errno.EWOULDBLOCK) return 'EWOULDBLOCK';
  if (names === undefined) {
    names = new Map();
    for (const [name, number] of Object.entries(constants.errno)) {
      // The first of several names is the usual one: EAGAIN, ENOTSUP.
      if (!names.has(number)) names.set(number, name);
    }
  }
  return names.get(errno) ?? (errno === errnoOf('ESTALE') ? 'ESTALE' : 'UNKNOWN');
}

const UNSUPPORTED = ['ENOSYS', 'ENOLCK', 'ENOTSUP', 'EOPNOTSUPP'];

/**
 * The error for a failed flock. A file system that cannot lock must never look
 * like a held lock, nor like an acquired one.
 */
export function flockError(errno: number, filePath: FilePath): Error {
  const path = pathText(filePath);
  const cause = systemError(errno, 'flock', path);
  if (!UNSUPPORTED.includes(cause.code)) return cause;
  const message = `${path} cannot be locked: its file system has no flock (${cause.code})`;
  return new LockUnsupportedError(path, message, cause);
}

/** The error for a failed open. */
export function openError(errno: number, filePath: FilePath): Error {
  const path = pathText(filePath);
  const cause = systemError(errno, 'open', path, reasonOf(errno, filePath));
  if (process.platform === 'win32' && cause.code === 'ENOTSUP') {
    const message = `${path} cannot be a lock file: Windows cannot lock directories`;
    return new LockUnsupportedError(path, message, cause);
  }
  // For a socket, Linux reports ENXIO and macOS EOPNOTSUPP.
  if (!['ENXIO', 'ENODEV', 'EOPNOTSUPP'].includes(cause.code)) return cause;
  const message = `${path} cannot be a lock file: it is neither a regular file nor a directory`;
  return new LockUnsupportedError(path, message, cause);
}

function reasonOf(errno: number, path: FilePath): string | undefined {
  if (errno !== constants.errno.ELOOP) return undefined;
  return isLink(path)
    ? 'it is a symbolic link, which is not followed: give the path of its target'
    : 'its folders are symbolic links that lead in a circle';
}

/** False where links among the folders are the cause. */
function isLink(path: FilePath): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}

/** `300 ms`, `2s`, `2.5s`, `1m 30s`. */
export function formatTimeout(timeout: number): string {
  if (timeout < 1000) return `${Math.round(timeout)} ms`;
  return timeout < 10_000 ? `${Math.round(timeout / 100) / 10}s` : formatDuration(timeout);
}
