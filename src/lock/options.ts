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
import type { Holder } from '../base/holder.js';
import { type AcquireOptions, checkMode, type LockMode, OF_ACQUIRE } from '../base/locker.js';
import type { FilePath } from '../base/paths.js';
import { LONGEST_TIMER } from '../base/timers.js';
import type { LockFile } from '../holders/lock-file.js';
import { checkData, type RecordFormat } from '../holders/owner-record.js';
import { EXCLUSIVE, type NativeBinding, SHARED, WISHES } from '../native/binding.js';
import { loadBinding } from '../native/load.js';

/** Options of {@link FileLock.acquire} and its siblings. */
export interface FileLockOptions<T extends object = Record<string, unknown>>
  extends AcquireOptions<T> {
  /**
   * Default `'exclusive'`. Any number of shared holders can hold together; they
   * exclude an exclusive one.
   */
  mode?: LockMode | undefined;
  /**
   * The permissions of a file that the call creates, before umask. Default
   * `0o600`: anyone who may open a lock file may hold its lock without end.
   */
  permissions?: number | undefined;
  /**
   * What an exclusive holder writes into the file. Default: `'json'` if the file
   * is Holdfast's own (empty, a record, a bare pid), else nothing. If you set it,
   * a file with other content is `ERR_LOCK_STATE`. If the disk cannot be written
   * (full, broken, read-only), the default is a lock without a record and a
   * process warning with code `HOLDFAST_NO_RECORD`; if you set it, the system's
   * error.
   */
  record?: RecordFormat | false | undefined;
  /**
   * Your own fields of the JSON record. They are not written into a file that is
   * not Holdfast's own; if the disk cannot be written, it is the system's error.
   * Reserved: `pid`, `startedAt`, `holdfast`. A file of another user (not root)
   * is `ERR_LOCK_STATE`, because that user could read them, unless `permissions`
   * allow everybody to (`0o644`).
   */
  data?: Partial<T> | undefined;
  /**
   * Default `true`. `false` removes the file on release, if it is Holdfast's own.
   * Do not use it where programs share the file that do not compare path and
   * descriptor (flock(1), cargo): they would end up locking nothing.
   */
  keepFile?: boolean | undefined;
}

export const FILE_LOCK_OPTIONS = optionNames<FileLockOptions>({
  ...OF_ACQUIRE,
  mode: true,
  permissions: true,
  record: true,
  data: true,
  keepFile: true,
});

/** The checked arguments of a call. */
export interface Request {
  readonly native: NativeBinding;
  readonly path: FilePath;
  readonly mode: LockMode;
  readonly permissions: number;
  /** Creates a missing file and the folders above it. */
  readonly create: boolean;
  readonly record: RecordFormat | false;
  /**
   * One of several locks of which any will do: the caller tries them all and
   * pauses once itself. So an attempt is not repeated, and a wait for a lock held
   * around the code is not a mistake in itself.
   */
  readonly oneOfMany: boolean;
  /** The caller set `record`. */
  readonly recordWanted: boolean;
  /** From {@link checkData}. */
  readonly dataText: string;
  readonly keepFile: boolean;
  /** The record is marked as that of a member of an election. */
  readonly member: boolean;
  /** The request in the addon's form: a mode and {@link WISHES}. */
  readonly wish: number;
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
  readonly onWait: ((holder: Holder<never> | null) => void) | undefined;
  readonly pollInterval: number | undefined;
  /** Locks that the same call holds and keeps until it has this one. */
  readonly beside?: readonly LockFile[];
}

const RECORDS = ['json', 'pid', false] as const;

/** A file that is created with this bit may be read by anybody. */
export const OTHERS_MAY_READ = 0o004;

export function checkRequest(
  path: unknown,
  options: FileLockOptions<object> | undefined,
  defaultTimeout: number,
  {
    create = true,
    member = false,
    oneOfMany = false,
  }: { create?: boolean; member?: boolean; oneOfMany?: boolean } = {},
): Request {
  const checked = checkOptions(options, FILE_LOCK_OPTIONS);
  const { pollInterval, record: given, signal, onWait } = checked;
  const keepFile = checkBoolean(checked.keepFile, 'options.keepFile', true);
  const lockPath = checkFilePath(path);
  const mode = checkMode(checked.mode);
  const permissions =
    checked.permissions === undefined
      ? 0o600
      : checkInteger(checked.permissions, 'options.permissions', 0, 0o7777);
  const record = checkOneOf(given, 'options.record', RECORDS, 'json');
  const dataText = checked.data === undefined ? '' : checkData(checked.data);
  const isPrivate = dataText !== '' && (permissions & OTHERS_MAY_READ) === 0;
  return {
    path: lockPath,
    mode,
    permissions,
    create,
    oneOfMany,
    record,
    recordWanted: given === 'json' || given === 'pid',
    dataText,
    keepFile,
    member,
    wish:
      nativeMode(mode) |
      (record === false ? 0 : WISHES[record]) |
      (keepFile ? 0 : WISHES.remove) |
      (member ? WISHES.member : 0) |
      (isPrivate && record === 'json' ? WISHES.private : 0),
    timeout: checkMilliseconds(checked.timeout, 'options.timeout', defaultTimeout),
    signal: checkSignal(signal),
    onWait: checkFunction(onWait, 'options.onWait') as Request['onWait'],
    pollInterval:
      pollInterval === undefined
        ? undefined
        : checkInteger(pollInterval, 'options.pollInterval', 1, LONGEST_TIMER),
    // Last, because a call with wrong arguments does not need the addon.
    native: loadBinding(lockPath),
  };
}

export function nativeMode(mode: LockMode): typeof EXCLUSIVE | typeof SHARED {
  return mode === 'exclusive' ? EXCLUSIVE : SHARED;
}
