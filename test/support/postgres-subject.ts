import type { Locker } from '../../src/index.js';
import { backends, lockerOf } from './postgres.js';
import type { PostgresServer } from './postgres-server.js';

/** Two lockers of one process; the server tells them apart. */
export interface PostgresSides {
  one: Locker;
  other: Locker;
  /** The server ends the sessions of `one`. */
  crash(): Promise<void>;
}

/** For the contract that all lockers keep. */
export async function postgresSubject(server: PostgresServer): Promise<PostgresSides> {
  const earlier = await backends(server);
  const [one, other] = [lockerOf(server.url), lockerOf(server.url)];
  await one.look?.('connects');
  const own = (await backends(server)).filter((each) => !earlier.includes(each));
  const crash = async (): Promise<void> => {
    for (const each of own) await server.sql(`SELECT pg_terminate_backend(${each}, 5000)`);
  };
  return { one, other, crash };
}
