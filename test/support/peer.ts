import { type ChildProcess, type ForkOptions, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { FileLockOptions, Holder, LockStatus } from '../../src/index.js';

const SCRIPT = fileURLToPath(new URL('./peer.mjs', import.meta.url));

/** What a peer tells of a lock of its own. */
export interface RemoteLock {
  path: string;
  held: boolean;
  mode: string;
  fd: number;
  token: number;
  previous: { pid: number; running: boolean | null; data: object } | null;
}

export interface RemoteError extends Error {
  code?: string;
  holder?: Holder | null;
  cause?: { code?: string; syscall?: string };
}

interface Message {
  id?: number;
  event?: string;
  name?: string;
  holder?: Holder | null;
  value?: unknown;
  error?: RemoteError;
}

type Options = Omit<FileLockOptions<Record<string, unknown>>, 'signal' | 'onWait'>;

/** A real process that does with locks what the test says; ended with the test. */
export class Peer {
  readonly process: ChildProcess;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  stderr = '';
  readonly #calls = new Map<
    number,
    { resolve(value: unknown): void; reject(error: Error): void }
  >();
  readonly #events: { name: string; message: Message }[] = [];
  #wake = (): void => {};
  #next = 1;

  private constructor(options: ForkOptions) {
    this.process = fork(SCRIPT, [], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'advanced',
      ...options,
    });
    this.process.stderr?.on('data', (chunk) => {
      this.stderr += chunk;
    });
    this.process.on('message', (message) => this.#receive(message as Message));
    this.exited = new Promise((resolve) => {
      this.process.once('exit', (code, signal) => {
        for (const call of this.#calls.values()) {
          call.reject(new Error(`the peer ended (${code ?? signal}): ${this.stderr}`));
        }
        this.#calls.clear();
        resolve({ code, signal });
      });
    });
  }

  static async start(options: ForkOptions = {}): Promise<Peer> {
    const peer = new Peer(options);
    onTestFinished(async () => {
      peer.process.kill('SIGKILL');
      await peer.exited;
    });
    await Promise.race([
      peer.event('ready'),
      peer.exited.then(() => Promise.reject(new Error(`the peer did not start: ${peer.stderr}`))),
    ]);
    return peer;
  }

  get pid(): number {
    return this.process.pid as number;
  }

  /** Calls a method of peer.mjs. */
  call<R = unknown>(method: string, ...args: unknown[]): Promise<R> {
    const id = this.#next++;
    return new Promise<R>((resolve, reject) => {
      this.#calls.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.process.send({ id, method, args });
    });
  }

  acquire(name: string, path: string, options?: Options): Promise<RemoteLock> {
    return this.call('acquire', name, path, options);
  }

  tryAcquire(name: string, path: string, options?: Options): Promise<RemoteLock | null> {
    return this.call('tryAcquire', name, path, options);
  }

  release(name: string): Promise<void> {
    return this.call('release', name);
  }

  inspect(path: string, options?: { probe?: boolean }): Promise<LockStatus> {
    return this.call('inspect', path, options);
  }

  /** Starts to acquire and resolves once the peer says that it has to wait. */
  async waitFor(
    name: string,
    path: string,
    options?: Options,
  ): Promise<{ holder: Holder | null; granted: Promise<RemoteLock> }> {
    const granted = this.acquire(name, path, options);
    granted.catch(() => {});
    const message = await Promise.race([
      this.event('waiting', name),
      granted.then(() => Promise.reject(new Error('granted without a wait'))),
    ]);
    return { holder: message.holder ?? null, granted };
  }

  /** The next message of that kind, or one that has come already. */
  async event(name: string, about?: string): Promise<Message> {
    for (;;) {
      const at = this.#events.findIndex(
        (each) => each.name === name && (about === undefined || each.message.name === about),
      );
      const found = this.#events.splice(at, at < 0 ? 0 : 1)[0];
      if (found !== undefined) return found.message;
      await new Promise<void>((resolve) => {
        const before = this.#wake;
        this.#wake = () => {
          before();
          resolve();
        };
      });
    }
  }

  /** Sends a signal and waits for the end. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.process.kill(signal);
    await this.exited;
  }

  #receive(message: Message): void {
    if (message.event !== undefined) {
      this.#events.push({ name: message.event, message });
      const wake = this.#wake;
      this.#wake = () => {};
      wake();
      return;
    }
    const call = this.#calls.get(message.id ?? 0);
    this.#calls.delete(message.id ?? 0);
    if (message.error === undefined) call?.resolve(message.value);
    else call?.reject(Object.assign(new Error(message.error.message), message.error));
  }
}

/** Resolves when a process that has just been signalled has ended. */
export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
