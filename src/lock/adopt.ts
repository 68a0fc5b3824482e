import { errnoOf } from '../base/errno.js';
import {
  LockLostError,
  LockStateError,
  LockUnsupportedError,
  openError,
  systemError,
} from '../base/errors.js';
import type { LockMode } from '../base/locker.js';
import { pathText } from '../base/paths.js';
import { modeOfDescriptor, walkSync } from '../holders/kernel-tables.js';
import { LockFile } from '../holders/lock-file.js';
import { nextToken } from '../holders/token.js';
import { type Hold, holdOf } from './hold.js';
import { recordHold } from './hold-record.js';
import { nativeMode, type Request } from './options.js';

/** Takes over a lock that a parent handed down as `fd`, with its mode. */
export function adopt(request: Request, fd: number): { hold: Hold; mode: LockMode } {
  const { native, path } = request;
  if (process.platform !== 'linux') {
    throw new LockUnsupportedError(
      path,
      'a lock cannot be adopted here: only Linux tells whether a descriptor has one',
      systemError(errnoOf('ENOTSUP'), 'fcntl', path),
    );
  }
  if (native.owns(fd)) {
    throw new LockStateError(path, `descriptor ${fd} belongs to a lock of this process already`);
  }
  const mode = walkSync(modeOfDescriptor(fd));
  // Only a closed descriptor is refused.
  const id = native.adopt(fd, path, nativeMode(mode ?? 'shared'));
  if (id < 0) {
    const unlockable = -id === errnoOf('ENXIO');
    throw unlockable ? openError(-id, path) : systemError(-id, 'fcntl', path);
  }
  try {
    if (mode === null) {
      throw new LockStateError(path, `descriptor ${fd} holds no lock, so there is none to adopt`);
    }
    return { hold: adoptFile(request, new LockFile(native, id, path), { fd, mode }), mode };
  } catch (error) {
    native.relinquish(id);
    throw error;
  }
}

/** Keeps the token of the hold; the record now names this process. */
function adoptFile(
  request: Request,
  file: LockFile,
  { fd, mode }: { fd: number; mode: LockMode },
): Hold {
  const { path } = request;
  const size = file.size();
  if (size < 0) {
    throw new LockLostError(path, `descriptor ${fd} is not of the file at ${pathText(path)}`);
  }
  const content = file.read(size);
  if (!request.keepFile && content.ours && !file.isFixed) file.removeAtEnd();
  const exclusive = mode === 'exclusive';
  if (request.recordWanted && !(exclusive && content.ours && !file.isFixed)) {
    throw new LockStateError(path, `no record can be written into ${pathText(path)}`);
  }
  const hold = holdOf(request, file);
  hold.token = exclusive && content.token === 0 ? nextToken(0, path) : content.token;
  hold.since = Date.now();
  // The parent may detach at this moment and remove its own record.
  if (exclusive) recordHold(hold, content, { data: request.dataText, guarded: true });
  return hold;
}
