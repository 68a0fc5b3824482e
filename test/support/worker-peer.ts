import { Worker, type WorkerOptions } from 'node:worker_threads';
import { onTestFinished } from 'vitest';
import type { FileLockOptions } from '../../src/index.js';
import type { RemoteError, RemoteLock } from './peer.js';

interface Message {
  id?: number;
  event?: string;
  name?: string;
  value?: unknown;
  error?: RemoteError;
}

type Options = Omit<FileLockOptions<Record<string, unknown>>, 'signal' | 'onWait'>;

/** A worker thread of this process that does what a `Peer` does. */
export class WorkerPeer {
  readonly worker: Worker;
  readonly exited: Promise<number>;
  /** Of an uncaught exception. */
  error: Error | undefined;
  readonly #calls = new Map<number, (message: Message) => void>();
  readonly #waiting = new Map<string, () => void>();
  #next = 1;

  private constructor(options: WorkerOptions, onReady: () => void) {
    this.worker = new Worker(new URL('./peer.mjs', import.meta.url), { execArgv: [], ...options });
    this.exited = new Promise((resolve) => this.worker.once('exit', resolve));
    this.worker.on('error', (error) => {
      this.error = error;
    });
    this.worker.on('message', (message: Message) => {
      if (message.event === 'ready') onReady();
      if (message.event === 'waiting') this.#waiting.get(message.name ?? '')?.();
      if (message.id !== undefined) this.#calls.get(message.id)?.(message);
    });
  }

  static async start(options: WorkerOptions = {}): Promise<WorkerPeer> {
    let peer: WorkerPeer | undefined;
    await new Promise<void>((resolve, reject) => {
      peer = new WorkerPeer(options, resolve);
      peer.exited.then((code) => reject(new Error(`the worker did not start: ${code}`)));
    });
    const started = peer as WorkerPeer;
    onTestFinished(() => started.terminate());
    return started;
  }

  call<R = unknown>(method: string, ...args: unknown[]): Promise<R> {
    const id = this.#next++;
    this.worker.postMessage({ id, method, args });
    return new Promise((resolve, reject) => {
      this.exited.then(() => reject(new Error('the worker ended')));
      this.#calls.set(id, ({ value, error }) => {
        this.#calls.delete(id);
        if (error === undefined) resolve(value as R);
        else reject(Object.assign(new Error(error.message), error));
      });
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

  /** Starts to acquire and resolves once the worker says that it has to wait. */
  async waitFor(name: string, path: string, options?: Options): Promise<Promise<RemoteLock>[]> {
    const waiting = new Promise<void>((resolve) => this.#waiting.set(name, resolve));
    const granted = this.acquire(name, path, options);
    granted.catch(() => {});
    await Promise.race([
      waiting,
      granted.then(() => Promise.reject(new Error('granted without a wait'))),
    ]);
    // Not the bare promise: that would be awaited with this one.
    return [granted];
  }

  async terminate(): Promise<void> {
    await this.worker.terminate();
  }
}
