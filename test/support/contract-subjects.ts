import { expect } from 'vitest';
import { fileLocker, type HeldLock, type Locker } from '../../src/index.js';
import { instanceLocker } from '../../src/instance/instance-lock.js';
import { memoryLocker } from '../../src/testing.js';
import { until } from './census.js';
import { lockPath } from './folder.js';
import { instancePeer } from './instance.js';
import { waitsFor } from './kernel.js';
import { Peer, type RemoteLock } from './peer.js';
import type { Tool } from './tools.js';

/** Lockers that exclude each other; in one process they may be the same one. */
export interface Sides {
  one: Locker;
  other: Locker;
  /** The holder, whose lock is `one`'s, dies. */
  crash?: (name: string) => unknown;
}

/**
 * What the contract suite runs against. A server's: `source` is `'server'`,
 * `name` makes a name that no other test uses, `make` gives two lockers, or with
 * `remote` two of `remoteLocker(await Peer.startWith({ engine, … }))`.
 */
export interface Subject {
  title: string;
  instance: boolean;
  /** It has shared locks. */
  shares: boolean;
  /** Of a holder. */
  source: 'kernel' | 'server';
  /** Each side is in another process. */
  remote: boolean;
  crashes: boolean;
  /** The first to wait is granted first, on whichever side. */
  inOrder: boolean;
  /** A look shows all waiters, even those behind another caller of the same locker. */
  seesCallers: boolean;
  /** What its tests need. */
  tools: Tool[];
  /** A lock that nobody else has. */
  name(): string;
  /** How many wait; left out, a wait is in its place when `onWait` is called. */
  waits?: (name: string, sides: Sides) => number | Promise<number>;
  make(): Promise<Sides>;
}

let count = 0;

/** A {@link Locker} whose locks another process holds. */
export function remoteLocker(peer: Peer): Locker {
  return {
    async acquire(path, { signal, onWait, ...options } = {}) {
      const name = `lock ${++count}`;
      // The event rejects when the peer ends before it has to wait.
      if (onWait !== undefined)
        peer.event('waiting', name).then(
          (holder) => onWait(holder as never),
          () => {},
        );
      const granted = peer.acquire(name, path, options);
      signal?.addEventListener('abort', () => peer.call('abort', name).catch(() => {}));
      try {
        const { token }: RemoteLock = await granted;
        const release = (): Promise<void> => peer.release(name);
        const check = (): Promise<void> => peer.call('check', name);
        return { token, check, release, [Symbol.asyncDispose]: release };
      } catch (error) {
        // The peer rejects with its own reason.
        if ((error as Error).message === 'aborted by the test') throw signal?.reason;
        throw error;
      }
    },
    look: (path) => peer.look(path),
  };
}

const ON_FILES = {
  source: 'kernel',
  seesCallers: true,
  tools: [] as Tool[],
  name: () => lockPath(),
} as const;

function inProcess(title: string, instance: boolean, locker: () => Locker): Subject {
  const make = async (): Promise<Sides> => {
    const one = locker();
    return { one, other: one };
  };
  const rest = { remote: false, crashes: false, inOrder: !instance, waits: waitsFor, make };
  return { ...ON_FILES, title, instance, shares: !instance, ...rest };
}

function inMemory(title: string, instance: boolean): Subject {
  const make = async (): Promise<Sides> => {
    const locker = memoryLocker(instance ? { instance } : undefined);
    const crash = (path: string): void => expect(locker.crash(path)).toBe(true);
    return { one: locker, other: locker, crash };
  };
  const rest = { remote: false, crashes: true, inOrder: true, make };
  return { ...ON_FILES, title, instance, shares: !instance, ...rest };
}

function inTwoProcesses(title: string, instance: boolean): Subject {
  const make = async (): Promise<Sides> => {
    const start = (): Promise<Peer> => (instance ? instancePeer() : Peer.start());
    const [one, other] = await Promise.all([start(), start()]);
    const crash = (): Promise<void> => one.kill('SIGKILL');
    return { one: remoteLocker(one), other: remoteLocker(other), crash };
  };
  const rest = { remote: true, crashes: true, inOrder: !instance, waits: waitsFor, make };
  return { ...ON_FILES, title, instance, shares: !instance, ...rest };
}

export const SUBJECTS: Subject[] = [
  inMemory('memoryLocker()', false),
  inProcess('fileLocker() in one process', false, () => fileLocker()),
  inTwoProcesses('fileLocker() in two processes', false),
  inMemory('memoryLocker({ instance: true })', true),
  inProcess('instanceLocker() in one process', true, () => instanceLocker()),
  inTwoProcesses('instanceLocker() in two processes', true),
];

export const patient = { timeout: 8000 };

type Queue = (
  locker: Locker,
  path: string,
  sides: Sides,
  place?: number,
  options?: object,
) => Promise<{ granted: Promise<HeldLock> }>;

/** Starts to acquire, and resolves once it waits as the `place`th. */
export function queueFor({ waits }: Subject): Queue {
  return async (locker, path, sides, place = 1, options = {}) => {
    let granted: Promise<HeldLock> | undefined;
    await new Promise<void>((resolve, reject) => {
      granted = locker.acquire(path, { ...patient, ...options, onWait: () => resolve() });
      granted.catch(reject);
    });
    if (waits !== undefined) await until(async () => (await waits(path, sides)) === place);
    return { granted: granted as Promise<HeldLock> };
  };
}

/** Stands in for a test that does not apply to a subject. */
export const none: (title: string, body: () => Promise<void>) => void = () => {};
