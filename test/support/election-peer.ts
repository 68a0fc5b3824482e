import { type ChildProcess, fork } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { onTestFinished } from 'vitest';
import type { Member } from '../../src/election.js';
import { until } from './census.js';

const SCRIPT = fileURLToPath(new URL('./election-peer.mjs', import.meta.url));
const ANSWER_MILLISECONDS = 20_000;

export interface JoinOptions {
  id?: string;
  settle?: number;
  data?: object;
  /** Without a listener for `error`. */
  deaf?: boolean;
}

export interface RemoteMember {
  id: string;
  isPrimary: boolean;
  term: number;
}

interface Message {
  id?: number;
  event?: string;
  about?: string;
  value?: unknown;
  error?: Error;
}

interface Call {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** A process or a worker thread with members, ended with the test. */
export class ElectionPeer {
  readonly process: ChildProcess | null;
  readonly worker: Worker | null;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  stderr = '';
  #ended: Error | undefined;
  readonly #calls = new Map<number, Call>();
  readonly #events: Message[] = [];
  readonly #listeners = new Set<() => void>();
  #next = 1;

  private constructor(thread: boolean, user: { uid?: number; gid?: number }) {
    if (thread) {
      this.process = null;
      this.worker = new Worker(SCRIPT, { execArgv: [] });
    } else {
      this.worker = null;
      this.process = fork(SCRIPT, [], {
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
        serialization: 'advanced',
        ...user,
      });
      this.process.stderr?.on('data', (chunk) => {
        this.stderr += chunk;
      });
    }
    const source = (this.process ?? this.worker) as ChildProcess;
    source.on('message', (message) => this.#receive(message as Message));
    this.worker?.on('error', (error) => {
      this.stderr += error;
    });
    this.exited = new Promise((resolve) => {
      source.once('exit', (code, signal) => {
        const reason = new Error(`the peer ended (${code ?? signal}): ${this.stderr}`);
        for (const call of this.#calls.values()) call.reject(reason);
        this.#calls.clear();
        this.#ended = reason;
        this.#wake();
        resolve({ code, signal });
      });
    });
  }

  static async start(
    options: { thread?: boolean; uid?: number; gid?: number } = {},
  ): Promise<ElectionPeer> {
    const { thread = false, ...user } = options;
    const peer = new ElectionPeer(thread, user);
    onTestFinished(() => peer.end());
    await peer.event('ready');
    return peer;
  }

  static startMany(count: number, options?: { thread?: boolean }): Promise<ElectionPeer[]> {
    return Promise.all(Array.from({ length: count }, () => ElectionPeer.start(options)));
  }

  get pid(): number {
    return this.process?.pid as number;
  }

  /** Calls a method of election-peer.mjs. */
  call<R = unknown>(method: string, ...args: unknown[]): Promise<R> {
    const id = this.#next++;
    const answer = new Promise<R>((resolve, reject) => {
      if (this.#ended !== undefined) throw this.#ended;
      this.#calls.set(id, { resolve: resolve as (value: unknown) => void, reject });
      if (this.worker !== null) this.worker.postMessage({ id, method, args });
      else this.process?.send({ id, method, args }, () => {});
    });
    return heard(within(answer, () => `no answer to ${method}: ${this.stderr}`));
  }

  join(name: string, directory: string, options?: JoinOptions): Promise<RemoteMember> {
    return this.call('join', name, directory, options);
  }

  /** Joins and stands in the kernel's queue. */
  async standBy(name: string, directory: string, options?: JoinOptions): Promise<RemoteMember> {
    const before = queueOf(directory);
    const member = await this.join(name, directory, options);
    await until(() => queueOf(directory) > before);
    return member;
  }

  async lead(name: string, directory: string, options?: JoinOptions): Promise<number> {
    await this.join(name, directory, options);
    return this.becomesPrimary(name);
  }

  async becomesPrimary(name: string): Promise<number> {
    const { term } = await this.event<{ term: number }>('primary', name);
    return term;
  }

  describe(name: string): Promise<RemoteMember> {
    return this.call('describe', name);
  }

  members(name: string): Promise<Member[]> {
    return this.call('members', name);
  }

  /** The next message of that kind, or one that has come already. */
  event<R = unknown>(name: string, about?: string): Promise<R> {
    const told = () => `no event ${name} ${about ?? ''}: ${this.stderr}`;
    return heard(within(this.#event(name, about), told)) as Promise<R>;
  }

  /** How many of a kind have come and were not asked for. */
  count(name: string, about?: string): number {
    return this.#events.filter((each) => matches(each, name, about)).length;
  }

  async #event(name: string, about?: string): Promise<unknown> {
    for (;;) {
      const at = this.#events.findIndex((each) => matches(each, name, about));
      const [found] = this.#events.splice(at, at < 0 ? 0 : 1);
      if (found !== undefined) return found.value;
      if (this.#ended !== undefined) throw this.#ended;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#listeners.delete(wake);
          resolve();
        };
        this.#listeners.add(wake);
      });
    }
  }

  /** Sends a signal and waits for the end. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.process?.kill(signal);
    await this.exited;
  }

  /** Stops it and resolves once all its threads stand still. */
  async stop(): Promise<void> {
    process.kill(this.pid, 'SIGSTOP');
    await until(() => isStopped(this.pid));
  }

  continue(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  async end(): Promise<void> {
    if (this.worker !== null) await this.worker.terminate();
    else await this.kill();
  }

  #wake(): void {
    for (const wake of [...this.#listeners]) wake();
  }

  #receive(message: Message): void {
    if (message.event !== undefined) {
      this.#events.push(message);
      this.#wake();
      return;
    }
    const call = this.#calls.get(message.id ?? 0);
    this.#calls.delete(message.id ?? 0);
    if (message.error === undefined) call?.resolve(message.value);
    else call?.reject(Object.assign(new Error(message.error.message), message.error));
  }
}

function matches(message: Message, name: string, about: string | undefined): boolean {
  return message.event === name && (about === undefined || message.about === about);
}

/** Whoever does not await it (any more) does not mind how it ends. */
function heard<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

export function within<T>(
  promise: Promise<T>,
  what: () => string,
  milliseconds = ANSWER_MILLISECONDS,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(what())), milliseconds);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Of all threads: one may be on its way back from a system call. */
export function isStopped(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).every((tid) => {
      const stat = readFileSync(`/proc/${pid}/task/${tid}/stat`, 'latin1');
      return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
    });
  } catch {
    return false;
  }
}

/** As the kernel lists it: who has `.primary`, and how many wait for it. */
export function seatOf(directory: string): { pid: number | null; waiting: number } {
  const inode = statSync(join(directory, '.primary'), { throwIfNoEntry: false })?.ino;
  if (inode === undefined) return { pid: null, waiting: 0 };
  const lines = readFileSync('/proc/locks', 'latin1')
    .split('\n')
    .filter((line) => line.includes(`:${inode} `) && line.includes('FLOCK'));
  const holder = lines.find((line) => !line.includes('->') && line.includes('WRITE'));
  return {
    pid: holder === undefined ? null : Number(/WRITE\s+(-?\d+)/.exec(holder)?.[1]),
    waiting: lines.filter((line) => line.includes('->')).length,
  };
}

export function queueOf(directory: string): number {
  return seatOf(directory).waiting;
}

/** The threads of a process that are in flock(2), with how often each has been switched to. */
export function flockThreads(pid: number): { tid: string; switches: number }[] {
  const flock = process.arch === 'arm64' ? '32 ' : '73 ';
  return readdirSync(`/proc/${pid}/task`).flatMap((tid) => {
    const of = (name: string): string => readFileSync(`/proc/${pid}/task/${tid}/${name}`, 'latin1');
    try {
      if (!of('syscall').startsWith(flock)) return [];
      const counts = [...of('status').matchAll(/ctxt_switches:\s*(\d+)/g)];
      return [{ tid, switches: counts.reduce((sum, [, count]) => sum + Number(count), 0) }];
    } catch {
      return [];
    }
  });
}
