import { argumentError } from '../base/argument-errors.js';
import {
  checkBoolean,
  checkFilePath,
  checkFunction,
  checkInteger,
  checkMilliseconds,
  checkOptions,
  checkPath,
  checkSignal,
  optionNames,
} from '../base/arguments.js';
import { checkFileName } from '../base/file-name.js';
import { checkLocker, type Locker } from '../base/locker.js';
import type { FilePath } from '../base/paths.js';
import { ENDING } from './counter.js';

/** Options of {@link withNextId}. */
export interface NextIdOptions {
  /**
   * Its first group is the id in the name of an entry. Names that do not match
   * have no id. Default: the number that names begin with, if all names with a
   * number begin with one; else their only number; anything else is
   * `ERR_ID_AMBIGUOUS`.
   */
  pattern?: RegExp | undefined;
  /** Returns the ids in use, if they are not in the names of the directory's entries. */
  scan?: (() => Iterable<number> | AsyncIterable<number> | Promise<Iterable<number>>) | undefined;
  /**
   * Directories that share the numbers: their ids count, and each counts the new
   * one. They must exist. All are locked, in the same order by all callers.
   */
  with?: readonly (string | Buffer | URL)[] | undefined;
  /**
   * The digits of `text`, 1 to 16: shorter ids get leading zeros. Default: the
   * width that all entries are padded to; without one, 1.
   */
  pad?: number | undefined;
  /** The name of the lock file in the directory. Default `'.next-id.lock'`. */
  lockName?: string | undefined;
  /** Milliseconds to wait, for all locks together, 0 to Infinity. Default 30,000. */
  timeout?: number | undefined;
  /**
   * Default `false`: no id is given out twice, even after its entry was
   * deleted. `true`: the smallest id that no entry has.
   */
  reuse?: boolean | undefined;
  /** The first id. Default 1. */
  start?: number | undefined;
  /**
   * Where the locks come from. Default `fileLocker()`; for tests
   * `memoryLocker()`. The path of the lock file is then the name of the lock; the
   * ids and their counter stay in the directory, which all callers have to share.
   * Paths must be text: one that is not UTF-8 is `ERR_INVALID_ARG_VALUE`.
   */
  locker?: Locker | undefined;
  /** Ends the wait for the lock, and is passed to `create`. */
  signal?: AbortSignal | undefined;
}

/** The checked arguments of a call. */
export interface Request {
  directory: FilePath;
  others: FilePath[];
  lockName: string;
  pattern: RegExp | undefined;
  scan: NextIdOptions['scan'];
  pad: number | undefined;
  timeout: number;
  reuse: boolean;
  start: number;
  locker: Locker | undefined;
  signal: AbortSignal | undefined;
}

const NEXT_ID_OPTIONS = optionNames<NextIdOptions>({
  pattern: true,
  scan: true,
  lockName: true,
  with: true,
  pad: true,
  timeout: true,
  reuse: true,
  start: true,
  locker: true,
  signal: true,
});

const LOCK_NAME = '.next-id.lock';
const TIMEOUT_MILLISECONDS = 30_000;
const MOST_DIGITS = String(Number.MAX_SAFE_INTEGER).length;

export function checkNextId(directory: unknown, options: NextIdOptions | undefined): Request {
  const checked = checkOptions(options, NEXT_ID_OPTIONS);
  const { lockName = LOCK_NAME, start, pad, with: others = [] } = checked;
  const locker = checkLocker(checked.locker);
  // A locker takes text.
  const checkFolder = locker === undefined ? checkFilePath : checkPath;
  if (!Array.isArray(others)) {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'options.with', 'an array of paths', others);
  }
  return {
    directory: checkFolder(directory, 'directory'),
    others: others.map((each, at) => checkFolder(each, `options.with[${at}]`)),
    lockName: checkFileName(lockName, 'options.lockName', ENDING),
    pattern: checkPattern(checked.pattern),
    scan: checkFunction(checked.scan, 'options.scan'),
    pad: pad === undefined ? undefined : checkInteger(pad, 'options.pad', 1, MOST_DIGITS),
    timeout: checkMilliseconds(checked.timeout, 'options.timeout', TIMEOUT_MILLISECONDS),
    reuse: checkBoolean(checked.reuse, 'options.reuse', false),
    start:
      start === undefined ? 1 : checkInteger(start, 'options.start', 0, Number.MAX_SAFE_INTEGER),
    locker,
    signal: checkSignal(checked.signal),
  };
}

/** A copy, because a RegExp with the flag g keeps the position of its last match. */
function checkPattern(pattern: unknown): RegExp | undefined {
  if (pattern === undefined) return undefined;
  if (!(pattern instanceof RegExp)) {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'options.pattern', 'a RegExp', pattern);
  }
  const groups = new RegExp(`${pattern.source}|`, pattern.flags).exec('') as RegExpExecArray;
  if (groups.length > 1) return new RegExp(pattern);
  const rule = 'with a group around the id, as in /task-(\\d+)/';
  throw argumentError('ERR_INVALID_ARG_VALUE', 'options.pattern', rule, String(pattern));
}
