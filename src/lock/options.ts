import {
  checkBoolean,
  checkFilePath,
  checkFunction,
  checkInteger,
  checkMilliseconds,
  checkOneOf,
  checkOptions,
  checkSignal,
  optionNames,
} from '../base/arguments.js';
import { EXCLUSIVE, loadBinding, type NativeBinding, SHARED } from '../native/binding.js';
import type { Holder } from '../base/holder.js';
import { checkData, type RecordFormat } from '../holders/owner-record.js';
import type { FilePath } from '../base/paths.js';

export type LockMode = 'exclusive' | 'shared';

export interface AcquireOptions<T extends object = Record<string, unknown>> {
  /**
   * How long to wait, in milliseconds, 0 to Infinity. Default: Infinity for
   * `acquire`, 0 for `acquireSync`. 0 fails at once, with `ERR_LOCK_HELD`;
   * a longer one fails with `ERR_LOCK_TIMEOUT`, never early.
   */
  timeout?: number | undefined;
  /**
   * Ends the wait: rejects with `signal.reason`, unchanged. A grant that comes
   * at the same moment is given back. `acquireSync` looks at it once, before
   * it waits.
   */
  signal?: AbortSignal | undefined;
  /**
   * Called once, when it turns out that the lock has to be waited for, with
   * the holder where it can be told. What it throws ends the wait.
   */
  onWait?: ((holder: Holder<T> | null) => void) | undefined;
  /**
   * Poll instead of waiting in the kernel, at most this many milliseconds
   * apart (jittered, from 1 ms on doubling up to it). Default: wait in the
   * kernel; where that is not possible, poll every 50 ms.
   */
  pollInterval?: number | undefined;
}

export interface FileLockOptions<T extends object = Record<string, unknown>>
  extends AcquireOptions<T> {
  /** Default `'exclusive'`. Any number of shared holders exclude an exclusive one. */
  mode?: LockMode | undefined;
  /**
   * Of a file that is created, before umask. Default `0o600`: whoever may open
   * a lock file may hold its lock for ever.
   */
  permissions?: number | undefined;
  /**
   * What an exclusive holder writes into the file. Default `'json'` where the
   * file is Holdfast's own (empty, a record, a bare pid), else nothing. Asked
   * for on another file it is `ERR_LOCK_STATE`. Where the disk takes none (full,
   * broken, read-only) the default is a lock without a record and a process
   * warning with code `HOLDFAST_NO_RECORD`; asked for, the system's error.
   */
  record?: RecordFormat | false | undefined;
  /**
   * The user's own fields of a JSON record; where the file is not Holdfast's
   * own, they are not written, and where the disk takes none, it is the system's
   * error. Reserved: `pid`, `startedAt`, `holdfast`. A file that another user
   * owns (not root) is `ERR_LOCK_STATE`, for he could read them, unless
   * `permissions` say that all may (`0o644`).
   */
  data?: Partial<T> | undefined;
  /**
   * Default `true`. `false` removes the file on release; never one that is not
   * Holdfast's own. Not where programs that do not compare path and descriptor
   * (flock(1), cargo) share the file: they would end up locking nothing.
   */
  keepFile?: boolean | undefined;
}

const OF_ACQUIRE = { timeout: true, signal: true, onWait: true, pollInterval: true } as const;
export const ACQUIRE_OPTIONS = optionNames<AcquireOptions>(OF_ACQUIRE);
export const FILE_LOCK_OPTIONS = optionNames<FileLockOptions>({
  ...OF_ACQUIRE,
  mode: true,
  permissions: true,
  record: true,
  data: true,
  keepFile: true,
});

/** A checked call. */
export interface Request {
  native: NativeBinding;
  path: FilePath;
  mode: LockMode;
  permissions: number;
  record: RecordFormat | false;
  /** The record was asked for by name. */
  recordWanted: boolean;
  /** From {@link checkData}. */
  dataText: string;
  keepFile: boolean;
  /** The record is to say that it is that of a member of an election. */
  member: boolean;
  timeout: number;
  signal: AbortSignal | undefined;
  onWait: ((holder: Holder<never> | null) => void) | undefined;
  pollInterval: number | undefined;
}

export function checkRequest(
  path: unknown,
  options: FileLockOptions<object> | undefined,
  defaultTimeout: number,
): Request {
  const checked = checkOptions(options, FILE_LOCK_OPTIONS);
  const { permissions, pollInterval, record, signal, onWait } = checked;
  const keepFile = checkBoolean(checked.keepFile, 'options.keepFile', true);
  const lockPath = checkFilePath(path);
  const request: Request = {
    native: undefined as never,
    path: lockPath,
    mode: checkOneOf(checked.mode, 'options.mode', ['exclusive', 'shared'] as const, 'exclusive'),
    permissions:
      permissions === undefined
        ? 0o600
        : checkInteger(permissions, 'options.permissions', 0, 0o7777),
    record: checkOneOf(record, 'options.record', ['json', 'pid', false] as const, 'json'),
    recordWanted: record === 'json' || record === 'pid',
    dataText: checkData(checked.data),
    keepFile,
    member: false,
    timeout: checkMilliseconds(checked.timeout, 'options.timeout', defaultTimeout),
    signal: checkSignal(signal),
    onWait: checkFunction(onWait, 'options.onWait') as Request['onWait'],
    pollInterval:
      pollInterval === undefined
        ? undefined
        : checkInteger(pollInterval, 'options.pollInterval', 1, 2 ** 31 - 1),
  };
  // Only a call that is right in itself needs the addon.
  request.native = loadBinding(lockPath);
  return request;
}

export function nativeMode(mode: LockMode): typeof EXCLUSIVE | typeof SHARED {
  return mode === 'exclusive' ? EXCLUSIVE : SHARED;
}
