import { readFileSync } from 'node:fs';
import { isatty } from 'node:tty';
import { statFields } from '../base/proc.js';

/** Whether the keyboard's signals go to this process group: proc_pid_stat(5). */
export function inForeground(): boolean {
  try {
    const fields = statFields(readFileSync('/proc/self/stat', 'latin1'));
    return fields[2] === fields[5];
  } catch {
    // No /proc: most that have a terminal are in the foreground.
    return isatty(0);
  }
}
