import { fstatSync } from 'node:fs';
import { isatty } from 'node:tty';

/** Linux's number of /dev/null, where scripts send what they do not need: 1, 3. */
const DEV_NULL = 0x103;

/** isatty(3). Loads node:tty, which takes milliseconds, only for what may be a terminal. */
export function isTerminal(fd: number): boolean {
  return mayBeTerminal(fd) && isatty(fd);
}

function mayBeTerminal(fd: number): boolean {
  if (process.platform === 'win32') return true;
  try {
    const stats = fstatSync(fd);
    return stats.isCharacterDevice() && !(process.platform === 'linux' && stats.rdev === DEV_NULL);
  } catch {
    // It is closed.
    return false;
  }
}
