import { describe, expect } from 'vitest';
import { until } from '../../support/census.js';
import { limit } from '../../support/limit.js';
import { backends, lockerOf, lockName, postgresOfFile, waiters } from '../../support/postgres.js';
import { errorOf } from '../../support/refused.js';
import { needs } from '../../support/tools.js';

const server = postgresOfFile({ max_connections: '60' });
const test = needs('postgres');

describe('between lockers', () => {
  test('one holds at a time, and the next is granted it on release', async () => {
    const [one, other] = [lockerOf(server().url), lockerOf(server().local)];
    const name = lockName();
    const first = await one.acquire(name);
    expect(first).toMatchObject({ name, fd: expect.any(Number) });
    expect(first.isCurrent()).toBe(true);
    await first.check();
    let isGranted = false;
    const waiting = other.acquire(name).then((lock) => {
      isGranted = true;
      return lock;
    });
    await until(async () => (await waiters(server())) === 1);
    expect(isGranted).toBe(false);
    await first.release();
    const second = await waiting;
    expect(second.token).toBeGreaterThan(first.token);
    await second.release();
    await (await one.acquire(name, { timeout: 0 })).release();
  });

  test('the session of a wait keeps the lock, and serves the next wait', async () => {
    const [one, other] = [lockerOf(server().url), lockerOf(server().url)];
    for (let round = 0; round < 2; round++) {
      const name = lockName();
      const held = await one.acquire(name);
      const waiting = other.acquire(name, { timeout: 5000 });
      await until(async () => (await waiters(server())) === 1);
      await held.release();
      await (await waiting).release();
      // Two home sessions and one of the waits; those of other tests are going.
      await until(async () => (await backends(server())).length === 3);
    }
  });

  test('refused at once, with the holder', async () => {
    const [one, other] = [
      lockerOf(server().url, { command: 'node deploy.js' }),
      lockerOf(server().url),
    ];
    const name = lockName();
    await one.acquire(name);
    const refusal = {
      name: 'LockHeldError',
      code: 'ERR_LOCK_HELD',
      path: name,
      holder: {
        pid: process.pid,
        self: true,
        source: 'server',
        verified: true,
        command: 'node deploy.js',
        since: expect.any(Date),
      },
    };
    for (const each of [one, other]) {
      expect(await errorOf(() => each.acquire(name, { timeout: 0 }))).toMatchObject(refusal);
    }
  });

  test('a timeout ends the wait, never early, and leaves nothing', async () => {
    const [one, other] = [lockerOf(server().url), lockerOf(server().url)];
    const name = lockName();
    const held = await one.acquire(name);
    for (const timeout of [1, 80.5, 300]) {
      for (const each of [one, other]) {
        const began = performance.now();
        const error = await errorOf(() => each.acquire(name, { timeout }));
        expect(performance.now() - began).toBeGreaterThanOrEqual(timeout);
        expect(performance.now() - began).toBeLessThan(limit(timeout + 1000));
        expect(error).toMatchObject({
          code: 'ERR_LOCK_TIMEOUT',
          path: name,
          timeout,
          holder: { pid: process.pid },
        });
      }
    }
    await held.release();
    expect(await server().lockCount()).toBe(0);
  });

  test('an abort rejects at once with the reason, and the wait is over', async () => {
    const [one, other] = [lockerOf(server().url), lockerOf(server().url)];
    const name = lockName();
    const held = await one.acquire(name);
    for (const each of [one, other]) {
      const controller = new AbortController();
      const reason = { any: 'thing' };
      const waiting = each.acquire(name, { signal: controller.signal });
      if (each === other) await until(async () => (await waiters(server())) === 1);
      controller.abort(reason);
      await expect(waiting).rejects.toBe(reason);
      await until(async () => (await waiters(server())) === 0);
    }
    await held.release();
    await (await other.acquire(name, { timeout: 0 })).release();
  });

  test('an abort while it connects or asks rejects with the reason', async () => {
    const name = lockName();
    const one = lockerOf(server().url);
    for (let round = 0; round < 2; round++) {
      const controller = new AbortController();
      const reason = new Error('enough');
      const waiting = one.acquire(name, { signal: controller.signal });
      controller.abort(reason);
      await expect(waiting).rejects.toBe(reason);
    }
    await expect(one.acquire(name, { signal: AbortSignal.abort(4) })).rejects.toBe(4);
    await until(async () => (await server().lockCount()) === 0);
    await (await one.acquire(name)).release();
  });

  test('onWait is called once, with the holder; what it throws ends the wait', async () => {
    const [one, other] = [lockerOf(server().url), lockerOf(server().url)];
    const name = lockName();
    const seen: unknown[] = [];
    const onWait = (holder: unknown): void => void seen.push(holder);
    const held = await one.acquire(name, { onWait });
    expect(seen).toEqual([]);
    const waiting = [other.acquire(name, { onWait }), one.acquire(name, { onWait })];
    await until(() => seen.length === 2);
    expect(seen).toMatchObject([{ pid: process.pid }, { pid: process.pid }]);
    const reason = new Error('no');
    const thrown = (): never => {
      throw reason;
    };
    for (const each of [one, other]) {
      await expect(each.acquire(name, { onWait: thrown })).rejects.toBe(reason);
    }
    await held.release();
    await Promise.all(waiting.map(async (each) => (await each).release()));
    expect(seen).toHaveLength(2);
  });

  test('shared locks go together, and exclude an exclusive one', async () => {
    const [one, other] = [lockerOf(server().url), lockerOf(server().url)];
    const name = lockName();
    const mode = 'shared';
    const shared = [
      await one.acquire(name, { mode }),
      await one.acquire(name, { mode }),
      await other.acquire(name, { mode }),
    ];
    for (const each of shared) await each.check();
    for (const each of [one, other]) {
      await expect(each.acquire(name, { timeout: 0 })).rejects.toMatchObject({
        code: 'ERR_LOCK_HELD',
      });
    }
    const waiting = other.acquire(name);
    for (const each of shared) await each.release();
    const alone = await waiting;
    await expect(one.acquire(name, { mode, timeout: 0 })).rejects.toMatchObject({
      code: 'ERR_LOCK_HELD',
    });
    const sharing = one.acquire(name, { mode });
    await until(async () => (await waiters(server())) === 1);
    await alone.release();
    await (await sharing).release();
    expect(await server().lockCount()).toBe(0);
  });
});
