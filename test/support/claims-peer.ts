import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { ClaimOptions, ClaimRequest, ClaimStatus } from '../../src/claims.js';

const SCRIPT = fileURLToPath(new URL('./claims-peer.mjs', import.meta.url));

/** What a peer tells of a claim of its own. */
export interface RemoteClaim {
  agent: string;
  files: string[];
  directories: string[];
  lockedAt: Date;
  expiresAt: Date;
  fd: number;
  aborted: boolean;
  /** The code of the signal's reason. */
  reason: string | null;
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

/** A real process that claims what the test says; ended with the test. */
export class ClaimsPeer {
  readonly process: ChildProcess;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  stderr = '';
  #ended: Error | undefined;
  readonly #calls = new Map<number, Call>();
  readonly #events: Message[] = [];
  readonly #listeners = new Set<() => void>();
  #next = 1;

  private constructor() {
    this.process = fork(SCRIPT, [], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    this.process.stderr?.on('data', (chunk) => {
      this.stderr += chunk;
    });
    this.process.on('message', (message) => this.#receive(message as Message));
    this.exited = new Promise((resolve) => {
      this.process.once('exit', (code, signal) => {
        const reason = new Error(`the peer ended (${code ?? signal}): ${this.stderr}`);
        for (const call of this.#calls.values()) call.reject(reason);
        this.#calls.clear();
        this.#ended = reason;
        this.#wake();
        resolve({ code, signal });
      });
    });
  }

  /** One that works in `directory`. */
  static async start(directory: string, root: string): Promise<ClaimsPeer> {
    const peer = new ClaimsPeer();
    onTestFinished(async () => {
      peer.process.kill('SIGKILL');
      await peer.exited;
    });
    await Promise.race([
      peer.event('ready'),
      peer.exited.then(() => Promise.reject(new Error(`the peer did not start: ${peer.stderr}`))),
    ]);
    await peer.call('open', directory, { root });
    return peer;
  }

  static startMany(count: number, directory: string, root: string): Promise<ClaimsPeer[]> {
    return Promise.all(Array.from({ length: count }, () => ClaimsPeer.start(directory, root)));
  }

  get pid(): number {
    return this.process.pid as number;
  }

  /** Calls a method of claims-peer.mjs. */
  call<R = unknown>(method: string, ...args: unknown[]): Promise<R> {
    const id = this.#next++;
    const answer = new Promise<R>((resolve, reject) => {
      this.#calls.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.process.send({ id, method, args }, (error) => {
        if (error !== null) reject(new Error(`the peer has ended: ${this.stderr}`));
      });
    });
    return heard(answer);
  }

  claim(request: ClaimRequest, options?: Pick<ClaimOptions, 'timeout'>): Promise<RemoteClaim> {
    return this.call('claim', request, options);
  }

  describe(agent: string): Promise<RemoteClaim> {
    return this.call('describe', agent);
  }

  list(): Promise<ClaimStatus[]> {
    return this.call('list');
  }

  /**
   * Once, right before a call of `fs` with a path that has `part`, a hand
   * removes a path and writes files into the folder of the claims.
   */
  meddle(
    call: { name: string; part: string; nth?: number },
    hand: { remove: string; files?: Record<string, string> },
  ): Promise<void> {
    return this.call('meddle', call, hand);
  }

  /** Starts to claim and resolves once the peer says that it has to wait. */
  async waitFor(
    request: ClaimRequest,
    timeout = 20_000,
  ): Promise<{ granted: Promise<RemoteClaim> }> {
    const granted = this.claim(request, { timeout });
    await Promise.race([
      this.event('waiting', request.agent),
      granted.then(() => Promise.reject(new Error('granted without a wait'))),
    ]);
    return { granted };
  }

  /** Hands the claim's descriptor to a program, which ends with the test. Its pid. */
  async lend(agent: string): Promise<number> {
    const pid = await this.call<number>('lend', agent);
    onTestFinished(() => {
      endProcess(pid);
    });
    return pid;
  }

  /** The next message of that kind, or one that has come already. */
  event(name: string, about?: string): Promise<unknown> {
    return heard(this.#event(name, about));
  }

  async #event(name: string, about?: string): Promise<unknown> {
    for (;;) {
      const at = this.#events.findIndex(
        (each) => each.event === name && (about === undefined || each.about === about),
      );
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
    this.process.kill(signal);
    await this.exited;
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

/** Whoever does not await it (any more) does not mind how it ends. */
function heard<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** A claim's file as a hand writes it. */
export function byHand(agent: string, files: string[], seconds = 60): string {
  const time = (milliseconds: number): string =>
    `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
  const now = Date.now();
  const expires_at = time(now + seconds * 1000);
  return JSON.stringify({ agent, locked_at: time(now), files, expires_at });
}

/** SIGKILL, if it has not ended yet. */
export function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** All rounds of what repeats itself, and not only a part. */
export const TORTURE = (process.env['HOLDFAST_TORTURE'] ?? '') !== '';
