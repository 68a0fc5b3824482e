import { readdirSync, readFileSync } from 'node:fs';

/** What a process says at /proc; empty once it has ended, also if nobody has reaped it. */
function said(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1').split('\0');
  } catch {
    return [];
  }
}

const pids = () => readdirSync('/proc').filter((name) => /^\d+$/.test(name));

/** The living children's ids that are in their command lines: `--torture-child=ID`. */
export function livingChildren(folder) {
  const found = new Map();
  for (const pid of pids()) {
    const words = said(pid, 'cmdline');
    const mark = words.find((word) => word.startsWith('--torture-child='));
    if (mark !== undefined && words.some((word) => word.includes(folder))) {
      found.set(Number(mark.slice('--torture-child='.length)), Number(pid));
    }
  }
  return found;
}

/** All that this run has started, whichever process is the parent. */
export function leftOver(folder) {
  const mark = `HOLDFAST_TORTURE=${folder}`;
  return pids().filter((pid) => Number(pid) !== process.pid && said(pid, 'environ').includes(mark));
}

/** Negative: the group. A process that has just ended needs no signal. */
export function send(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}
