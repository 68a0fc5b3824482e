import { readlinkSync } from 'node:fs';
import { flockError, LockHeldError, LockTimeoutError, systemError } from '../base/errors.js';
import type { LockMode } from '../base/locker.js';
import { pathText } from '../base/paths.js';
import { LockFile } from '../holders/lock-file.js';
import { holderOf } from '../holders/who-holds.js';
import { type NativeProgram, UNLOCKED } from '../native/binding.js';
import { loadBinding } from '../native/load.js';
import { type FileLock, internalsOf } from './file-lock.js';
import { nativeMode } from './options.js';
import { deadlineOf, type Outcome } from './wait.js';
import { attempt, waitForLock } from './waiting.js';

/**
 * Turns this process into `program`, which then holds the locks: exec(3). Removes
 * the records first, because no code could afterwards. Throws if the program
 * cannot be run.
 */
export function executeInPlace(locks: readonly FileLock[], program: NativeProgram): never {
  for (const { native, id } of locks.map(internalsOf)) native.clear(id);
  const [file = ''] = program.arguments;
  throw systemError(loadBinding(file).execute(program), 'execve', pathText(file));
}

/**
 * Locks or unlocks a descriptor that stays the caller's: the lock belongs to
 * all processes that share its description, and outlives this one with them.
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
  const file = new LockFile(native, id, path);
  if (mode === 'unlocked') {
    const errno = native.tryLock(id, UNLOCKED);
    native.detach(id);
    if (errno !== 0) throw flockError(errno, path);
    return;
  }
  const wait = {
    file,
    mode: nativeMode(mode),
    deadline: deadlineOf(timeout, file.isRemote),
    signal: undefined,
    // The caller means this descriptor, whatever the path leads to.
    followPath: false,
    wish: 0,
    data: undefined,
    pollInterval: undefined,
  };
  let outcome = await new Promise<Outcome | 'refused'>((ended, failed) =>
    attempt(wait, { ended, failed }),
  );
  if (outcome === 'refused' && timeout > 0) {
    outcome = await new Promise((ended, failed) => waitForLock(wait, { ended, failed }));
  }
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

/** For messages. Only Linux knows it. */
function pathOf(link: string): string | null {
  try {
    return readlinkSync(link);
  } catch {
    return null;
  }
}
