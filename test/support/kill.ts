import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';

const PARALLEL = 3;

// What touches files, in the words of several architectures: `?` may be unknown.
const CALLS = [
  ...['access', 'open', 'mkdir', 'rename', 'unlink', 'readlink'].map((name) => `?${name}`),
  ...['faccessat', 'faccessat2', 'openat', 'mkdirat', 'renameat', 'renameat2', 'unlinkat'],
  ...['readlinkat', 'statx', 'newfstatat', 'fstat', 'fstatfs', 'flock', 'getdents64', 'read'],
  ...['pread64', 'write', 'pwrite64', 'close', 'ftruncate', 'fcntl', 'fchmod', 'lseek'],
  ...['inotify_init1', 'inotify_add_watch', 'fsync', 'fchown'],
]
  .map((name) => (name.startsWith('?') ? name : `?${name}`))
  .join(',');

export interface Killed {
  /** Its calls, by name; it was killed at the last one. */
  calls: string[];
  /** Indexes of the marks `/holdfast-begin` and `/holdfast-end` in them. */
  marks: number[];
  /** False: it ended first. */
  killed: boolean;
}

/** The nth system call of a name: strace counts each name separately. */
export interface Point {
  name: string;
  nth: number;
}

/** A process that does something once it is sent `message`, and then `go`. */
export interface Victim {
  /** In this folder; it answers `ready`, or the number of the thread to trace. */
  script: string;
  message: object;
  env?: NodeJS.ProcessEnv;
}

/**
 * Kills the process in place of a system call of one thread. The calls are counted
 * from `go` on. Without `point` it is only traced, into the file `trace`.
 */
export async function killAt(victim: Victim, trace: string, point: Point | null): Promise<Killed> {
  const child = fork(fileURLToPath(new URL(victim.script, import.meta.url)), [], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, ...victim.env },
  });
  let stderr = '';
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  const exited = once(child, 'exit');
  let tracer: ChildProcess | undefined;
  onTestFinished(() => {
    tracer?.kill('SIGKILL');
    child.kill('SIGKILL');
  });
  const answer = (): Promise<unknown> =>
    Promise.race([once(child, 'message').then(([message]) => message), exited.then(() => null)]);
  child.send(victim.message);
  const ready = await answer();
  if (ready === null) throw new Error(`the victim did not start: ${stderr}`);
  const thread = typeof ready === 'number' ? ready : child.pid;
  const inject =
    point === null ? [] : ['-e', `inject=${point.name}:signal=SIGKILL:when=${point.nth}`];
  const args = ['-o', trace, '-e', `trace=${CALLS}`, ...inject, '-p', `${thread}`];
  tracer = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const traced = once(tracer, 'exit');
  await once(tracer.stderr as NodeJS.ReadableStream, 'data');
  child.send('go');
  const killed = (await answer()) === null;
  child.kill('SIGKILL');
  const [[, signal]] = await Promise.all([exited, traced]);
  if (signal !== 'SIGKILL') throw new Error(`the victim failed: ${stderr}`);
  const lines = readFileSync(trace, 'utf8')
    .split('\n')
    .filter((line) => /^\w+\(/.test(line));
  const calls = lines.flatMap((line) => {
    const name = /^(\w+)\(/.exec(line)?.[1];
    return name === undefined ? [] : [name];
  });
  const marks = lines.flatMap((line, index) => (line.includes('"/holdfast-') ? [index] : []));
  return { calls, marks, killed };
}

/** Runs `body` for each, with a limit on how many run at a time. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  body: (item: T) => Promise<void>,
): Promise<void> {
  const rest = [...items];
  const work = async (): Promise<void> => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await body(item);
  };
  await Promise.all(Array.from({ length: width }, work));
}

/** Kills at every call between the marks in turn; `check` looks at what is left. */
export async function killAtEachCall(
  run: (name: string, point: Point | null) => Promise<Killed>,
  check: (name: string, killed: Killed) => Promise<void>,
): Promise<void> {
  const { calls, marks, killed } = await run('whole', null);
  expect(killed).toBe(false);
  expect(marks).toHaveLength(2);
  const [begin, end] = marks as [number, number];
  const points = calls.flatMap((name, index): Point[] => {
    const nth = calls.slice(0, index + 1).filter((each) => each === name).length;
    return index > begin && index <= end ? [{ name, nth }] : [];
  });
  const missed: Point[] = [];
  await inParallel(points, PARALLEL, async (point) => {
    const name = `${point.name}-${point.nth}`;
    const left = await run(name, point);
    if (!left.killed || left.calls.at(-1) !== point.name) missed.push(point);
    await check(name, left);
  });
  // The calls of Node's own loop, before the first mark, may be one more or less.
  expect(missed.length).toBeLessThanOrEqual(2);
}
