import { readFileSync } from 'node:fs';
import { statFields } from '../base/proc.js';
import { isTerminal } from './is-terminal.js';

/** Whether this process group gets the signals of the keyboard: proc_pid_stat(5). */
export function inForeground(): boolean {
  try {
    const fields = statFields(readFileSync('/proc/self/stat', 'latin1'));
    return fields[2] === fields[5];
  } catch {
    // Without /proc: most processes with a terminal are in the foreground.
    return isTerminal(0);
  }
}
