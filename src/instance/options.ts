import { argumentError } from '../base/argument-errors.js';
import {
  checkFunction,
  checkInteger,
  checkMilliseconds,
  checkOneOf,
  checkOptions,
  givenOptions,
  HIGHEST_UID,
  optionNames,
} from '../base/arguments.js';
import type { Holder } from '../base/holder.js';
import type { AcquireOptions } from '../base/locker.js';
import type { OwnerRecord, RecordFormat } from '../holders/owner-record.js';
import type { FileLockOptions } from '../lock/options.js';
import type { ForceOptions } from './confirm.js';

/** How to force a running instance to give way. */
export interface InstanceForceOptions<T extends object = Record<string, unknown>> {
  /**
   * `'terminate'`, the safe one: sends SIGTERM to the holder and, after `grace`,
   * SIGKILL. `'steal'`: puts a new lock file in the place of the old one. The old
   * holder goes on running; it learns of it within a second, by `lost` or
   * `signal`.
   */
  how: 'steal' | 'terminate';
  /** Milliseconds between SIGTERM and SIGKILL. Default 5000. */
  grace?: number | undefined;
  /**
   * For `'terminate'`: the uid of the user whose processes may be ended.
   * Default: the user who took the lock. Any user who may open a lock file can
   * pass its lock on to a process of another user. If a process of another
   * user shares the lock, or the user who took it is unknown, nothing is
   * signalled (`ERR_LOCK_FORCE`).
   */
  uid?: number | undefined;
  /**
   * Called last, with the holder and, for `'terminate'`, all processes that
   * would be signalled. If it returns `false`: `AlreadyRunningError`.
   */
  confirm?: ((holder: Holder<T>, all: Holder<T>[]) => boolean | Promise<boolean>) | undefined;
}

/** What `onMessage` gets beside the message. */
export interface MessageContext {
  /** The process that sent it; `null` where this process cannot see it. */
  pid: number | null;
  /** Aborted if the sender goes away, or its timeout passes, before the answer. */
  signal: AbortSignal;
}

/** Handles a message; see {@link InstanceLockOptions.onMessage}. */
export type OnMessage = (message: unknown, context: MessageContext) => unknown;

/** Options of {@link InstanceLock.acquire}. */
export interface InstanceLockOptions<T extends object = Record<string, unknown>>
  extends Omit<AcquireOptions<T>, 'pollInterval'> {
  /** The name for the program in the message of the refusal. Default `'instance'`. */
  name?: string | undefined;
  /** Your own fields of a JSON record, such as a URL or a port. */
  data?: Partial<T> | undefined;
  /**
   * Default `'json'`. A file that is not Holdfast's own (not empty, not a record,
   * not a bare pid) is `ERR_LOCK_STATE`.
   */
  record?: RecordFormat | undefined;
  /** The permissions of a new file, before umask. Default `0o600`. */
  permissions?: number | undefined;
  /** Milliseconds. Default 0: the second instance fails at once. */
  timeout?: number | undefined;
  /** Default `false`: the file is removed on release, exit and SIGINT, SIGTERM, SIGHUP. */
  keepFile?: boolean | undefined;
  /**
   * Called on acquiring if the last instance did not release, with its record.
   * Not called for an instance that `force` has just ended or replaced.
   */
  onStale?: ((previous: OwnerRecord<T>) => void) | undefined;
  /** How to force a running instance to give way. Default: it is not forced. */
  force?: InstanceForceOptions<T> | undefined;
  /**
   * Called with each message that a second instance sends, beginning when the
   * promise of `acquire` has resolved. What it returns, or its promise resolves
   * to, is the answer: a JSON value of at most 1 MiB, or `undefined`. If it
   * throws, the sender's promise rejects with `ERR_INSTANCE_HANDLER`. A message
   * may come twice, if an instance dies before it has answered. Senders are
   * processes of the same user or of root; check what they send nevertheless.
   *
   * With it, the instance listens at a Unix socket beside the lock file,
   * `PATH.sock`. On Windows: `ERR_LOCK_UNSUPPORTED`.
   */
  onMessage?: OnMessage | undefined;
}

/** `force` and `onWait` have no place there: a running instance gets the message. */
export interface AcquireOrSendOptions<T extends object = Record<string, unknown>>
  extends Omit<InstanceLockOptions<T>, 'force' | 'onWait' | 'timeout'> {
  /** Required here: this process may become the first instance. */
  onMessage: OnMessage;
  /** How long to wait for the lock or an answer, in milliseconds. Default 5000. */
  timeout?: number | undefined;
}

export const INSTANCE_OPTIONS = optionNames<InstanceLockOptions & AcquireOptions>({
  name: true,
  data: true,
  record: true,
  permissions: true,
  timeout: true,
  keepFile: true,
  onStale: true,
  force: true,
  onMessage: true,
  signal: true,
  onWait: true,
  // Not documented here, but every Locker takes it.
  pollInterval: true,
});
const FORCE_OPTIONS = optionNames<InstanceForceOptions>({
  how: true,
  grace: true,
  uid: true,
  confirm: true,
});

export interface CheckedInstanceOptions {
  name: string;
  file: FileLockOptions<object>;
  timeout: number;
  onStale: ((previous: OwnerRecord<never>) => void) | undefined;
  force: ForceOptions<never> | undefined;
  onMessage: OnMessage | undefined;
}

/** Takes `unknown`: the fields of the record may have any type, and callers may have no types. */
export function checkInstanceOptions(options: unknown): CheckedInstanceOptions {
  const { name, timeout, onStale, force, onMessage, record, ...rest } = givenOptions(
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
    onStale: checkFunction(onStale, 'options.onStale') as CheckedInstanceOptions['onStale'],
    force: force === undefined ? undefined : checkForce(force),
    onMessage: checkFunction(onMessage, 'options.onMessage'),
    file: {
      keepFile: false,
      ...rest,
      record: checkOneOf(record, 'options.record', ['json', 'pid'] as const, 'json'),
    },
  };
}

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
    uid: uid === undefined ? undefined : checkInteger(uid, 'options.force.uid', 0, HIGHEST_UID),
    confirm: checkFunction(confirm, 'options.force.confirm') as ForceOptions<never>['confirm'],
  };
}
