import { argumentError } from '../base/argument-errors.js';
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
import type { FilePath } from '../base/paths.js';

/** Options that `updateFile` and `updateJson` share. */
export interface UpdateOptions {
  /**
   * Milliseconds to wait for the lock, 0 to Infinity. Default: Infinity. With 0
   * the call fails at once, with `ERR_LOCK_HELD`; with more it fails with
   * `ERR_LOCK_TIMEOUT`.
   */
  timeout?: number | undefined;
  /**
   * Ends the wait, and aborts `context.signal`. If it is aborted before the file
   * is replaced, the update rejects with `signal.reason`, and nothing is written.
   */
  signal?: AbortSignal | undefined;
  /**
   * Called once, if the update has to wait, with the holder, or `null` if it is
   * not known. An error that it throws ends the wait.
   */
  onWait?: ((holder: Holder | null) => void) | undefined;
  /**
   * The lock file. Default: the path of the updated file, with links resolved,
   * plus `.lock`. The lock file is not removed. All programs that change the file
   * must lock the same one. A file whose name has more than 250 bytes needs this
   * option.
   */
  lockPath?: string | Buffer | URL | undefined;
  /**
   * Default `true`: the new content is on the disk when the update resolves, and
   * survives a power cut. `false` lets the system decide when to write it:
   * faster, and a killed process still never leaves it torn.
   */
  durable?: boolean | undefined;
  /**
   * The permissions of a new file, before umask. Default `0o666`, as for
   * `fs.writeFile`; use `0o600` for secrets. An existing file keeps its own.
   */
  permissions?: number | undefined;
}

/** Options of `updateFile`. */
export interface UpdateFileOptions extends UpdateOptions {
  /**
   * Default `'utf8'`: `fn` gets and returns strings; a file that is not UTF-8 is
   * refused, because writing it back would change its bytes. `'buffer'`: Buffers.
   */
  encoding?: 'utf8' | 'buffer' | undefined;
}

/** Options of `updateJson`. */
export interface UpdateJsonOptions extends UpdateOptions {
  /**
   * How the JSON is indented: a number of spaces, 0 to 10, or up to ten spaces and
   * tabs. Default 2.
   */
  spaces?: number | string | undefined;
}

/** The checked arguments of a call. */
export interface Request {
  path: FilePath;
  lockPath: FilePath | undefined;
  timeout: number;
  signal: AbortSignal | undefined;
  onWait: UpdateOptions['onWait'];
  durable: boolean;
  permissions: number;
}

const NAMES = {
  timeout: true,
  signal: true,
  onWait: true,
  lockPath: true,
  durable: true,
  permissions: true,
} as const;
const FILE_OPTIONS = optionNames<UpdateFileOptions>({ ...NAMES, encoding: true });
const JSON_OPTIONS = optionNames<UpdateJsonOptions>({ ...NAMES, spaces: true });

const ENCODINGS = ['utf8', 'buffer'] as const;

export function checkFileUpdate(
  path: unknown,
  options: UpdateFileOptions | undefined,
): Request & { encoding: 'utf8' | 'buffer' } {
  const checked = checkOptions(options, FILE_OPTIONS);
  const encoding = checkOneOf(checked.encoding, 'options.encoding', ENCODINGS, 'utf8');
  return { ...checkUpdate(path, checked), encoding };
}

export function checkJsonUpdate(
  path: unknown,
  options: UpdateJsonOptions | undefined,
): Request & { spaces: number | string } {
  const checked = checkOptions(options, JSON_OPTIONS);
  return { ...checkUpdate(path, checked), spaces: checkSpaces(checked.spaces) };
}

function checkUpdate(path: unknown, options: UpdateOptions): Request {
  const { lockPath, permissions } = options;
  return {
    path: checkPathOfFile(path, 'path'),
    lockPath: lockPath === undefined ? undefined : checkPathOfFile(lockPath, 'options.lockPath'),
    timeout: checkMilliseconds(options.timeout, 'options.timeout', Number.POSITIVE_INFINITY),
    signal: checkSignal(options.signal),
    onWait: checkFunction(options.onWait, 'options.onWait'),
    durable: checkBoolean(options.durable, 'options.durable', true),
    permissions:
      permissions === undefined
        ? 0o666
        : checkInteger(permissions, 'options.permissions', 0, 0o777),
  };
}

const SLASH_AT_END = process.platform === 'win32' ? /[\\/]$/ : /\/$/;

/** A slash at the end means a folder; without it, a file would be created in its place. */
function checkPathOfFile(path: unknown, name: string): FilePath {
  const checked = checkFilePath(path, name);
  const given = path instanceof URL ? path.pathname : (path as string | Buffer).toString('latin1');
  if (!SLASH_AT_END.test(given)) return checked;
  throw argumentError('ERR_INVALID_ARG_VALUE', name, 'a file: no slash at its end', given);
}

function checkSpaces(spaces: unknown): number | string {
  if (spaces === undefined) return 2;
  if (typeof spaces !== 'string') return checkInteger(spaces, 'options.spaces', 0, 10);
  if (/^[ \t]{0,10}$/.test(spaces)) return spaces;
  throw argumentError(
    'ERR_INVALID_ARG_VALUE',
    'options.spaces',
    'up to ten spaces and tabs',
    spaces,
  );
}

export function checkCallback<F>(fn: F): F {
  if (typeof fn === 'function') return fn;
  throw argumentError('ERR_INVALID_ARG_TYPE', 'fn', 'a function', fn);
}
