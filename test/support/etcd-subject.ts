import { onTestFinished } from 'vitest';
import { type EtcdLocker, etcdLocker } from '../../src/etcd.js';
import { remoteLocker, type Sides, type Subject } from './contract-subjects.js';
import type { Etcd } from './etcd-server.js';
import { Peer } from './peer.js';
import type { Tool } from './tools.js';

const TTL = 2;
let count = 0;

/** Locks of etcd for the contract suite: in one process, and in two. */
export function etcdSubjects(etcd: Etcd): Subject[] {
  const shared = {
    instance: false,
    shares: false,
    source: 'server',
    tools: ['etcd'] as Tool[],
    name: () => `contract/${process.pid}/${++count}`,
  } as const;
  const here = (): EtcdLocker => {
    const locker = etcdLocker({ endpoints: etcd.endpoints, ttl: TTL });
    onTestFinished(() => locker[Symbol.asyncDispose]());
    return locker;
  };
  const there = (): Promise<Peer> =>
    Peer.startWith({ engine: 'etcd', endpoints: etcd.endpoints, ttl: TTL });
  return [
    {
      ...shared,
      title: 'etcdLocker() in one process',
      remote: false,
      crashes: false,
      inOrder: true,
      seesCallers: false,
      make: async () => {
        const one = here();
        return { one, other: one };
      },
    },
    {
      ...shared,
      title: 'two etcdLocker() in one process',
      remote: false,
      crashes: false,
      inOrder: false,
      seesCallers: true,
      make: async () => ({ one: here(), other: here() }),
    },
    {
      ...shared,
      title: 'etcdLocker() in two processes',
      remote: true,
      crashes: true,
      inOrder: false,
      seesCallers: true,
      make: async (): Promise<Sides> => {
        const [one, other] = await Promise.all([there(), there()]);
        const crash = (): Promise<void> => one.kill('SIGKILL');
        return { one: remoteLocker(one), other: remoteLocker(other), crash };
      },
    },
  ];
}
