import type { Member } from '../../src/election.js';
import { until } from './census.js';
import { isStopped, queueOf } from './kernel.js';
import { forked, Remote, threaded } from './remote.js';

const SCRIPT = './election-peer.mjs';

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

/** A real process, or a worker thread, with members of elections. */
export class ElectionPeer extends Remote {
  static async start({
    thread = false,
    ...user
  }: {
    thread?: boolean;
    uid?: number;
    gid?: number;
  } = {}): Promise<ElectionPeer> {
    const peer = new ElectionPeer(thread ? threaded(SCRIPT) : forked(SCRIPT, user));
    await peer.event('ready');
    return peer;
  }

  static startMany(count: number, options?: { thread?: boolean }): Promise<ElectionPeer[]> {
    return Promise.all(Array.from({ length: count }, () => ElectionPeer.start(options)));
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

  /** Stops the process and resolves once all its threads stand still. */
  async stop(): Promise<void> {
    process.kill(this.pid, 'SIGSTOP');
    await until(() => isStopped(this.pid));
  }

  continue(): void {
    process.kill(this.pid, 'SIGCONT');
  }
}
