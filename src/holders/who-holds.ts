import { closeSync, constants, openSync } from 'node:fs';
import { basename } from 'node:path';
import { setImmediate } from 'node:timers';
import { readBounded } from '../base/bounded.js';
import { type Holder, printable } from '../base/holder.js';
import type { FilePath } from '../base/paths.js';
import {
  allLockedFiles,
  allProcesses,
  Budget,
  commandLine,
  fileOfDescriptor,
  filesLockedBy,
  isHeldFlock,
  locksOf,
  lockTable,
  parseTable,
  statusOf,
  type TableLock,
  text,
  type Walk,
  walkSync,
} from './kernel-tables.js';
import { type Content, FOREIGN, parseContent, RECORD_LIMIT } from './owner-record.js';
import {
  inInitialPidNamespace,
  isInOtherContainer,
  isOwn,
  isSameInside,
  ownIdentity,
  startInStat,
} from './process-identity.js';

/** A lock on the file that flock(2) does not heed, nor it that one. */
export interface OtherLock {
  /** `'posix'`: of fcntl(2); `'ofd'`: an open file description's; `'lease'`: of a file server. */
  kind: 'posix' | 'ofd' | 'lease';
  mode: 'exclusive' | 'shared';
  /** `null`: the system does not tell, as of each `'ofd'`. */
  pid: number | null;
}

/** What the kernel's tables say of one file. */
export interface KernelView {
  mode: 'exclusive' | 'shared' | null;
  holders: Holder<object>[];
  waiters: number[];
  others: OtherLock[];
}

/** /proc/self/fdinfo knows an O_PATH descriptor, which needs no permission. */
const O_PATH = 0o10000000;

// A read of /proc/locks comes in pieces of 4 KiB and can miss a lock that is
// held all along while others come and go, so nothing is free at first sight.
const LOOKS = 3;

// A refusal waits for what it says, and so does everybody else on its thread.
const REFUSAL = { descriptors: 500, milliseconds: 50 };
const INSPECTION = { descriptors: 65_536, milliseconds: 2000 };

/** For a look that is asked for by itself. */
export function inspectionBudget(): Budget {
  return new Budget(INSPECTION.descriptors, INSPECTION.milliseconds);
}

/**
 * How the kernel names the file at `path`, for as long as `look` takes; `null`
 * where it cannot be told. Meanwhile its inode cannot be used again for another
 * file, whose holder would be taken for this one's.
 */
export function whilePinned<R>(path: FilePath, look: (file: string | null) => R): R {
  const fd = process.platform === 'linux' ? openPath(path) : null;
  if (fd === null) return look(null);
  return attemptThen(
    () => look(walkSync(fileOfDescriptor(fd))),
    () => closeSync(fd),
  );
}

function openPath(path: FilePath): number | null {
  try {
    return openSync(path, O_PATH | constants.O_NOFOLLOW);
  } catch {
    return null;
  }
}

/** `finally`, also behind a promise. */
function attemptThen<R>(work: () => R, after: () => void): R {
  let result: R;
  try {
    result = work();
  } catch (error) {
    after();
    throw error;
  }
  if (result instanceof Promise) return result.finally(after) as R;
  after();
  return result;
}

/** Whether every holder would be seen in the kernel's tables. */
export function seesEveryHolder(remote: boolean): boolean {
  return process.platform === 'linux' && !remote && inInitialPidNamespace();
}

/** The record in a lock file; `null` where it cannot be read. */
export function readContent(path: FilePath): Content | null {
  try {
    // A record that its holder writes anew at this moment can be seen torn.
    let content: Content = FOREIGN;
    for (let look = 0; look < LOOKS && !content.ours; look++) {
      const bytes = readBounded(path, RECORD_LIMIT + 1);
      if (bytes.length > RECORD_LIMIT) return null;
      content = parseContent(bytes.toString());
    }
    return content;
  } catch {
    return null;
  }
}

/** What serves for all files of a folder: a look at each table, and at each process. */
export interface Snapshot {
  locks: Map<string, TableLock[]>;
  processes: Map<string, number[]>;
  /** There were more locks than are read. */
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

function hasHolder(locks: TableLock[] | undefined): boolean {
  return locks?.some(isHeldFlock) === true;
}

export interface ViewOptions {
  /** Look for every process that has the lock, not only for the one to name. */
  everyHolder: boolean;
  /** Default: that of an inspection. */
  budget?: Budget;
  snapshot?: Snapshot | undefined;
}

/** Who holds and who waits, as the kernel tells it; `null`: it does not tell. */
export function* viewKernel(
  file: string,
  content: Content | null,
  options: ViewOptions,
): Walk<KernelView | null> {
  const { budget = inspectionBudget(), snapshot } = options;
  const view: KernelView = { mode: null, holders: [], waiters: [], others: [] };
  if (snapshot !== undefined && !hasHolder(snapshot.locks.get(file))) {
    addLocks(view, snapshot.locks.get(file) ?? []);
    return snapshot.cut ? null : view;
  }
  for (let look = 0; look < LOOKS; look++) {
    const table = yield* lockTable(budget);
    if (table === null) return null;
    const locks = locksOf(table, file);
    addLocks(view, locks);
    const held = locks.filter(isHeldFlock);
    const found = held.length === 0 ? [] : yield* findProcesses(file, held, budget, options);
    view.holders = yield* describeAll(found);
    // A lock that no process has is one that was let go of between two looks,
    // or the holder is out of sight.
    if (budget.isSpent() || found.some(({ pid }) => pid !== null)) break;
  }
  if (view.mode === null && budget.cut) return null;
  if (view.mode === 'exclusive') yield* addRecord(view.holders, content);
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

function* describeAll(found: Found[]): Walk<Holder<object>[]> {
  const ranked: { rank: number; holder: Holder<object> }[] = [];
  for (const { pid, verified } of found) {
    const words = pid === null ? null : yield* commandLine(pid);
    const self = pid === process.pid;
    // Of a command and the `holdfast run` around it, people know the command.
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

interface Found {
  pid: number | null;
  verified: boolean;
}

/**
 * The processes that have the lock's description. The locker that the table
 * names may have died and left the lock to a child, and its pid may by now be
 * an innocent program's, so a pid counts only with its own descriptors seen.
 */
function* findProcesses(
  file: string,
  held: TableLock[],
  budget: Budget,
  { everyHolder, snapshot }: ViewOptions,
): Walk<Found[]> {
  const found: Found[] = [];
  let search = everyHolder;
  // The first that the table names is looked at however late it is: on a busy
  // machine the time can be up before anything has been seen.
  let patience = budget.untimed();
  for (const pid of new Set(held.map((lock) => lock.pid))) {
    const { files, whole } = yield* filesLockedBy(pid, patience, file);
    budget.cut ||= patience.cut;
    patience = budget;
    if (files.includes(file)) {
      found.push({ pid, verified: true });
      // Of several that share it, rather another than this process.
      if (everyHolder || pid === process.pid) continue;
      if (!runsHoldfast((yield* commandLine(pid)) ?? [])) return found;
      search = true;
    } else if (whole) {
      search = true;
    } else {
      // Not to be looked into (another user's, too many descriptors), or no
      // such process.
      const stat = yield* text(`/proc/${pid}/stat`);
      if (stat === null || startInStat(stat) === null) search = true;
      else found.push({ pid, verified: false });
    }
  }
  if (search) {
    // A child that was left with the lock was started after who took it.
    const all = snapshot?.processes.get(file) ?? (yield* allProcesses(held[0]?.pid));
    for (const pid of all) {
      if (budget.isSpent()) break;
      if (found.some((each) => each.pid === pid)) continue;
      const { files } = yield* filesLockedBy(pid, budget, file);
      if (!files.includes(file)) continue;
      found.push({ pid, verified: true });
      if (!everyHolder) break;
    }
  }
  if (found.length === 0) found.push({ pid: null, verified: false });
  return found;
}

/**
 * The record belongs to this hold when the process that wrote it is among the
 * holders: then it tells since when, also of those that share its description.
 */
function* addRecord(holders: Holder<object>[], content: Content | null): Walk<void> {
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

/** The holder that only a record tells of. */
export function holderFromRecord(content: Content | null): Holder<object> | null {
  const owner = content?.owner;
  if (owner === null || owner === undefined) return null;
  const inOtherContainer = isInOtherContainer(owner);
  return {
    pid: inOtherContainer ? null : owner.pid,
    self: isOwn(owner),
    source: 'record',
    verified: false,
    inOtherContainer,
    since: owner.since,
    command: null,
    hostname: owner.hostname === '' ? null : owner.hostname,
    data: owner.data,
  };
}

/** The one holder to name in an error. Looked up at once, on this thread. */
export function holderOf<T extends object>(path: FilePath): Holder<T> | null {
  const content = readContent(path);
  return nameOne(lookNow(path, content, REFUSAL.milliseconds), content);
}

function lookNow(path: FilePath, content: Content | null, milliseconds: number): KernelView | null {
  const budget = new Budget(REFUSAL.descriptors, milliseconds);
  return whilePinned(path, (file) =>
    file === null ? null : walkSync(viewKernel(file, content, { everyHolder: false, budget })),
  );
}

function nameOne<T extends object>(
  view: KernelView | null,
  content: Content | null,
): Holder<T> | null {
  const holder = view?.holders[0] ?? null;
  if (holder !== null && holder.pid !== null) return holder as Holder<T>;
  // Everybody who holds is in the tables, so the record is an old one.
  if (view !== null && holder === null && inInitialPidNamespace()) return null;
  return (holderFromRecord(content) ?? holder) as Holder<T> | null;
}

/** What was seen in one turn of the event loop, by path, and how long that took. */
interface Turn {
  seen: Map<string, { holder: Holder<object> | null; when: number }>;
  milliseconds: number;
}
let turn: Turn | undefined;

// Somebody's code may make a turn a long one.
const MOMENT_MILLISECONDS = 100;

/**
 * The same for those who wait with others: many waits end in one turn of the
 * event loop, and each error names the holder. One look serves those on one
 * path, and all of a turn together get the time of one: the rest of them say
 * what stands in the file.
 */
export function holderInTurn<T extends object>(path: FilePath): Holder<T> | null {
  const began = performance.now();
  const key = typeof path === 'string' ? path : path.toString('latin1');
  turn ??= newTurn();
  let last = turn.seen.get(key);
  const left = REFUSAL.milliseconds - turn.milliseconds;
  if (last === undefined || (left > 0 && began - last.when > MOMENT_MILLISECONDS)) {
    const content = readContent(path);
    const view = left > 0 ? lookNow(path, content, left) : null;
    last = { holder: nameOne<object>(view, content), when: performance.now() };
    turn.seen.set(key, last);
    turn.milliseconds += last.when - began;
  }
  const { holder } = last;
  return (holder === null ? null : { ...holder }) as Holder<T> | null;
}

function newTurn(): Turn {
  setImmediate(() => {
    turn = undefined;
  });
  return { seen: new Map(), milliseconds: 0 };
}

const LAST_PLACE = 3;

function runsHoldfast(words: string[]): boolean {
  const at = words.slice(0, LAST_PLACE).findIndex((word) => basename(word, '.js') === 'holdfast');
  return at >= 0 && words[at + 1] === 'run';
}

function commandOf([program = '', ...rest]: string[]): string {
  return printable([basename(program), ...rest].join(' '));
}
