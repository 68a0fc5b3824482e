import type { ForkOptions } from 'node:child_process';
import type { WorkerOptions } from 'node:worker_threads';
import type { FileLockOptions, Holder, LockStatus, LockView } from '../../src/index.js';
import { forked, Remote, threaded } from './remote.js';

const SCRIPT = './peer.mjs';

/** What a peer says of a lock of its own. */
export interface RemoteLock {
  path: string;
  held: boolean;
  mode: string;
  fd: number;
  token: number;
  previous: { pid: number; running: boolean | null; data: object } | null;
}

/** How a peer creates a locker: the name of the engine, and its options. */
export interface LockerDescription {
  engine: 'postgres' | 'etcd';
  [option: string]: unknown;
}

type Options = Omit<FileLockOptions<Record<string, unknown>>, 'signal' | 'onWait'>;

/** A real process, or a worker thread, that uses locks as the test asks. */
export class Peer extends Remote {
  static async start(options: ForkOptions = {}): Promise<Peer> {
    return new Peer(forked(SCRIPT, options)).#ready();
  }

  static async startThread(options: WorkerOptions = {}): Promise<Peer> {
    return new Peer(threaded(SCRIPT, options)).#ready();
  }

  async #ready(): Promise<this> {
    await this.event('ready');
    return this;
  }

  /** Starts one whose locks come from a server. */
  static async startWith(locker: LockerDescription, options: ForkOptions = {}): Promise<Peer> {
    const peer = await Peer.start(options);
    await peer.call('use', locker);
    return peer;
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

  look(path: string): Promise<LockView> {
    return this.call('look', path);
  }

  inspect(path: string, options?: { probe?: boolean }): Promise<LockStatus> {
    return this.call('inspect', path, options);
  }

  /** Starts to acquire and resolves once the peer says that it has to wait. */
  waitFor(
    name: string,
    path: string,
    options?: Options,
  ): Promise<{ holder: Holder | null; granted: Promise<RemoteLock> }> {
    return this.waiting(this.acquire(name, path, options), name);
  }
}
