import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { ClaimRequest } from '../../src/claims.js';

const SCRIPT = fileURLToPath(new URL('./claims-victim.mjs', import.meta.url));

// What touches files, in the words of several architectures: `?` may be unknown.
const CALLS = [
  ...['access', 'open', 'mkdir', 'rename', 'unlink', 'readlink'].map((name) => `?${name}`),
  ...['faccessat', 'faccessat2', 'openat', 'mkdirat', 'renameat', 'renameat2', 'unlinkat'],
  ...['readlinkat', 'statx', 'newfstatat', 'fstat', 'fstatfs', 'flock', 'getdents64', 'read'],
  ...['pread64', 'write', 'pwrite64', 'close', 'ftruncate', 'fcntl', 'fchmod', 'lseek'],
  ...['inotify_init1', 'inotify_add_watch'],
]
  .map((name) => (name.startsWith('?') ? name : `?${name}`))
  .join(',');

export interface Victim {
  directory: string;
  /** Another folder, for a first time that is not traced. */
  warmUp: string;
  root: string;
  requests: ClaimRequest[];
  /** The claim has to wait, and that is its end. */
  waits?: boolean;
}

export interface Killed {
  /** Its calls, by name; it was killed at the last one. */
  calls: string[];
  /** Which of them are the begin and the end of the claim. */
  marks: number[];
  /** False: it came to its end first. */
  killed: boolean;
}

/** The so many-th system call of a name: strace counts each name for itself. */
export interface Point {
  name: string;
  nth: number;
}

/**
 * A process that claims, killed in place of a system call. The calls are counted
 * from the moment it is asked to claim. Without `point` it is only traced.
 */
export async function killAt(victim: Victim, trace: string, point: Point | null): Promise<Killed> {
  const child = fork(SCRIPT, [], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
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
  child.send(victim);
  if ((await answer()) !== 'ready') throw new Error(`the victim did not start: ${stderr}`);
  const inject =
    point === null ? [] : ['-e', `inject=${point.name}:signal=SIGKILL:when=${point.nth}`];
  const args = ['-o', trace, '-e', `trace=${CALLS}`, ...inject, '-p', `${child.pid}`];
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

/** Runs `body` for each, so many at a time. */
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
