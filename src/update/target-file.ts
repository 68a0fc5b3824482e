import { accessSync, constants, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';
import { errnoOf } from '../base/errno.js';
import { LockUnsupportedError, systemError } from '../base/errors.js';
import { type FilePath, pathText } from '../base/paths.js';
import { withPath } from '../base/with-path.js';
import { checkRegular } from './resolve-target.js';

/** The content of the file, and its owner and permissions. */
export interface OldFile {
  bytes: Buffer;
  stats: Stats;
}

const { O_RDONLY } = constants;
/** Windows has neither. */
const { O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants as Partial<typeof constants>;

/** `null`: there is no such file. It may have become something else since it was resolved. */
export async function readOldFile(path: FilePath): Promise<OldFile | null> {
  try {
    // O_NONBLOCK: to open a FIFO would wait for its other end.
    const handle = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const stats = await handle.stat();
      checkRegular(path, stats);
      return { bytes: await handle.readFile(), stats };
    } finally {
      await handle.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    if (code !== 'ENXIO') throw withPath(error, path);
    const message = `${pathText(path)} cannot be updated: it is a socket or a device`;
    throw new LockUnsupportedError(path, message, error);
  }
}

/**
 * A rename asks only for rights in the folder. Refuse users who may not write
 * into the file, as a write in place would; the rename would also change its
 * owner.
 */
export function checkWritable(path: FilePath): void {
  try {
    accessSync(path, constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EPERM') throw withPath(error, path);
    throw systemError(errnoOf('EACCES'), 'access', path);
  }
}
