import { expect } from 'vitest';
import { until } from '../../support/census.js';
import { limit } from '../../support/limit.js';
import {
  lockerOf,
  lockName,
  lockSql,
  postgresOfFile,
  rival,
  unlockSql,
  waiters,
} from '../../support/postgres.js';
import { inTwoSizes } from '../../support/sizes.js';
import { needs } from '../../support/tools.js';

const server = postgresOfFile();
const test = needs('postgres');

/** How each race ended; a wait that was refused must leave nothing. */
interface Score {
  granted: number;
  refused: number;
}

async function enterAndLeave(locker: ReturnType<typeof lockerOf>, name: string): Promise<void> {
  await (await locker.acquire(name, { timeout: 0 })).release();
}

inTwoSizes(
  (rounds: number) => `the holder releases as the wait times out, ${rounds} times: nothing is left`,
  { short: 60, long: 600 },
  async (rounds) => {
    const outside = await rival(server());
    const [one, other] = [lockerOf(server().url), lockerOf(server().url)];
    const name = lockName();
    const score: Score = { granted: 0, refused: 0 };
    // When the release is sent, in milliseconds after the wait began. It comes
    // later after a grant and earlier after a refusal, so on every machine both
    // happen, and most rounds are close.
    let moment = 28;
    for (let round = 0; round < rounds; round++) {
      await outside.query(lockSql(name));
      const waiting = one.acquire(name, { timeout: 30 });
      const settled = waiting.then(
        async (lock) => {
          score.granted++;
          moment += 0.5;
          await lock.release();
        },
        (error: { code: string }) => {
          expect(error.code).toBe('ERR_LOCK_TIMEOUT');
          score.refused++;
          moment -= 0.5;
        },
      );
      const end = performance.now() + moment;
      await until(async () => {
        while (performance.now() < end) await new Promise((resolve) => setImmediate(resolve));
        return true;
      });
      await outside.query(unlockSql(name));
      await settled;
      await enterAndLeave(other, name);
    }
    expect(await server().lockCount()).toBe(0);
    expect(score.granted).toBeGreaterThan(0);
    expect(score.refused).toBeGreaterThan(0);
  },
  test,
);

inTwoSizes(
  (rounds: number) =>
    `the holder releases as the wait is aborted, ${rounds} times: nothing is left`,
  { short: 60, long: 600 },
  async (rounds) => {
    const outside = await rival(server());
    const [one, other] = [lockerOf(server().url), lockerOf(server().url)];
    const name = lockName();
    const reason = new Error('enough');
    const score: Score = { granted: 0, refused: 0 };
    for (let round = 0; round < rounds; round++) {
      await outside.query(lockSql(name));
      const controller = new AbortController();
      const settled = one.acquire(name, { signal: controller.signal }).then(
        async (lock) => {
          score.granted++;
          await lock.release();
        },
        (error: unknown) => {
          expect(error).toBe(reason);
          score.refused++;
        },
      );
      await until(async () => (await waiters(server())) === 1);
      // Both are on their way to the server at once; either may come first.
      const unlocked = outside.query(unlockSql(name));
      if (round % 3 > 0) await new Promise((resolve) => setImmediate(resolve));
      if (round % 3 > 1) await new Promise((resolve) => setImmediate(resolve));
      controller.abort(reason);
      await Promise.all([unlocked, settled]);
      await until(async () => {
        const lock = await other.acquire(name, { timeout: 1000 });
        await lock.release();
        return true;
      });
    }
    await until(async () => (await server().lockCount()) === 0);
    expect(score.refused).toBeGreaterThan(0);
  },
  test,
);

test('a slice ends, and the wait goes on', async () => {
  const outside = await rival(server());
  const locker = lockerOf(server().url);
  const name = lockName();
  await outside.query(lockSql(name));
  const waiting = locker.acquire(name, { timeout: 60_000 });
  await until(async () => (await waiters(server())) === 1);
  const [row] = await server().sql(
    `SELECT query FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE NOT granted`,
  );
  // No longer than that may it keep a CREATE INDEX CONCURRENTLY waiting.
  expect(row?.['query']).toContain('SET lock_timeout = 10000;');
  await server().sql(
    `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'`,
  );
  await until(async () => (await waiters(server())) === 1);
  await outside.query(unlockSql(name));
  await (await waiting).release();
});

for (const where of ['the session of the lock', 'another session'] as const) {
  // The server sees through the first; out of the second only the end of the slice leads.
  const tags = where === 'another session' ? ['long'] : [];
  test(`a CREATE INDEX CONCURRENTLY of the holder in ${where} gets through`, { tags }, async () => {
    const [outside, second] = [await rival(server()), await rival(server())];
    const locker = lockerOf(server().url);
    const name = lockName();
    await outside.query(lockSql(name));
    const waiting = locker.acquire(name);
    await until(async () => (await waiters(server())) === 1);
    const client = where === 'another session' ? second : outside;
    await client.query('CREATE TABLE IF NOT EXISTS t (n int)');
    const began = performance.now();
    await client.query('CREATE INDEX CONCURRENTLY ON t (n)');
    expect(performance.now() - began).toBeLessThan(limit(25_000));
    await outside.query(unlockSql(name));
    await (await waiting).release();
  });
}

test('a cancel by an administrator is the error of the server, and nothing is held', async () => {
  const outside = await rival(server());
  const locker = lockerOf(server().url);
  const name = lockName();
  await outside.query(lockSql(name));
  const waiting = locker.acquire(name);
  waiting.catch(() => {});
  await until(async () => (await waiters(server())) === 1);
  await server().sql(
    `SELECT pg_cancel_backend(pid) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'`,
  );
  await expect(waiting).rejects.toMatchObject({ code: '57014' });
  await outside.query(unlockSql(name));
  await enterAndLeave(locker, name);
});
