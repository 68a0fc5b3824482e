import { type ChildProcess, type ForkOptions, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { onTestFinished } from 'vitest';
import type { Holder } from '../../src/index.js';

const EVENT_MILLISECONDS = 25_000;

export interface RemoteError extends Error {
  code?: string;
  holder?: Holder | null;
  cause?: { code?: string; syscall?: string };
}

export interface RemoteEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

interface Message {
  id?: number;
  event?: string;
  about?: string;
  value?: unknown;
  error?: RemoteError;
}

interface Call {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

function url(script: string): URL {
  return new URL(script, import.meta.url);
}

/** Forks a script of this folder. Its stdout is discarded. */
export function forked(script: string, options: ForkOptions = {}): ChildProcess {
  return fork(fileURLToPath(url(script)), [], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'advanced',
    ...options,
  });
}

/** Runs a script of this folder in a worker thread of this process. */
export function threaded(script: string, options: WorkerOptions = {}): Worker {
  return new Worker(url(script), { execArgv: [], ...options });
}

/**
 * A real process, or a worker thread, that calls the methods of a script (see
 * serve.mjs) as the test asks. It ends with the test.
 */
export class Remote {
  readonly exited: Promise<RemoteEnd>;
  /** What it wrote to stderr; of a thread, its uncaught error. */
  stderr = '';
  #ended: Error | undefined;
  readonly #source: ChildProcess | Worker;
  readonly #calls = new Map<number, Call>();
  readonly #events: Message[] = [];
  readonly #listeners = new Set<() => void>();
  #next = 1;

  protected constructor(source: ChildProcess | Worker) {
    this.#source = source;
    const emitter = source as ChildProcess;
    emitter.on('message', (message) => this.#receive(message as Message));
    if (source instanceof Worker) source.on('error', (error) => (this.stderr += error));
    else source.stderr?.on('data', (chunk) => (this.stderr += chunk));
    this.exited = new Promise((resolve) => {
      emitter.once('exit', (code, signal = null) => {
        const reason = new Error(`the peer ended (${code ?? signal}): ${this.stderr}`);
        for (const call of this.#calls.values()) call.reject(reason);
        this.#calls.clear();
        this.#ended = reason;
        this.#wake();
        resolve({ code, signal });
      });
    });
    onTestFinished(() => this.end());
  }

  get process(): ChildProcess {
    if (this.#source instanceof Worker) throw new Error('this peer is a thread');
    return this.#source;
  }

  get worker(): Worker {
    if (this.#source instanceof Worker) return this.#source;
    throw new Error('this peer is a process');
  }

  get pid(): number {
    return this.process.pid as number;
  }

  /** Calls a method of the script. */
  call<R = unknown>(method: string, ...args: unknown[]): Promise<R> {
    const id = this.#next++;
    const answer = new Promise<R>((resolve, reject) => {
      if (this.#ended !== undefined) throw this.#ended;
      this.#calls.set(id, { resolve: resolve as Call['resolve'], reject });
      const message = { id, method, args };
      if (this.#source instanceof Worker) this.#source.postMessage(message);
      else this.#source.send(message, (error) => error && reject(error));
    });
    return heard(answer);
  }

  /** The value of the next event of that name, or of one that has come already. */
  event<R = unknown>(name: string, about?: string): Promise<R> {
    const missing = (): string => `no event ${name} ${about ?? ''}: ${this.stderr}`;
    return heard(within(this.#event(name, about) as Promise<R>, missing));
  }

  /** How many events of that name have come that no `event` took. */
  count(name: string, about?: string): number {
    return this.#events.filter((each) => matches(each, name, about)).length;
  }

  /** Starts `granted` and resolves once the script says that it has to wait. */
  async waiting<R>(
    granted: Promise<R>,
    about: string,
  ): Promise<{ granted: Promise<R>; holder: Holder | null }> {
    const holder = await Promise.race([
      this.event<Holder | null>('waiting', about),
      granted.then(() => Promise.reject(new Error('granted without a wait'))),
    ]);
    // In an object: a bare promise would be awaited with this one.
    return { granted, holder };
  }

  /** Sends a signal and waits for the end. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.process.kill(signal);
    await this.exited;
  }

  /** Ends it: SIGKILL to a process, `terminate()` of a thread. */
  async end(): Promise<void> {
    if (this.#source instanceof Worker) await this.#source.terminate();
    else await this.kill();
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

/** A rejection that nobody awaits must not count as unhandled: the test may have moved on. */
function heard<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** Rejects with `message()` where the promise takes longer. */
export function within<T>(
  promise: Promise<T>,
  message: () => string,
  milliseconds = EVENT_MILLISECONDS,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(message())), milliseconds);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
