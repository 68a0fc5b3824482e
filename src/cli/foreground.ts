import { readFileSync } from 'node:fs';
import { isatty } from 'node:tty';

/** Whether the keyboard's signals go to this process group: proc_pid_stat(5). */
export function inForeground(): boolean {
  try {
    const stat = readFileSync('/proc/self/stat', 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[2] === fields[5];
  } catch {
    // No /proc: most that have a terminal are in the foreground.
    return isatty(0);
  }
}
