import { expect } from 'vitest';
import { fileLocker, type Locker } from '../../src/index.js';
import { instanceLocker } from '../../src/instance/instance-lock.js';
import { memoryLocker } from '../../src/testing.js';
import { instancePeer } from './instance.js';
import { Peer, type RemoteLock } from './peer.js';

/** Lockers that exclude each other; in one process they are the same one. */
interface Sides {
  one: Locker;
  other: Locker;
  /** The holder, whose lock is `one`'s, dies. */
  crash?: (path: string) => unknown;
}

interface Subject {
  title: string;
  instance: boolean;
  /** It uses files, so the kernel lists its waits. */
  files: boolean;
  remote: boolean;
  crashes: boolean;
  make(): Promise<Sides>;
}

let count = 0;

/** A {@link Locker} whose locks another process holds. */
function remoteLocker(peer: Peer): Locker {
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
        return { token, release, [Symbol.asyncDispose]: release };
      } catch (error) {
        // The peer rejects with its own reason.
        if ((error as Error).message === 'aborted by the test') throw signal?.reason;
        throw error;
      }
    },
  };
}

function inProcess(title: string, instance: boolean, locker: () => Locker): Subject {
  const make = async (): Promise<Sides> => {
    const one = locker();
    return { one, other: one };
  };
  return { title, instance, files: true, remote: false, crashes: false, make };
}

function inMemory(title: string, instance: boolean): Subject {
  const make = async (): Promise<Sides> => {
    const locker = memoryLocker(instance ? { instance } : undefined);
    const crash = (path: string): void => expect(locker.crash(path)).toBe(true);
    return { one: locker, other: locker, crash };
  };
  return { title, instance, files: false, remote: false, crashes: true, make };
}

function inTwoProcesses(title: string, instance: boolean): Subject {
  const make = async (): Promise<Sides> => {
    const start = (): Promise<Peer> => (instance ? instancePeer() : Peer.start());
    const [one, other] = await Promise.all([start(), start()]);
    const crash = (): Promise<void> => one.kill('SIGKILL');
    return { one: remoteLocker(one), other: remoteLocker(other), crash };
  };
  return { title, instance, files: true, remote: true, crashes: true, make };
}

export const SUBJECTS: Subject[] = [
  inMemory('memoryLocker()', false),
  inProcess('fileLocker() in one process', false, () => fileLocker()),
  inTwoProcesses('fileLocker() in two processes', false),
  inMemory('memoryLocker({ instance: true })', true),
  inProcess('instanceLocker() in one process', true, () => instanceLocker()),
  inTwoProcesses('instanceLocker() in two processes', true),
];

/** Instead of a test that makes no sense for a subject. */
export const none: (title: string, body: () => Promise<void>) => void = () => {};
