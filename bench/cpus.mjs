// Which CPUs there are, and how the bench stays out of the way: what is
// measured runs on the first, the bench itself on the last.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1];

export const FIRST_CPU = list.split(/[-,]/)[0];
export const LAST_CPU = list.split(/[-,]/).at(-1);

function pinItself(cpus) {
  execFileSync('taskset', ['-a', '-cp', cpus, String(process.pid)], { stdio: 'ignore' });
}

/** Runs `measure` with the bench on the last CPU. */
export async function aside(measure) {
  pinItself(LAST_CPU);
  try {
    return await measure();
  } finally {
    pinItself(list);
  }
}
