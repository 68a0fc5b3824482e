import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Of all threads: one may be on its way back from a system call. */
export function isStopped(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).every((tid) => {
      const stat = readFileSync(`/proc/${pid}/task/${tid}/stat`, 'latin1');
      return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
    });
  } catch {
    return false;
  }
}

const PF_EXITING = 0x4;

/** Runs: it is no zombie, and does not end at this moment, without its files but still listed. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state = '', , , , , , flags] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return !/[ZX]/.test(state) && (Number(flags) & PF_EXITING) === 0;
  } catch {
    return false;
  }
}

/** How many waits for the file the kernel has in its queue. */
export function waitsFor(path: string): number {
  const { ino } = statSync(path);
  return readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .filter((line) => line.includes('-> FLOCK') && line.includes(`:${ino} `)).length;
}

/** Whether the process is in the kernel's queue for a lock. */
export function isWaiting(pid: number): boolean {
  return new RegExp(`-> FLOCK .* ${pid} `).test(readFileSync('/proc/locks', 'utf8'));
}

/** As the kernel lists it: who has `.primary`, and how many wait for it. */
export function seatOf(directory: string): { pid: number | null; waiting: number } {
  const inode = statSync(join(directory, '.primary'), { throwIfNoEntry: false })?.ino;
  if (inode === undefined) return { pid: null, waiting: 0 };
  const lines = readFileSync('/proc/locks', 'latin1')
    .split('\n')
    .filter((line) => line.includes(`:${inode} `) && line.includes('FLOCK'));
  const holder = lines.find((line) => !line.includes('->') && line.includes('WRITE'));
  return {
    pid: holder === undefined ? null : Number(/WRITE\s+(-?\d+)/.exec(holder)?.[1]),
    waiting: lines.filter((line) => line.includes('->')).length,
  };
}

export function queueOf(directory: string): number {
  return seatOf(directory).waiting;
}

/** The threads of a process that are in flock(2), with how often each has been switched to. */
export function flockThreads(pid: number): { tid: string; switches: number }[] {
  const flock = process.arch === 'arm64' ? '32 ' : '73 ';
  return readdirSync(`/proc/${pid}/task`).flatMap((tid) => {
    const of = (name: string): string => readFileSync(`/proc/${pid}/task/${tid}/${name}`, 'latin1');
    try {
      if (!of('syscall').startsWith(flock)) return [];
      const counts = [...of('status').matchAll(/ctxt_switches:\s*(\d+)/g)];
      return [{ tid, switches: counts.reduce((sum, [, count]) => sum + Number(count), 0) }];
    } catch {
      return [];
    }
  });
}
