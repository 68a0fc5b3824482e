import { expect } from 'vitest';
import { lockerOf, lockName, PostgresPeer, postgresOfFile } from '../../support/postgres.js';
import { errorOf } from '../../support/refused.js';
import { inTwoSizes } from '../../support/sizes.js';
import { needs } from '../../support/tools.js';

const server = postgresOfFile({ fsync: 'on' });
const test = needs('postgres');

const last = async (): Promise<number> => {
  const [row] = await server().sql('SELECT last_value FROM holdfast.token');
  return Number(row?.['last_value']);
};

async function tokenOf(connect = server().url): Promise<number> {
  const lock = await lockerOf(connect).acquire(lockName());
  await lock.release();
  return lock.token;
}

test('tokens begin at the clock of the server, and grow by one', async () => {
  const lock = await lockerOf(server().url).acquire(lockName());
  expect(Number.isSafeInteger(lock.token)).toBe(true);
  expect(Math.abs(lock.token / 1000 - Date.now())).toBeLessThan(600_000);
  await lock.release();
});

test('a sequence behind the clock is lifted, one ahead of it is left alone', async () => {
  await tokenOf();
  await server().sql(`SELECT setval('holdfast.token', 1000)`);
  expect(await tokenOf()).toBeGreaterThan(Date.now() * 1000 - 60_000_000);
  const ahead = (Date.now() + 3_600_000) * 1000;
  await server().sql(`SELECT setval('holdfast.token', ${ahead})`);
  expect(await tokenOf()).toBe(ahead + 1);
  await server().sql(`SELECT setval('holdfast.token', ${Date.now() * 1000})`);
});

test('a session that has prepared its statements goes on when the sequence is made anew', async () => {
  const locker = lockerOf(server().url);
  const name = lockName();
  const first = await locker.acquire(name);
  await first.release();
  await server().sql('ALTER SEQUENCE holdfast.token RENAME TO away');
  for (let count = 0; count < 2; count++) {
    await expect(locker.acquire(name)).rejects.toMatchObject({ code: '42P01' });
    expect(await server().lockCount()).toBe(0);
  }
  await server().sql(`DROP SEQUENCE holdfast.away;
    CREATE SEQUENCE holdfast.token START ${first.token + 10} CACHE 1`);
  const second = await locker.acquire(name);
  expect(second.token).toBe(first.token + 10);
  await second.release();
});

test('another sequence of the search path is not used', async () => {
  await tokenOf();
  await server().sql(`CREATE SCHEMA trap; CREATE SEQUENCE trap.token CACHE 1000;
    CREATE SCHEMA "holdfast.token"; ALTER ROLE postgres SET search_path = trap, public`);
  expect(await tokenOf()).toBeGreaterThan(1_000_000);
  await server().sql('ALTER ROLE postgres RESET search_path');
});

test('a sequence whose tokens would not grow is refused', async () => {
  const before = await tokenOf();
  for (const change of ['CACHE 50', 'CYCLE', 'INCREMENT -1']) {
    await server().sql(`ALTER SEQUENCE holdfast.token ${change}`);
    const error = (await errorOf(() => tokenOf())) as Error;
    expect(error, change).toMatchObject({ code: 'ERR_LOCK_UNSUPPORTED' });
    await server().sql(/ALTER SEQUENCE .*/.exec(error.message)?.[0] as string);
  }
  expect(await tokenOf()).toBeGreaterThan(before);
});

inTwoSizes(
  (rounds: number) => `no token is given twice after ${rounds} crashes of the server`,
  { short: 1, long: 10 },
  async (rounds) => {
    await server().sql('ALTER SYSTEM SET synchronous_commit = off');
    await server().sql('SELECT pg_reload_conf()');
    for (let round = 0; round < rounds; round++) {
      const locker = lockerOf(server().url);
      const name = lockName();
      let highest = 0;
      for (let each = 0; each < 40; each++) {
        const lock = await locker.acquire(name);
        highest = Math.max(highest, lock.token);
        await lock.release();
      }
      await locker[Symbol.asyncDispose]();
      await server().restart('immediate');
      // Before it is lifted to the clock.
      expect(await last()).toBeGreaterThanOrEqual(highest);
    }
  },
  test,
);

inTwoSizes(
  (rounds: number) => `those that lift at once take no token back, ${rounds} times`,
  { short: 20, long: 500 },
  async (rounds) => {
    const connect = server().url;
    await tokenOf();
    const start = (): Promise<PostgresPeer> => PostgresPeer.start({ connect });
    const peers = await Promise.all([start(), start(), start()]);
    const name = lockName();
    for (let round = 0; round < rounds; round++) {
      await server().sql(`SELECT setval('holdfast.token', 1000)`);
      let highest = 0;
      const enter = async (peer: PostgresPeer): Promise<void> => {
        await peer.call('open', { connect });
        const { token } = await peer.acquire(name);
        // One holds at a time, so this is the order of the grants.
        expect(token).toBeGreaterThan(highest);
        highest = token;
        await peer.release(name);
        await peer.call('dispose');
      };
      await Promise.all(peers.map(enter));
    }
  },
  test,
);
