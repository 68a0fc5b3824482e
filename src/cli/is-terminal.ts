import { fstatSync } from 'node:fs';
import { isatty } from 'node:tty';

/** isatty(3). Loads node:tty, which takes milliseconds, only for what may be a terminal. */
export function isTerminal(fd: number): boolean {
  return mayBeTerminal(fd) && isatty(fd);
}

function mayBeTerminal(fd: number): boolean {
  if (process.platform === 'win32') return true;
  try {
    return fstatSync(fd).isCharacterDevice();
  } catch {
    // It is closed.
    return false;
  }
}
