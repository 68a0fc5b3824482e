import { basename } from 'node:path';
import { type Holder, printable } from '../base/holder.js';
import type { LockMode } from '../base/locker.js';
import {
  allProcesses,
  type Budget,
  commandLine,
  filesLockedBy,
  statusOf,
  type TableLock,
  text,
  type Walk,
} from './kernel-tables.js';
import type { Content } from './owner-record.js';
import { ownIdentity, startInStat } from './process-identity.js';
import { isInOtherContainer, isSameInside } from './running-process.js';
import type { Snapshot } from './snapshot.js';

export function* describeAll(found: Found[]): Walk<Holder<object>[]> {
  const ranked: { rank: number; holder: Holder<object> }[] = [];
  for (const { pid, verified } of found) {
    const words = pid === null ? null : yield* commandLine(pid);
    const self = pid === process.pid;
    // People know the command, not the `holdfast run` around it.
    const rank = words !== null && runsHoldfast(words) ? 2 : self ? 1 : 0;
    const holder: Holder<object> = {
      pid,
      self,
      source: 'kernel',
      verified,
      inOtherContainer: false,
      since: null,
      command: words === null ? null : commandOf(words),
      hostname: ownIdentity().hostname,
      data: null,
    };
    ranked.push({ rank, holder });
  }
  ranked.sort((one, other) => one.rank - other.rank);
  return ranked.map(({ holder }) => holder);
}

export interface Found {
  pid: number | null;
  /** Its own descriptors were seen to have the lock. */
  verified: boolean;
}

export interface Search {
  everyHolder: boolean;
  budget: Budget;
  snapshot?: Snapshot | undefined;
}

/**
 * The processes that have the lock's description. The table has the pid of the
 * process that took the lock. That process may have died and left the lock to a
 * child, and another program may have its pid by now. So a pid counts only if its
 * own descriptors were seen to have the lock.
 */
export function* findProcesses(file: string, held: TableLock[], search: Search): Walk<Found[]> {
  const { everyHolder, budget } = search;
  const found: Found[] = [];
  let goOn = everyHolder;
  // Search the first process in the table even when the time is up: on a busy
  // machine, time can run out before anything was seen.
  let patience = budget.untimed();
  for (const pid of new Set(held.map((lock) => lock.pid))) {
    const { mode, whole } = yield* filesLockedBy(pid, patience, file);
    budget.cut ||= patience.cut;
    patience = budget;
    if (mode !== null) {
      found.push({ pid, verified: true });
      // If several share it, prefer to name another process than this one.
      if (everyHolder || pid === process.pid) continue;
      if (!runsHoldfast((yield* commandLine(pid)) ?? [])) return found;
      goOn = true;
    } else if (whole) {
      goOn = true;
    } else {
      // Its descriptors cannot be read (another user's, or too many), or there
      // is no such process.
      const stat = yield* text(`/proc/${pid}/stat`);
      if (stat === null || startInStat(stat) === null) goOn = true;
      else found.push({ pid, verified: false });
    }
  }
  // A child that inherited the lock was started after the process that took it.
  if (goOn) {
    const pids = search.snapshot?.processes.get(file) ?? (yield* allProcesses(held[0]?.pid));
    yield* searchAll(file, found, pids, search);
  }
  if (found.length === 0) found.push({ pid: null, verified: false });
  return found;
}

/** Adds the processes that have the lock to `found`; gives their mode. */
function* searchAll(
  file: string,
  found: Found[],
  pids: readonly number[],
  { everyHolder, budget }: Search,
): Walk<LockMode | null> {
  let seen: LockMode | null = null;
  for (const pid of pids) {
    if (budget.isSpent()) break;
    if (found.some((each) => each.pid === pid)) continue;
    const { mode } = yield* filesLockedBy(pid, budget, file);
    if (mode === null) continue;
    seen = mode;
    found.push({ pid, verified: true });
    if (!everyHolder) break;
  }
  return seen;
}

/**
 * The same from descriptors alone. The process that the record names comes first,
 * even when the time is up. `everyProcess`: search the others, too.
 */
export function* searchProcesses(
  file: string,
  content: Content | null,
  search: Search & { everyProcess: boolean },
): Walk<{ mode: LockMode | null; found: Found[] }> {
  const found: Found[] = [];
  const owner = content?.owner ?? null;
  const named = owner === null || isInOtherContainer(owner) ? undefined : owner.pid;
  let mode: LockMode | null = null;
  if (named !== undefined) {
    ({ mode } = yield* filesLockedBy(named, search.budget.untimed(), file));
    if (mode !== null) found.push({ pid: named, verified: true });
  }
  if (search.everyProcess && (mode === null || search.everyHolder)) {
    // A snapshot covers every process.
    const pids = search.snapshot
      ? (search.snapshot.processes.get(file) ?? [])
      : yield* allProcesses(named);
    mode = (yield* searchAll(file, found, pids, search)) ?? mode;
  }
  return { mode, found };
}

/**
 * The record belongs to this hold if the process that wrote it is among the
 * holders. Then its date and data apply to all that share the description.
 */
export function* addRecord(holders: Holder<object>[], content: Content | null): Walk<void> {
  const owner = content?.owner;
  if (owner === null || owner === undefined || owner.boot !== ownIdentity().boot) return;
  const elsewhere = isInOtherContainer(owner);
  for (const { pid } of holders) {
    if (pid === null || (!elsewhere && pid !== owner.pid)) continue;
    const stat = yield* text(`/proc/${pid}/stat`);
    if (stat === null) continue;
    const wrote = elsewhere
      ? isSameInside(owner, stat, (yield* statusOf(pid)) ?? '')
      : startInStat(stat) === owner.start;
    if (!wrote) continue;
    for (const holder of holders) {
      holder.since = owner.since;
      holder.data = owner.data;
    }
    return;
  }
}

const LAST_PLACE = 3;

function runsHoldfast(words: string[]): boolean {
  const at = words.slice(0, LAST_PLACE).findIndex((word) => basename(word, '.js') === 'holdfast');
  return at >= 0 && words[at + 1] === 'run';
}

function commandOf([program = '', ...rest]: string[]): string {
  return printable([basename(program), ...rest].join(' '));
}
