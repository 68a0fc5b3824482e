import type { Sides, Subject } from './contract-subjects.js';
import { remoteLocker } from './contract-subjects.js';
import { Peer } from './peer.js';
import { backends, lockerOf, lockName } from './postgres.js';
import type { PostgresServer } from './postgres-server.js';
import type { Tool } from './tools.js';

/**
 * Locks of PostgreSQL for the contract suite: in one process, and in two. The
 * server starts when the tests do.
 */
export function postgresSubjects(server: () => PostgresServer): Subject[] {
  const shared = {
    instance: false,
    shares: true,
    source: 'server',
    tools: ['postgres'] as Tool[],
    name: lockName,
  } as const;
  const here = () => lockerOf(server().url);
  const there = (): Promise<Peer> => Peer.startWith({ engine: 'postgres', connect: server().url });
  return [
    {
      ...shared,
      title: 'postgresLocker() in one process',
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
      title: 'two postgresLocker() in one process',
      remote: false,
      crashes: true,
      inOrder: false,
      seesCallers: true,
      make: () => inOneProcess(server()),
    },
    {
      ...shared,
      title: 'postgresLocker() in two processes',
      remote: true,
      crashes: true,
      inOrder: false,
      seesCallers: true,
      make: async () => {
        const [one, other] = await Promise.all([there(), there()]);
        const crash = (): Promise<void> => one.kill('SIGKILL');
        return { one: remoteLocker(one), other: remoteLocker(other), crash };
      },
    },
  ];
}

/** The server tells their sessions apart, and ends those of the first. */
async function inOneProcess(server: PostgresServer): Promise<Sides> {
  const earlier = await backends(server);
  const [one, other] = [lockerOf(server.url), lockerOf(server.url)];
  await one.look?.('connects');
  const own = (await backends(server)).filter((each) => !earlier.includes(each));
  const crash = async (): Promise<void> => {
    for (const each of own) await server.sql(`SELECT pg_terminate_backend(${each}, 5000)`);
  };
  return { one, other, crash };
}
