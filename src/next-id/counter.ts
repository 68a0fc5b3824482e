import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { type FilePath, joinPath, pathText } from '../base/paths.js';
import { IdCounterError } from './errors.js';

/** Follows the name of the lock. */
export const ENDING = '.last';
const RANDOM_BYTES = 8;
/** How names begin that Holdfast gives to files of its own for a moment. */
export const OWN = '.holdfast-';

/** No id has been counted yet. */
export const NONE = -1;

const COUNTER = /^\d{1,32}\r?\n?$/;
// More than matches: of a longer file, the start does not match either.
const LONGEST = 64;

/**
 * The last id that was given out, from the file `{lockName}.last`: a decimal
 * number and a newline. What is anything else there belongs to somebody:
 * `ERR_ID_COUNTER`.
 */
export function readCounter(directory: FilePath, lockName: string): number {
  const path = joinPath(directory, lockName + ENDING);
  const text = readStart(path);
  if (text === null) return NONE;
  const last = COUNTER.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(last)) return last;
  throw new IdCounterError(pathText(path), 'it is not a number');
}

const REASONS: Record<string, string> = {
  ELOOP: 'it is a symbolic link',
  ENXIO: 'it is not a regular file',
  EACCES: 'it may not be read',
};

/** `null` where there is no such file. */
function readStart(path: FilePath): string | null {
  let fd: number;
  try {
    const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;
    // Of a FIFO, nobody has to wait for the other end.
    fd = openSync(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    const reason = REASONS[code];
    if (reason === undefined) throw error;
    throw new IdCounterError(pathText(path), reason, error);
  }
  try {
    if (!fstatSync(fd).isFile()) {
      throw new IdCounterError(pathText(path), 'it is not a regular file');
    }
    const bytes = Buffer.alloc(LONGEST);
    return bytes.toString('latin1', 0, readSync(fd, bytes));
  } finally {
    closeSync(fd);
  }
}

/** A counter that is ready to be put in place. */
export interface PreparedCounter {
  /** By one rename: a process that is killed leaves the old one. */
  commit(): void;
  discard(): void;
}

/**
 * The counter for `id`, in a file of its own: where the disk is full or read-only
 * that shows before the id is used. A process that is killed leaves the file,
 * and nobody removes it: it is a few bytes, no scan counts it, and to tell it
 * from a file of somebody else would take more than it is worth.
 */
export function prepareCounter(directory: FilePath, lockName: string, id: number): PreparedCounter {
  const random = randomBytes(RANDOM_BYTES).toString('hex');
  const temporary = joinPath(directory, `${OWN}${random}.new`);
  const discard = (): void => {
    try {
      unlinkSync(temporary);
    } catch {
      // Whoever calls this has an error that tells more.
    }
  };
  const last = Math.max(id, readCounter(directory, lockName));
  try {
    const fd = openSync(temporary, 'wx', 0o666);
    try {
      // All of it or an error: half of a number is a smaller one.
      writeFileSync(fd, `${last}\n`);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    // The name was made here, or there is none of it.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') discard();
    throw withPath(error as NodeJS.ErrnoException, pathText(temporary));
  }
  const commit = (): void => {
    try {
      // What was put there while the entry was created, and is larger, is kept.
      if (readCounter(directory, lockName) > last) discard();
      else renameSync(temporary, joinPath(directory, lockName + ENDING));
    } catch (error) {
      discard();
      throw error;
    }
  };
  return { commit, discard };
}

/** Node gives no path where it was given a descriptor. */
function withPath(error: NodeJS.ErrnoException, path: string): NodeJS.ErrnoException {
  if (error.path !== undefined) return error;
  error.message += ` '${path}'`;
  error.path = path;
  return error;
}

/** Counts `id` at once. */
export function raiseCounter(directory: FilePath, lockName: string, id: number): void {
  prepareCounter(directory, lockName, id).commit();
}
