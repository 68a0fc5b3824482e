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
import { temporaryName } from '../base/temporary-name.js';
import { withPath } from '../base/with-path.js';
import { IdCounterError } from './errors.js';

/** Follows the name of the lock. */
export const ENDING = '.last';

/** No id has been given out yet. */
const NONE = -1;

const COUNTER = /^\d{1,32}\r?\n?$/;
// More bytes than can match. If a file is longer, its start does not match either.
const MOST_BYTES = 64;

/**
 * The last id that was given out, from the file `{lockName}.last`: a decimal
 * number and a newline. A file with other content belongs to another program:
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

/** `null` if there is no such file. */
function readStart(path: FilePath): string | null {
  let fd: number;
  try {
    const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;
    // O_NONBLOCK: to open a FIFO would wait for its other end.
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
    const bytes = Buffer.alloc(MOST_BYTES);
    return bytes.toString('latin1', 0, readSync(fd, bytes));
  } finally {
    closeSync(fd);
  }
}

/** A counter that is ready to be put in place. */
export interface PreparedCounter {
  /** One rename: a process that is killed before that leaves the old counter. */
  commit(): void;
  discard(): void;
}

/**
 * Writes the counter for `id` into a temporary file. If the disk is full or
 * read-only, this fails before the id is used. A process that is killed leaves
 * the file, and nobody removes it: it has a few bytes, no scan counts it, and
 * nothing reliably distinguishes it from a file of another program.
 */
export function prepareCounter(directory: FilePath, lockName: string, id: number): PreparedCounter {
  const temporary = joinPath(directory, temporaryName('.new'));
  const discard = (): void => {
    try {
      unlinkSync(temporary);
    } catch {
      // The caller has an error that says more.
    }
  };
  const last = Math.max(id, readCounter(directory, lockName));
  try {
    const fd = openSync(temporary, 'wx', 0o666);
    try {
      // All of it or an error: half of a number would be a smaller number.
      writeFileSync(fd, `${last}\n`);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    // Unless it existed before, a file of this name is ours.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') discard();
    throw withPath(error, temporary);
  }
  const commit = (): void => {
    try {
      // A larger counter that was written while the entry was created is kept.
      if (readCounter(directory, lockName) > last) discard();
      else renameSync(temporary, joinPath(directory, lockName + ENDING));
    } catch (error) {
      discard();
      throw error;
    }
  };
  return { commit, discard };
}

/** Raises the counter to `id` at once. */
export function raiseCounter(directory: FilePath, lockName: string, id: number): void {
  prepareCounter(directory, lockName, id).commit();
}
