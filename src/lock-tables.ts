import { readdirSync, readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';

/** One flock in /proc/locks or in the fdinfo of a descriptor: proc(5). */
export interface TableLock {
  waiting: boolean;
  mode: 'exclusive' | 'shared';
  /** The one who took it, who may be dead, and whose pid may be somebody else's by now. */
  pid: number;
  file: string;
}

const FLOCK =
  /^(?:lock:\s*)?\d+: ( *-> )?FLOCK\s+\S+\s+(READ|WRITE)\s+(-?\d+)\s+([0-9a-f]+):([0-9a-f]+):(\d+)/;

/** `fe:0:2146316`: device and inode as the kernel's tables name a file. */
export function tableKey(major: number, minor: number, inode: string): string {
  return `${major.toString(16)}:${minor.toString(16)}:${inode}`;
}

export function parseTable(text: string): TableLock[] {
  const locks: TableLock[] = [];
  for (const line of text.split('\n')) {
    const match = FLOCK.exec(line);
    if (match === null) continue;
    const [, waiting, mode, pid, major = '', minor = '', inode = ''] = match;
    locks.push({
      waiting: waiting !== undefined,
      mode: mode === 'WRITE' ? 'exclusive' : 'shared',
      pid: Number(pid),
      file: tableKey(Number.parseInt(major, 16), Number.parseInt(minor, 16), inode),
    });
  }
  return locks;
}

/**
 * What a walk through /proc wants to see next; the answer is `null` where it
 * cannot be had. A generator of these can be run both ways: at once, for the
 * error of a refusal, and without blocking the thread, for `inspect`.
 */
export type Look = { text: string } | { list: string };
export type Walk<R> = Generator<Look, R, string | string[] | null>;

export function walkSync<R>(walk: Walk<R>): R {
  let step = walk.next();
  while (step.done !== true) {
    let answer: string | string[] | null;
    try {
      answer =
        'text' in step.value ? readFileSync(step.value.text, 'utf8') : readdirSync(step.value.list);
    } catch {
      answer = null;
    }
    step = walk.next(answer);
  }
  return step.value;
}

export async function walkAsync<R>(walk: Walk<R>): Promise<R> {
  let step = walk.next();
  while (step.done !== true) {
    let answer: string | string[] | null;
    try {
      answer =
        'text' in step.value
          ? await readFile(step.value.text, 'utf8')
          : await readdir(step.value.list);
    } catch {
      answer = null;
    }
    step = walk.next(answer);
  }
  return step.value;
}

export function* text(path: string): Walk<string | null> {
  const answer = yield { text: path };
  return typeof answer === 'string' ? answer : null;
}

export function* list(path: string): Walk<string[]> {
  const answer = yield { list: path };
  return Array.isArray(answer) ? answer : [];
}

/** How the kernel's tables name the file behind an open descriptor. */
export function* fileOfDescriptor(fd: number): Walk<string | null> {
  const info = yield* text(`/proc/self/fdinfo/${fd}`);
  const mount = /^mnt_id:\s*(\d+)/m.exec(info ?? '')?.[1];
  const inode = /^ino:\s*(\d+)/m.exec(info ?? '')?.[1];
  if (mount === undefined || inode === undefined) return null;
  // Not st_dev: on btrfs and others that is not what the tables show.
  const mounts = (yield* text('/proc/self/mountinfo')) ?? '';
  const device = new RegExp(`^${mount} \\d+ (\\d+):(\\d+) `, 'm').exec(mounts);
  if (device === null) return null;
  return tableKey(Number(device[1]), Number(device[2]), inode);
}

/** The mode in which a descriptor of this process holds its file. */
export function* modeOfDescriptor(fd: number): Walk<'exclusive' | 'shared' | null> {
  const info = (yield* text(`/proc/self/fdinfo/${fd}`)) ?? '';
  return parseTable(info).find((lock) => !lock.waiting)?.mode ?? null;
}

/**
 * The files that a process has locked, seen in its own descriptors; `null`
 * where those may not be read. A file counts twice if two descriptors that
 * were opened apart have it.
 */
export function* filesLockedBy(pid: number): Walk<string[] | null> {
  const directory = `/proc/${pid}/fdinfo`;
  const names = yield { list: directory };
  if (!Array.isArray(names)) return null;
  const files: string[] = [];
  for (const name of names) {
    const info = yield* text(`${directory}/${name}`);
    if (info === null || !info.includes('FLOCK')) continue;
    for (const lock of parseTable(info)) if (!lock.waiting) files.push(lock.file);
  }
  return files;
}

/** For every file that any process has locked, the pids of those processes. */
export function* allLockedFiles(): Walk<Map<string, number[]>> {
  const found = new Map<string, number[]>();
  for (const name of yield* list('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const pid = Number(name);
    for (const file of new Set(yield* filesLockedBy(pid))) {
      const pids = found.get(file);
      if (pids === undefined) found.set(file, [pid]);
      else pids.push(pid);
    }
  }
  return found;
}

/** The arguments of a running process; `null` where they cannot be read. */
export function* commandLine(pid: number): Walk<string[] | null> {
  const line = yield* text(`/proc/${pid}/cmdline`);
  if (line === null || line === '') return null;
  return line.replace(/\0+$/, '').split('\0');
}
