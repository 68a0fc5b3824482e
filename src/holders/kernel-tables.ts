import { setImmediate } from 'node:timers';
import { listBounded, readBounded } from '../base/bounded.js';
import type { LockMode } from '../base/locker.js';
import { mountOf } from '../base/proc.js';
import { monotonicTime } from '../base/timers.js';

/** One lock in /proc/locks or in the fdinfo of a descriptor: proc(5). */
export interface TableLock {
  kind: 'flock' | 'posix' | 'ofd' | 'lease';
  waiting: boolean;
  mode: LockMode;
  /** The process that took it. It may be dead, and its pid another program's. */
  pid: number;
  file: string;
}

const KINDS = {
  FLOCK: 'flock',
  POSIX: 'posix',
  ACCESS: 'posix',
  OFDLCK: 'ofd',
  LEASE: 'lease',
  DELEG: 'lease',
} as const;
const LOCK =
  /^(?:lock:\s{0,8})?\d+: ( {0,64}-> )?(FLOCK|POSIX|ACCESS|OFDLCK|LEASE|DELEG) {1,8}\S{1,16} {1,8}(READ|WRITE) {1,8}(-?\d{1,10}) ([0-9a-f]{1,8}):([0-9a-f]{1,8}):(\d{1,20}) /;

/** `fe:0:2146316`: device and inode, as the kernel's tables name a file. */
export function tableKey(major: number, minor: number, inode: string): string {
  return `${major.toString(16)}:${minor.toString(16)}:${inode}`;
}

function parseLine(line: string): TableLock | null {
  const match = LOCK.exec(line);
  if (match === null) return null;
  const [, waiting, kind, mode, pid, major = '', minor = '', inode = ''] = match;
  return {
    kind: KINDS[kind as keyof typeof KINDS],
    waiting: waiting !== undefined,
    mode: mode === 'WRITE' ? 'exclusive' : 'shared',
    pid: Number(pid),
    file: tableKey(Number.parseInt(major, 16), Number.parseInt(minor, 16), inode),
  };
}

export function parseTable(text: string): TableLock[] {
  return text
    .split('\n')
    .map(parseLine)
    .filter((lock) => lock !== null);
}

/** The locks of one file; in a long table, much faster than parsing it. */
export function locksOf(text: string, file: string): TableLock[] {
  const inode = `${file.slice(file.lastIndexOf(':'))} `;
  const locks: TableLock[] = [];
  for (let at = text.indexOf(inode); at >= 0; at = text.indexOf(inode, at)) {
    const end = text.indexOf('\n', at);
    const lock = parseLine(text.slice(text.lastIndexOf('\n', at) + 1, end < 0 ? undefined : end));
    if (lock?.file === file) locks.push(lock);
    at = end < 0 ? text.length : end;
  }
  return locks;
}

// Limits for what other users can make long. Normally all of it is far shorter,
// except for the tables of all locks and of all mounts.
const SHORT = 4096;
const STATUS_LIMIT = 64 * 1024;
const TABLE_LIMIT = 1024 * 1024;
const MOUNTS_LIMIT = 4 * 1024 * 1024;

// A read of /proc/locks can miss a lock that is held throughout while others come
// and go (viewDescriptors in kernel-view.ts). So the table is read this often,
// and a missing lock is believed only if the table did not change.
export const LOOKS = 3;

// On a busy machine, time passes while this process does not run.
const PATIENCE = 10;

/**
 * What a search through /proc may cost: descriptors read of one process, and
 * milliseconds of CPU time. Beyond that the search ends early and sets `cut`.
 */
export class Budget {
  readonly descriptors: number;
  cut = false;
  readonly #milliseconds: number;
  readonly #began = monotonicTime();
  readonly #used = usedMilliseconds();

  constructor(descriptors: number, milliseconds: number) {
    this.descriptors = descriptors;
    this.#milliseconds = milliseconds;
  }

  /** The same without a limit of time, to look at a single process. */
  untimed(): Budget {
    return new Budget(this.descriptors, Number.POSITIVE_INFINITY);
  }

  /** Whether the time is up. */
  isSpent(): boolean {
    const passed = monotonicTime() - this.#began;
    if (passed < this.#milliseconds) return false;
    const used = usedMilliseconds() - this.#used;
    if (used < this.#milliseconds && passed < PATIENCE * this.#milliseconds) return false;
    this.cut = true;
    return true;
  }
}

/** For a call whose whole purpose is the search. */
export function inspectionBudget(): Budget {
  return new Budget(65_536, 2000);
}

function usedMilliseconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * What a walk through /proc needs to read next; the answer is `null` where
 * that fails. A generator of these can be run in two ways: in one go, for the
 * error of a refusal, and with pauses for the event loop, for `inspect`.
 */
export type Look =
  | { text: string; limit: number; budget?: Budget }
  | { list: string; limit: number };
export type Walk<R> = Generator<Look, R, string | string[] | null>;

function answer(look: Look): string | string[] | null {
  try {
    if ('text' in look)
      return readBounded(look.text, look.limit, () => look.budget?.isSpent() === true).toString();
    return listBounded(look.list, look.limit);
  } catch {
    return null;
  }
}

/** Cached answers, by path. */
export type Answers = Map<string, string | string[] | null>;

export function walkSync<R>(walk: Walk<R>, known?: Answers): R {
  let step = walk.next();
  while (step.done !== true) {
    step = walk.next(known === undefined ? answer(step.value) : answerOnce(step.value, known));
  }
  return step.value;
}

function answerOnce(look: Look, known: Answers): string | string[] | null {
  const path = 'text' in look ? look.text : look.list;
  let answered = known.get(path);
  if (answered === undefined) {
    answered = answer(look);
    known.set(path, answered);
  }
  return answered;
}

// A read of /proc takes microseconds and does not block. Through the thread
// pool it would take ten times as long and delay the program's own files.
const SLICE_MILLISECONDS = 5;

/** Lets the event loop turn every few milliseconds. */
export async function walkAsync<R>(walk: Walk<R>): Promise<R> {
  let began = monotonicTime();
  let step = walk.next();
  while (step.done !== true) {
    step = walk.next(answer(step.value));
    if (monotonicTime() - began < SLICE_MILLISECONDS) continue;
    await new Promise<void>((resolve) => setImmediate(resolve));
    began = monotonicTime();
  }
  return step.value;
}

export function* text(path: string, limit = SHORT): Walk<string | null> {
  const answer = yield { text: path, limit };
  return typeof answer === 'string' ? answer : null;
}

export function* list(path: string, limit: number): Walk<string[] | null> {
  const answer = yield { list: path, limit };
  return Array.isArray(answer) ? answer : null;
}

/** The table of all locks; sets `budget.cut` if it is too long to read. */
export function* lockTable(budget: Budget): Walk<string | null> {
  const table = yield { text: '/proc/locks', limit: TABLE_LIMIT, budget };
  if (typeof table !== 'string') return null;
  // Each read returns a page, for which the kernel walks the table from its
  // start.
  if (table.length < TABLE_LIMIT && !budget.cut) return table;
  budget.cut = true;
  return table.slice(0, table.lastIndexOf('\n') + 1);
}

/** `/proc/<pid>/status`. */
export function* statusOf(pid: number): Walk<string | null> {
  return yield* text(`/proc/${pid}/status`, STATUS_LIMIT);
}

/** How the kernel's tables name the file behind an open descriptor. */
export function* fileOfDescriptor(fd: number): Walk<string | null> {
  const info = (yield* text(`/proc/self/fdinfo/${fd}`)) ?? '';
  const inode = /^ino:\s*(\d+)/m.exec(info)?.[1];
  const mount = mountOf(info, (yield* text('/proc/self/mountinfo', MOUNTS_LIMIT)) ?? '');
  if (mount === null || inode === undefined) return null;
  return tableKey(mount.major, mount.minor, inode);
}

/** The mode in which a descriptor of this process holds its file. */
export function* modeOfDescriptor(fd: number): Walk<LockMode | null> {
  const info = (yield* text(`/proc/self/fdinfo/${fd}`)) ?? '';
  return parseTable(info).find(isHeldFlock)?.mode ?? null;
}

export function isHeldFlock({ kind, waiting }: TableLock): boolean {
  return kind === 'flock' && !waiting;
}

/** What the descriptors of a process show. */
export interface Descriptors {
  /** The files that it has locked; a file twice if it was opened and locked twice. */
  files: string[];
  /** The mode in which it has locked the wanted file. */
  mode: LockMode | null;
  /** All descriptors were read. */
  whole: boolean;
}

/** Which files a process has locked; ends early once `wanted` is found. */
export function* filesLockedBy(pid: number, budget: Budget, wanted?: string): Walk<Descriptors> {
  const seen: Descriptors = { files: [], mode: null, whole: false };
  const directory = `/proc/${pid}/fdinfo`;
  const names = yield* list(directory, budget.descriptors + 1);
  if (names === null) return seen;
  for (const name of names.slice(0, budget.descriptors)) {
    if (budget.isSpent()) return seen;
    const info = yield* text(`${directory}/${name}`);
    if (info === null || !info.includes('FLOCK')) continue;
    for (const lock of parseTable(info).filter(isHeldFlock)) {
      seen.files.push(lock.file);
      if (lock.file === wanted) seen.mode = lock.mode;
    }
    if (seen.mode !== null) return seen;
  }
  seen.whole = names.length <= budget.descriptors;
  if (!seen.whole) budget.cut = true;
  return seen;
}

/** All processes; first those that were started just after `from`. */
export function* allProcesses(from = 0): Walk<number[]> {
  const names = (yield* list('/proc', Number.POSITIVE_INFINITY)) ?? [];
  const pids = names.map(Number).filter((pid) => pid > 0);
  return [...pids.filter((pid) => pid >= from), ...pids.filter((pid) => pid < from)];
}

/** The first arguments of a running process; `null` where they cannot be read. */
export function* commandLine(pid: number): Walk<string[] | null> {
  const line = yield* text(`/proc/${pid}/cmdline`);
  if (line === null || line === '') return null;
  let end = line.length;
  while (end > 0 && line[end - 1] === '\0') end--;
  return line.slice(0, end).split('\0');
}
