import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './census.js';
import { isStopped, waitsFor } from './kernel.js';
import { forked, Remote, threaded } from './remote.js';

const SCRIPT = './slots-peer.mjs';

export interface RemoteSlot {
  number: number;
  token: number;
  previous: { pid: number } | null;
}

/** A real process, or a worker thread, that takes slots. */
export class SlotsPeer extends Remote {
  static async start({ thread = false } = {}): Promise<SlotsPeer> {
    const peer = new SlotsPeer(thread ? threaded(SCRIPT) : forked(SCRIPT));
    await peer.event('ready');
    return peer;
  }

  static startMany(count: number): Promise<SlotsPeer[]> {
    return Promise.all(Array.from({ length: count }, () => SlotsPeer.start()));
  }

  acquire(
    name: string,
    directory: string,
    slots: number,
    options?: { timeout?: number; data?: object },
  ): Promise<RemoteSlot> {
    return this.call('acquire', name, directory, slots, options);
  }

  tryAcquire(name: string, directory: string, slots: number): Promise<RemoteSlot | null> {
    return this.call('tryAcquire', name, directory, slots);
  }

  release(name: string): Promise<void> {
    return this.call('release', name);
  }

  /** Starts to wait, and resolves once it is the first of the queue. */
  async becomesFirst(
    name: string,
    directory: string,
    slots: number,
  ): Promise<{ granted: Promise<RemoteSlot> }> {
    const { granted } = await this.waiting(this.acquire(name, directory, slots), name);
    await until(() => waitsForSlots(directory, slots));
    return { granted };
  }

  /** The same for one that stands behind the first. */
  async queues(
    name: string,
    directory: string,
    slots: number,
  ): Promise<{ granted: Promise<RemoteSlot> }> {
    const before = inQueue(directory);
    const { granted } = await this.waiting(this.acquire(name, directory, slots), name);
    await until(() => inQueue(directory) > before);
    return { granted };
  }

  /** Stops the process and resolves once all its threads stand still. */
  async stop(): Promise<void> {
    process.kill(this.pid, 'SIGSTOP');
    await until(() => isStopped(this.pid));
  }
}

/** How many wait behind the first. */
export function inQueue(directory: string): number {
  return readdirSync(directory).includes('queue.lock')
    ? waitsFor(join(directory, 'queue.lock'))
    : 0;
}

/** Whether somebody waits for each of the slots. */
export function waitsForSlots(directory: string, slots: number): boolean {
  for (let number = 1; number <= slots; number++) {
    if (waitsFor(join(directory, `${number}.lock`)) === 0) return false;
  }
  return true;
}
