// Whether those in front of a wait for a folder's section move on, or somebody
// was stopped inside. Loaded when a wait takes long.
import { readFileSync, statSync } from 'node:fs';
import type { Holder } from '../base/holder.js';
import { inspectionBudget, locksOf, lockTable, walkSync } from '../holders/kernel-tables.js';
import { whilePinned } from '../holders/pinned-file.js';

/** What a moment shows. */
export interface Glance {
  /** Changes with each claim that is made or released. */
  changed: bigint | null;
  /** As the kernel's table names them; empty where there is none. */
  holders: string;
  /** How many processes wait, this one not counted. */
  waiting: number;
}

export function glanceAt(path: string): Glance {
  const locks = flocksOn(path);
  const others = locks.filter(({ waiting, pid }) => waiting && pid !== process.pid);
  const holders = locks.filter(({ waiting }) => !waiting).map(({ pid }) => pid);
  return {
    changed: statSync(path, { bigint: true, throwIfNoEntry: false })?.mtimeNs ?? null,
    holders: holders.sort((a, b) => a - b).join(),
    waiting: others.length,
  };
}

function flocksOn(path: string): ReturnType<typeof locksOf> {
  try {
    return whilePinned(path, (file) => {
      const table = file === null ? null : walkSync(lockTable(inspectionBudget()));
      return locksOf(table ?? '', file ?? '').filter(({ kind }) => kind === 'flock');
    });
  } catch {
    return [];
  }
}

/** Whether somebody got in between the two moments. */
export function hasMovedOn(before: Glance, after: Glance, holder: Holder | null): boolean {
  if (holder?.pid != null && isStopped(holder.pid)) return false;
  return before.changed !== after.changed || before.holders !== after.holders;
}

/** By a signal or a debugger: proc(5). */
function isStopped(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return /^ [Tt] /.test(stat.slice(stat.lastIndexOf(')') + 1));
  } catch {
    return false;
  }
}
