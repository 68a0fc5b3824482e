import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { type Holder, printable } from './holder.js';
import {
  allLockedFiles,
  commandLine,
  fileOfDescriptor,
  filesLockedBy,
  parseTable,
  type TableLock,
  text,
  type Walk,
  walkSync,
} from './lock-tables.js';
import { type Content, FOREIGN, parseContent, RECORD_LIMIT } from './owner-record.js';
import type { FilePath } from './paths.js';
import { inInitialPidNamespace, isOwn, ownIdentity, startInStat } from './process-identity.js';

/** What the kernel's tables say of one file. */
export interface KernelView {
  mode: 'exclusive' | 'shared' | null;
  holders: Holder<object>[];
  waiters: number[];
}

/** /proc/self/fdinfo knows an O_PATH descriptor, which needs no permission. */
const O_PATH = 0o10000000;

// A read of /proc/locks comes in pieces of 4 KiB and can miss a lock that is
// held all along while others come and go, so nothing is free at first sight.
const LOOKS = 3;

const ROOM_TO_GROW = 4096;

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
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      // A record that its holder writes anew at this moment can be seen torn.
      let content: Content = FOREIGN;
      for (let look = 0; look < LOOKS && !content.ours; look++) {
        const bytes = Buffer.alloc(Math.min(fstatSync(fd).size, RECORD_LIMIT) + ROOM_TO_GROW);
        const length = readSync(fd, bytes, 0, bytes.length, 0);
        if (length > RECORD_LIMIT) return null;
        content = parseContent(bytes.toString('utf8', 0, length));
      }
      return content;
    } finally {
      closeSync(fd);
    }
  } catch {
    return null;
  }
}

export interface ViewOptions {
  /** Look for every process that has the lock, not only for the one to name. */
  everyHolder: boolean;
  /** A walk through all processes that serves for several files. */
  lockedFiles?: Map<string, number[]>;
}

/** Who holds and who waits, as the kernel tells it; `null`: it does not tell. */
export function* viewKernel(
  file: string,
  content: Content | null,
  options: ViewOptions,
): Walk<KernelView | null> {
  let view: KernelView = { mode: null, holders: [], waiters: [] };
  for (let look = 0; look < LOOKS; look++) {
    const table = yield* text('/proc/locks');
    if (table === null) return null;
    const locks = parseTable(table).filter((lock) => lock.file === file);
    const held = locks.filter((lock) => !lock.waiting);
    // A table that changes while it is read can show one lock twice.
    const waiters = [...new Set(locks.filter((lock) => lock.waiting).map(pidOf))];
    const [first] = held;
    const found =
      first === undefined ? [] : yield* findProcesses(file, new Set(held.map(pidOf)), options);
    view = { mode: first?.mode ?? null, holders: yield* describeAll(found), waiters };
    // A lock that no process has is one that was let go of between two looks,
    // or the holder is out of sight.
    if (found.some(({ pid }) => pid !== null)) break;
  }
  if (view.mode === 'exclusive') yield* addRecord(view.holders, content);
  return view;
}

function pidOf(lock: TableLock): number {
  return lock.pid;
}

function* describeAll(found: Found[]): Walk<Holder<object>[]> {
  const ranked: { rank: number; holder: Holder<object> }[] = [];
  for (const { pid, verified } of found) {
    const words = pid === null ? null : yield* commandLine(pid);
    const self = pid === process.pid;
    // Of a command and the `holdfast run` around it, people know the command.
    const rank = words !== null && runsHoldfast(words) ? 2 : self ? 1 : 0;
    const command = words === null ? null : commandOf(words);
    const { hostname } = ownIdentity();
    const holder = { pid, self, verified, since: null, command, hostname, data: null };
    ranked.push({ rank, holder: { ...holder, source: 'kernel' } });
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
  lockers: Iterable<number>,
  options: ViewOptions,
): Walk<Found[]> {
  const found: Found[] = [];
  let search = options.everyHolder;
  for (const pid of lockers) {
    const files = yield* filesLockedBy(pid);
    if (files === null) {
      // Not to be looked into: another user's, or no such process.
      const stat = yield* text(`/proc/${pid}/stat`);
      if (stat === null || startInStat(stat) === null) search = true;
      else found.push({ pid, verified: false });
    } else if (files.includes(file)) {
      found.push({ pid, verified: true });
      search ||= runsHoldfast((yield* commandLine(pid)) ?? []);
    } else {
      search = true;
    }
  }
  if (search) {
    const all = options.lockedFiles ?? (yield* allLockedFiles());
    for (const pid of all.get(file) ?? []) {
      if (found.some((each) => each.pid === pid)) continue;
      // What was seen a while ago, for another file, may not be so any more.
      const still =
        options.lockedFiles === undefined || (yield* filesLockedBy(pid))?.includes(file);
      if (still === true) found.push({ pid, verified: true });
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
  if (owner === null || owner === undefined) return;
  if (owner.boot !== ownIdentity().boot || !holders.some(({ pid }) => pid === owner.pid)) return;
  const stat = yield* text(`/proc/${owner.pid}/stat`);
  if (stat === null || startInStat(stat) !== owner.start) return;
  for (const holder of holders) {
    holder.since = owner.since;
    holder.data = owner.data;
  }
}

/** The holder that only a record tells of. */
export function holderFromRecord(content: Content | null): Holder<object> | null {
  const owner = content?.owner;
  if (owner === null || owner === undefined) return null;
  return {
    pid: owner.pid,
    self: isOwn(owner),
    source: 'record',
    verified: false,
    since: owner.since,
    command: null,
    hostname: owner.hostname === '' ? null : owner.hostname,
    data: owner.data,
  };
}

/** The one holder to name in an error. Looked up at once, on this thread. */
export function holderOf<T extends object>(path: FilePath): Holder<T> | null {
  const content = readContent(path);
  const view = whilePinned(path, (file) =>
    file === null ? null : walkSync(viewKernel(file, content, { everyHolder: false })),
  );
  const holder = view?.holders[0] ?? null;
  if (holder !== null && holder.pid !== null) return holder as Holder<T>;
  // Everybody who holds is in the tables, so the record is an old one.
  if (view !== null && holder === null && inInitialPidNamespace()) return null;
  return (holderFromRecord(content) ?? holder) as Holder<T> | null;
}

function runsHoldfast(words: string[]): boolean {
  const at = words.findIndex((word) => basename(word, '.js') === 'holdfast');
  return at >= 0 && at < 3 && words[at + 1] === 'run';
}

function commandOf([program = '', ...rest]: string[]): string {
  return printable([basename(program), ...rest].join(' '));
}
