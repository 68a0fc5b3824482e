import { closeSync, constants, fstatSync, opendirSync, openSync, readSync } from 'node:fs';

/** Follow no link at the end of the path, and do not wait for a FIFO. Windows has no such flags. */
const FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
const FOLLOWING = FLAGS & ~(constants.O_NOFOLLOW ?? 0);
// Small enough for Node's pool of buffers.
const FIRST_BYTES = 2048;
const GROWTH = 8;

/**
 * The first `limit` bytes of a file, or of the rest of an open descriptor. Use it
 * for every file that another user can make long: their own files, and those in
 * /proc about their processes. To learn whether there is more, ask for one byte
 * more. Stops early once `isSpent` returns true: the kernel is slow to write some
 * of its tables.
 */
export function readBounded(
  file: string | Buffer | number,
  limit: number,
  isSpent: () => boolean = () => false,
): Buffer {
  if (typeof file === 'number') return readFrom(file, limit, isSpent);
  const fd = openSync(file, FLAGS);
  try {
    return readFrom(fd, limit, isSpent);
  } finally {
    closeSync(fd);
  }
}

/** Settings, and what git writes, have at most some kilobytes. */
const TEXT_LIMIT = 2 ** 23;

/**
 * The text of a small file that another program may have put there, such as
 * settings. Follows links. Throws if it is not a regular file: to read a FIFO
 * waits for a writer, and a device may have no end. Throws if it is longer than 8 MiB.
 */
export function readText(file: string): string {
  const fd = openSync(file, FOLLOWING);
  try {
    if (!fstatSync(fd).isFile()) throw new Error('it is not a regular file');
    const bytes = readFrom(fd, TEXT_LIMIT + 1, () => false);
    if (bytes.length > TEXT_LIMIT) throw new Error('it is longer than 8 MiB');
    return bytes.toString();
  } finally {
    closeSync(fd);
  }
}

function readFrom(fd: number, limit: number, isSpent: () => boolean): Buffer {
  let bytes = Buffer.allocUnsafe(Math.min(limit, FIRST_BYTES));
  let length = 0;
  for (;;) {
    // A short read is not the end: in /proc, a read gives at most a page.
    const read = readSync(fd, bytes, length, bytes.length - length, null);
    length += read;
    if (read === 0 || length === limit || isSpent()) return bytes.subarray(0, length);
    if (length < bytes.length) continue;
    const larger = Buffer.allocUnsafe(Math.min(limit, length * GROWTH));
    bytes.copy(larger, 0, 0, length);
    bytes = larger;
  }
}

/** The first `limit` names in a folder, in the folder's own order. */
export function listBounded(folder: string, limit: number): string[] {
  const names: string[] = [];
  const entries = opendirSync(folder);
  try {
    for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) {
      if (names.length === limit) break;
      names.push(entry.name);
    }
    return names;
  } finally {
    entries.closeSync();
  }
}
