import { describe, expect } from 'vitest';
import { until } from '../../support/census.js';
import { limit } from '../../support/limit.js';
import {
  backendOf,
  expectLost,
  lockerOf,
  lockName,
  lockSql,
  lost,
  PostgresPeer,
  postgresOfFile,
  rival,
  unlockSql,
  waiters,
} from '../../support/postgres.js';
import { errorOf } from '../../support/refused.js';
import { needs } from '../../support/tools.js';

const server = postgresOfFile();
const test = needs('postgres');

describe('the server ends the session', () => {
  test('pg_terminate_backend: all that it held is lost, and free', async () => {
    const [one, other] = [lockerOf(server().url), lockerOf(server().url)];
    const locks = [await one.acquire(lockName()), await one.acquire(lockName())];
    const heard = Promise.all(locks.map((lock) => lost(lock)));
    const backend = await backendOf(server(), locks[0]?.name ?? '');
    await server().sql(`SELECT pg_terminate_backend(${backend})`);
    await heard;
    for (const lock of locks) {
      expect(lock.signal.reason.cause).toMatchObject({ code: '57P01' });
      await expectLost(lock);
      // Both on a new session.
      await (await one.acquire(lock.name, { timeout: 0 })).release();
      await (await other.acquire(lock.name, { timeout: 0 })).release();
    }
  });

  test('what a wait holds is lost only with its own session', async () => {
    const outside = await rival(server());
    const locker = lockerOf(server().url);
    const [first, name] = [await locker.acquire(lockName()), lockName()];
    await outside.query(lockSql(name));
    const waiting = locker.acquire(name);
    await until(async () => (await waiters(server())) === 1);
    await outside.query(unlockSql(name));
    const second = await waiting;
    const heard = lost(second);
    await server().sql(`SELECT pg_terminate_backend(${await backendOf(server(), name)})`);
    await heard;
    await expectLost(second);
    await first.check();
    await first.release();
  });

  for (const how of ['fast', 'immediate'] as const) {
    test(`a restart (${how}): the holder learns of it, the waiter goes on`, async () => {
      const [one, other] = [lockerOf(server().url), lockerOf(server().url)];
      const name = lockName();
      const held = await one.acquire(name);
      const heard = lost(held, 10_000);
      const waiting = other.acquire(name, { timeout: 20_000 });
      const impatient = errorOf(() => other.acquire(name, { timeout: 200 }));
      await until(async () => (await waiters(server())) === 1);
      expect(await impatient).toMatchObject({ code: 'ERR_LOCK_TIMEOUT' });
      await server().restart(how);
      await heard;
      await expectLost(held);
      const next = await waiting;
      expect(next.token).toBeGreaterThan(held.token);
      await next.check();
      await next.release();
    });
  }

  test('a crash of one of its processes: heard, and all go on', async () => {
    const locker = lockerOf(server().url);
    const lock = await locker.acquire(lockName());
    const heard = lost(lock);
    server().kill('SIGKILL', await backendOf(server(), lock.name));
    await heard;
    await expectLost(lock);
    await until(async () => {
      // Not before the server has recovered.
      const again = await locker.acquire(lock.name).catch(() => null);
      await again?.release();
      return again !== null && again.token > lock.token;
    });
  });

  test('a server that goes away while one waits: the error of the connection', async () => {
    const [one, other] = [lockerOf(server().url), lockerOf(server().url)];
    const name = lockName();
    await one.acquire(name);
    const waiting = other.acquire(name, { timeout: 3000 });
    const refused = errorOf(() => waiting);
    const began = performance.now();
    await until(async () => (await waiters(server())) === 1);
    await server().stop();
    try {
      expect(await refused).toMatchObject({ code: 'ECONNREFUSED' });
      expect(performance.now() - began).toBeGreaterThanOrEqual(2900);
    } finally {
      await server().start();
    }
  });

  test('an abort ends a wait for a server that is away', async () => {
    const [one, other] = [lockerOf(server().url), lockerOf(server().url)];
    const name = lockName();
    await one.acquire(name);
    const controller = new AbortController();
    const waiting = other.acquire(name, { signal: controller.signal });
    await until(async () => (await waiters(server())) === 1);
    await server().stop();
    try {
      controller.abort('enough');
      await expect(waiting).rejects.toBe('enough');
    } finally {
      await server().start();
    }
  });
});

describe('settings of the server', () => {
  test('a role that ends idle sessions and slow statements does not end ours', async () => {
    await server().sql(`ALTER ROLE postgres SET idle_session_timeout = 200;
      ALTER ROLE postgres SET statement_timeout = 100; ALTER ROLE postgres SET lock_timeout = 100;
      ALTER ROLE postgres SET default_transaction_read_only = on`);
    try {
      const [one, other] = [lockerOf(server().url), lockerOf(server().url)];
      const name = lockName();
      const held = await one.acquire(name);
      const waiting = other.acquire(name);
      // Shows that nothing happens.
      await new Promise((resolve) => setTimeout(resolve, 800));
      await held.check();
      await held.release();
      await (await waiting).release();
    } finally {
      await server().sql(`BEGIN READ WRITE; ALTER ROLE postgres RESET ALL; COMMIT`);
    }
  });

  test('a waiter that is dead leaves the queue', async () => {
    const outside = await rival(server());
    const peer = await PostgresPeer.start({ connect: server().url });
    const name = lockName();
    await outside.query(lockSql(name));
    await peer.waitFor(name);
    await until(async () => (await waiters(server())) === 1);
    await peer.kill('SIGKILL');
    const began = performance.now();
    await until(async () => (await waiters(server())) === 0);
    expect(performance.now() - began).toBeLessThan(limit(2500));
    expect((await lockerOf(server().url).look(name)).waiters).toEqual([]);
  });
});
