import { lstatSync } from 'node:fs';
import { LockStateError } from '../base/errors.js';
import { type FilePath, pathText } from '../base/paths.js';
import { sleep } from '../base/timers.js';
import { type FileLock, internalsOf } from '../lock/file-lock.js';
import { Deadline } from '../lock/wait.js';
import { checkSocket, connectTo, isClosed, peerOf, strangers } from './socket-file.js';

/** How long to wait for another listener at the path to end. */
const LISTENER_MILLISECONDS = 1000;
const LISTENER_POLL_MILLISECONDS = 20;

/**
 * Throws if anything but a socket left by a crash is at `path`. Nobody else
 * listens there while we hold the lock, except
 *   - the previous holder: we stole the lock from it, or it is dying, and its
 *     lock was free before its socket was closed;
 *   - another program, which has nothing to do with the lock.
 */
export async function checkReplaceable(path: FilePath, lock: FileLock<object>): Promise<void> {
  const { file } = internalsOf(lock);
  const deadline = new Deadline(LISTENER_MILLISECONDS);
  for (;;) {
    const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (stats === undefined) return;
    checkSocket(stats, path, file);
    if (Number(stats.uid) !== process.geteuid?.()) throw strangers(path, file, Number(stats.uid));
    const pid = await listenerAt(path, file);
    if (pid === undefined || (pid !== null && pid === lock.previous?.pid)) return;
    if (deadline.remaining === 0) {
      const who = pid === null ? 'another process' : `pid ${pid}`;
      const message = `${pathText(path)} is the socket of ${who}, which does not hold ${pathText(file)}; choose another path`;
      throw new LockStateError(file, message);
    }
    await sleep(LISTENER_POLL_MILLISECONDS, undefined);
  }
}

/** The pid of the process that listens there; `null`: unknown; `undefined`: nobody listens. */
async function listenerAt(path: FilePath, file: FilePath): Promise<number | null | undefined> {
  try {
    const socket = await connectTo(path, file);
    const { pid } = peerOf(socket, path);
    socket.destroy();
    return pid;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ECONNREFUSED' || code === 'ENOENT') return undefined;
    // Its queue is full, or it ended just now.
    if (code === 'EAGAIN' || isClosed(code)) return null;
    throw error;
  }
}
