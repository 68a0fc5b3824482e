import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const SCRIPT = fileURLToPath(new URL('./faults-victim.mjs', import.meta.url));
const LIMIT_MILLISECONDS = 10_000;

// What the core asks the system for, in the words of several architectures.
const CALLS = [
  ...['?access', '?faccessat', '?faccessat2', '?open', 'openat', 'statx', '?newfstatat', 'fstatfs'],
  ...['?stat', '?lstat', 'fstat', 'flock', 'read', 'pread64', 'write', 'pwrite64', 'ftruncate'],
  ...['fcntl', 'close', '?unlink', '?unlinkat', '?rename', '?renameat', '?renameat2', '?mkdir'],
  ...['?mkdirat', '?getdents64', '?clone', '?clone3', 'mmap', 'mprotect'],
].join(',');

/** One system call of a trace, and the so many-th of its name since the attach. */
export interface Call {
  name: string;
  nth: number;
  line: string;
}

/** What a victim says of an order. */
export interface Answer {
  value?: unknown;
  error?: {
    name: string;
    code: string;
    errno?: number;
    syscall?: string;
    path?: string;
    cause?: string;
  };
  held: boolean;
  mode: string | null;
  fd: number;
  descriptors: number;
  threads: number;
  /** The thread that waited last, and is idle. */
  waiter?: string;
}

export interface Order {
  act: string;
  path: string;
  options?: object | undefined;
}

/** A process whose system calls can be made to fail one by one. */
export class Victim {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #rest = '';
  #stderr = '';
  #ended: string | null = null;
  #wake = (): void => {};
  readonly #exited: Promise<unknown>;

  private constructor() {
    this.#child = spawn(process.execPath, ['--expose-gc', SCRIPT], { cwd: '/', stdio: 'pipe' });
    this.#child.stdout?.on('data', (chunk) => {
      const lines = `${this.#rest}${chunk}`.split('\n');
      this.#rest = lines.pop() ?? '';
      this.#lines.push(...lines);
      this.#wake();
    });
    this.#child.stderr?.on('data', (chunk) => {
      this.#stderr += chunk;
    });
    this.#child.stdin?.on('error', () => {});
    this.#exited = once(this.#child, 'exit').then(([code, signal]) => {
      this.#ended = `by ${signal ?? code}`;
      this.#wake();
    });
  }

  static async start(): Promise<Victim> {
    const victim = new Victim();
    onTestFinished(() => victim.end());
    await victim.says();
    return victim;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** Its next line. */
  async says(): Promise<unknown> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), LIMIT_MILLISECONDS);
    try {
      while (this.#lines.length === 0) {
        if (this.#ended !== null) throw new Error(`ended ${this.#ended}: ${this.#stderr}`);
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
    return JSON.parse(this.#lines.shift() as string);
  }

  tell(order: 'prepare' | 'act' | 'finish', rest: Order): void {
    this.#child.stdin?.write(JSON.stringify({ order, ...rest }));
  }

  async ask(order: 'prepare' | 'act' | 'finish', rest: Order): Promise<Answer> {
    this.tell(order, rest);
    return (await this.says()) as Answer;
  }

  /**
   * Runs `body` while one of its threads is traced, with `fault` injected
   * there; the calls that it made meanwhile.
   */
  async traced(
    thread: number,
    trace: string,
    fault: string | null,
    body: () => Promise<void>,
  ): Promise<Call[]> {
    const inject = fault === null ? [] : ['-e', `inject=${fault}`];
    const args = ['-y', '-o', trace, '-e', `trace=${CALLS}`, ...inject, '-p', `${thread}`];
    const tracer = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const detached = once(tracer, 'exit');
    const timer = setTimeout(() => tracer.kill('SIGKILL'), 2 * LIMIT_MILLISECONDS);
    try {
      await Promise.race([once(tracer.stderr, 'data'), detached]);
      await body();
    } finally {
      tracer.kill('SIGINT');
      await detached;
      clearTimeout(timer);
    }
    return callsIn(readFileSync(trace, 'utf8'));
  }
}

function callsIn(trace: string): Call[] {
  const counts = new Map<string, number>();
  const calls: Call[] = [];
  for (const line of trace.split('\n')) {
    const name = /^(\w+)\(/.exec(line)?.[1];
    if (name === undefined) continue;
    const nth = (counts.get(name) ?? 0) + 1;
    counts.set(name, nth);
    calls.push({ name, nth, line });
  }
  return calls;
}

/** Those between the two marks. */
export function betweenMarks(calls: Call[]): Call[] {
  const at = (name: string): number =>
    calls.findIndex(({ line }) => line.includes(`"/holdfast-${name}"`));
  const end = at('end');
  return calls.slice(at('begin') + 1, end < 0 ? undefined : end);
}
