import { readlinkSync } from 'node:fs';
import { flockError, LockHeldError, LockTimeoutError, systemError } from '../base/errors.js';
import type { LockMode } from '../base/locker.js';
import { pathText } from '../base/paths.js';
import { holderOf } from '../holders/who-holds.js';
import { IS_REMOTE, loadBinding, type NativeProgram, UNLOCKED } from '../native/binding.js';
import { type FileLock, internalsOf } from './file-lock.js';
import { nativeMode } from './options.js';
import { attempt, deadlineOf, waitForLock } from './waiting.js';

/**
 * Turns this process into `command`, which then holds the lock: exec(3). The
 * record goes first, for nobody could take it out any more. Throws where the
 * command cannot be run.
 */
export function executeInPlace(lock: FileLock, program: NativeProgram): never {
  const { native, id } = internalsOf(lock);
  native.clear(id);
  const [file = ''] = program.arguments;
  throw systemError(native.execute(program), 'execve', pathText(file));
}

/**
 * Locks, or unlocks, a descriptor that stays the caller's: the lock belongs to
 * whoever shares its description, and outlives this process with them.
 */
export async function lockDescriptor(
  fd: number,
  mode: LockMode | 'unlocked',
  timeout: number,
): Promise<void> {
  const native = loadBinding(`descriptor ${fd}`);
  const link = `/proc/self/fd/${fd}`;
  const id = native.borrow(fd, link);
  if (id < 0) throw systemError(-id, 'fcntl', link);
  const path = pathOf(link) ?? `descriptor ${fd}`;
  const remote = (native.traits(id) & IS_REMOTE) !== 0;
  const deadline = deadlineOf(timeout, remote);
  if (mode === 'unlocked') {
    const errno = native.tryLock(id, UNLOCKED);
    native.detach(id);
    if (errno !== 0) throw flockError(errno, path);
    return;
  }
  const wait = {
    native,
    id,
    mode: nativeMode(mode),
    path,
    remote,
    anyFile: true,
    deadline,
    signal: undefined,
    pollInterval: undefined,
  };
  let outcome = await attempt(wait);
  if (outcome === 'refused' && timeout > 0) outcome = await waitForLock(wait);
  if (outcome === 'granted') {
    native.detach(id);
    return;
  }
  if (outcome === 'refused') native.detach(id);
  const holder = holderOf(path);
  throw timeout === 0
    ? new LockHeldError(path, holder)
    : new LockTimeoutError(path, holder, timeout);
}

/** For messages. Only Linux tells. */
function pathOf(link: string): string | null {
  try {
    return readlinkSync(link);
  } catch {
    return null;
  }
}
