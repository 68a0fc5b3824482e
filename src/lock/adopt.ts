import {
  errnoOf,
  LockLostError,
  LockStateError,
  LockUnsupportedError,
  openError,
  systemError,
} from '../base/errors.js';
import { pathText } from '../base/paths.js';
import { modeOfDescriptor, walkSync } from '../holders/kernel-tables.js';
import { nextToken } from '../holders/owner-record.js';
import { IS_DIRECTORY, IS_READ_ONLY } from '../native/binding.js';
import { comparePath, type Held, heldOf, readRecord, writeRecordIfPossible } from './hold.js';
import { nativeMode, type Request } from './options.js';

/** Takes over a lock that a parent handed down as `fd`; its mode is `request`'s from then on. */
export function adopt(request: Request, fd: number): Held {
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
  // Asks for nothing but what a closed descriptor refuses.
  const id = native.adopt(fd, path, nativeMode(mode ?? 'shared'));
  if (id < 0) {
    const unlockable = -id === errnoOf('ENXIO');
    throw unlockable ? openError(-id, path) : systemError(-id, 'fcntl', path);
  }
  try {
    if (mode === null) {
      throw new LockStateError(path, `descriptor ${fd} holds no lock, so there is none to adopt`);
    }
    request.mode = mode;
    return adoptRecord(request, id, fd);
  } catch (error) {
    native.forget(id);
    throw error;
  }
}

/** The token is the hold's; the record becomes that of this process. */
function adoptRecord(request: Request, id: number, fd: number): Held {
  const { native, path, mode, record } = request;
  const size = comparePath(request, id);
  if (size < 0) {
    throw new LockLostError(path, `descriptor ${fd} is not of the file at ${pathText(path)}`);
  }
  const plain = (native.traits(id) & (IS_DIRECTORY | IS_READ_ONLY)) === 0;
  const content = readRecord(request, id, size);
  if (!request.keepFile && content.ours && plain) native.removeAtEnd(id);
  const exclusive = mode === 'exclusive';
  const token = exclusive && content.token === 0 ? nextToken(0, path) : content.token;
  const ours = content.ours && plain && exclusive;
  if (request.recordWanted && !ours) {
    throw new LockStateError(path, `no record can be written into ${pathText(path)}`);
  }
  const held: Held = {
    ...heldOf(request, id),
    token,
    record: ours && record !== false ? record : null,
    since: Date.now(),
  };
  // The parent may detach at this moment and take its own record out.
  writeRecordIfPossible(request, held, request.dataText, true);
  return held;
}
