import type { Holder } from '../base/holder.js';
import type { LockMode } from '../base/locker.js';
import { addRecord, describeAll, findProcesses, searchProcesses } from './holding-processes.js';
import {
  type Budget,
  inspectionBudget,
  isHeldFlock,
  LOOKS,
  locksOf,
  lockTable,
  type TableLock,
  type Walk,
} from './kernel-tables.js';
import type { Content } from './owner-record.js';
import { hasHolder, type Snapshot } from './snapshot.js';

/** A lock on the file of a kind that flock(2) ignores, and that ignores flock(2). */
export interface OtherLock {
  /** `'posix'`: of fcntl(2); `'ofd'`: an open file description's; `'lease'`: of a file server. */
  kind: 'posix' | 'ofd' | 'lease';
  mode: LockMode;
  /** `null` if the system does not report it; it never does for an `'ofd'`. */
  pid: number | null;
}

/** What the kernel's tables say of one file. */
export interface KernelView {
  mode: LockMode | null;
  holders: Holder<object>[];
  waiters: number[];
  others: OtherLock[];
}

export interface ViewOptions {
  /** Look for every process that has the lock, not only for the one to name. */
  everyHolder: boolean;
  /** Default: the budget of an inspection. */
  budget?: Budget;
  snapshot?: Snapshot | undefined;
}

/** Who holds and who waits, according to the kernel; `null`: it does not say. */
export function* viewKernel(
  file: string,
  content: Content | null,
  options: ViewOptions,
): Walk<KernelView | null> {
  const { budget = inspectionBudget(), snapshot } = options;
  const view: KernelView = { mode: null, holders: [], waiters: [], others: [] };
  if (snapshot !== undefined && !hasHolder(snapshot.locks.get(file))) {
    addLocks(view, snapshot.locks.get(file) ?? []);
    const seen = yield* viewDescriptors(view, file, content, {
      ...options,
      budget,
      everyProcess: true,
    });
    return seen ?? (snapshot.cut ? null : view);
  }
  const tables = new Set<string>();
  for (let look = 0; look < LOOKS; look++) {
    const table = yield* lockTable(budget);
    if (table === null) return null;
    tables.add(table);
    const locks = locksOf(table, file);
    addLocks(view, locks);
    const held = locks.filter(isHeldFlock);
    const found = held.length === 0 ? [] : yield* findProcesses(file, held, { ...options, budget });
    view.holders = yield* describeAll(found);
    // If no process has the lock, it was released in the meantime, or its holder
    // is not visible.
    if (budget.isSpent() || found.some(({ pid }) => pid !== null)) break;
  }
  if (view.mode === null) {
    // While others come and go, an inspection has the time to be sure.
    const { cut } = budget;
    const everyProcess = cut || (options.everyHolder && tables.size > 1);
    const seen = yield* viewDescriptors(view, file, content, { ...options, budget, everyProcess });
    return seen ?? (cut ? null : view);
  }
  if (view.mode === 'exclusive') yield* addRecord(view.holders, content);
  return view;
}

/**
 * A lock that the table does not show may still be held. With fifty waiters for
 * it, while other locks come and go, a third of all reads miss it; with a
 * thousand, almost all:
 *   1. The kernel reaches the lock, the fifth in the table. Its lines, one for
 *      each waiter, do not fit into the page that it has for a read.
 *   2. Another process releases its lock, the second.
 *   3. With a larger buffer, the kernel goes on at the fifth lock, which was the
 * sixth. Descriptors show every holder that this process may see. `null`: none.
 */
function* viewDescriptors(
  view: KernelView,
  file: string,
  content: Content | null,
  options: ViewOptions & { budget: Budget; everyProcess: boolean },
): Walk<KernelView | null> {
  const { mode, found } = yield* searchProcesses(file, content, options);
  if (mode === null) return null;
  view.mode = mode;
  view.holders = yield* describeAll(found);
  if (mode === 'exclusive') yield* addRecord(view.holders, content);
  return view;
}

/** A table that changes while it is read can show one lock twice. */
function addLocks(view: KernelView, locks: TableLock[]): void {
  view.mode = locks.find(isHeldFlock)?.mode ?? null;
  const waiting = locks.filter((lock) => lock.kind === 'flock' && lock.waiting);
  view.waiters = [...new Set(waiting.map(({ pid }) => pid))];
  const others = new Map<string, OtherLock>();
  for (const { kind, waiting, mode, pid } of locks) {
    if (kind === 'flock' || waiting) continue;
    others.set(`${kind} ${mode} ${pid}`, { kind, mode, pid: pid > 0 ? pid : null });
  }
  view.others = [...others.values()];
}
