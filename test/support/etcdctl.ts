import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import type { Etcd } from './etcd-server.js';

/** An etcdctl that goes on until it is ended, as `lock NAME` and `elect NAME` do. */
export class Etcdctl {
  readonly #child: ChildProcess;
  #output = '';
  readonly #exited: Promise<unknown>;

  constructor(etcd: Etcd, ...args: string[]) {
    this.#child = spawn('etcdctl', args, {
      env: etcd.environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#exited = once(this.#child, 'exit');
    this.#child.stdout?.on('data', (chunk) => (this.#output += chunk));
    onTestFinished(() => this.end());
  }

  /** What it has printed: its key, once it has the lock. */
  get output(): string {
    return this.#output;
  }

  /** It gives its lock back first. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#child.kill(signal);
    await this.#exited;
  }
}
