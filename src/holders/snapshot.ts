import {
  allProcesses,
  type Budget,
  filesLockedBy,
  isHeldFlock,
  LOOKS,
  lockTable,
  parseTable,
  type TableLock,
  type Walk,
} from './kernel-tables.js';

/** The tables and all processes, read once for all files of a folder. */
export interface Snapshot {
  locks: Map<string, TableLock[]>;
  processes: Map<string, number[]>;
  /** The table was too long to read. */
  cut: boolean;
}

export function* takeSnapshot(budget: Budget): Walk<Snapshot | null> {
  const locks = new Map<string, TableLock[]>();
  for (let look = 0; look < LOOKS; look++) {
    const table = yield* lockTable(budget);
    if (table === null) return null;
    const seen = new Map<string, TableLock[]>();
    for (const lock of parseTable(table)) {
      const those = seen.get(lock.file);
      if (those === undefined) seen.set(lock.file, [lock]);
      else those.push(lock);
    }
    for (const [file, those] of seen) if (!hasHolder(locks.get(file))) locks.set(file, those);
  }
  const { cut } = budget;
  return { locks, processes: yield* allLockedFiles(budget), cut };
}

export function hasHolder(locks: TableLock[] | undefined): boolean {
  return locks?.some(isHeldFlock) === true;
}

/** For each locked file, the pids of the processes that have it locked. */
function* allLockedFiles(budget: Budget): Walk<Map<string, number[]>> {
  const found = new Map<string, number[]>();
  for (const pid of yield* allProcesses()) {
    if (budget.isSpent()) break;
    for (const file of new Set((yield* filesLockedBy(pid, budget)).files)) {
      const pids = found.get(file);
      if (pids === undefined) found.set(file, [pid]);
      else pids.push(pid);
    }
  }
  return found;
}
