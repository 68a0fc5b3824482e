import { describe, expect } from 'vitest';
import { postgresLocker } from '../../../src/postgres.js';
import { until } from '../../support/census.js';
import {
  backends,
  lockerOf,
  lockName,
  lockSql,
  postgresOfFile,
  rival,
  unlockSql,
  waiters,
} from '../../support/postgres.js';
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
        expect(performance.now() - began).toBeLessThan(timeout + 1000);
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

describe('in one process', () => {
  test('one session is not granted a lock twice, and callers are served in order', async () => {
    const locker = lockerOf(server().url);
    const name = lockName();
    const order: number[] = [];
    let inside = 0;
    const enter = async (number: number): Promise<void> => {
      const lock = await locker.acquire(name);
      expect(++inside).toBe(1);
      order.push(number);
      await lock.check();
      inside--;
      await lock.release();
    };
    const all = Array.from({ length: 20 }, (_, number) => enter(number));
    await Promise.all(all);
    expect(order).toEqual([...order.keys()]);
    await until(async () => (await backends(server())).length === 1);
  });

  test('two lockers on one key exclude each other', async () => {
    const lockers = [lockerOf(server().url), lockerOf(server().url)];
    const name = lockName();
    let inside = 0;
    let last = 0;
    const enter = async (number: number): Promise<void> => {
      const lock = await lockers[number % 2]?.acquire(name);
      if (lock === undefined) throw new Error('no lock');
      expect(++inside).toBe(1);
      expect(lock.token).toBeGreaterThan(last);
      last = lock.token;
      await new Promise((resolve) => setImmediate(resolve));
      inside--;
      await lock.release();
    };
    await Promise.all(Array.from({ length: 40 }, (_, number) => enter(number)));
  });

  test('beyond maxWaits a caller tries each second, so that nobody waits for ever', async () => {
    const outside = await rival(server());
    const locker = lockerOf(server().url, { maxWaits: 1 });
    const [long, short] = [lockName(), lockName()];
    for (const each of [long, short]) await outside.query(lockSql(each));
    const first = locker.acquire(long);
    await until(async () => (await waiters(server())) === 1);
    let waits = 0;
    const second = locker.acquire(short, { timeout: 8000, onWait: () => waits++ });
    await until(() => waits === 1);
    await outside.query(unlockSql(short));
    await (await second).release();
    await outside.query(unlockSql(long));
    await (await first).release();
    await until(async () => (await backends(server())).length === 2);
  });

  test('at most four sessions stay idle', async () => {
    const outside = await rival(server());
    const locker = lockerOf(server().url);
    const names = Array.from({ length: 7 }, lockName);
    for (const name of names) await outside.query(lockSql(name));
    const waiting = names.map((name) => locker.acquire(name));
    await until(async () => (await waiters(server())) === 7);
    for (const name of names) await outside.query(unlockSql(name));
    const locks = await Promise.all(waiting);
    for (const lock of locks) await lock.release();
    await until(async () => (await backends(server())).length === 5);
  });

  test('more than maxLocks are refused', async () => {
    const locker = lockerOf(server().url, { maxLocks: 2 });
    const held = await locker.acquire(lockName());
    await locker.acquire(lockName());
    await expect(locker.acquire(lockName())).rejects.toMatchObject({ code: 'ERR_LOCK_STATE' });
    await held.release();
    await locker.acquire(lockName());
  });

  test('a thousand locks in one session', async () => {
    const locker = lockerOf(server().url);
    const locks = await Promise.all(Array.from({ length: 1000 }, () => locker.acquire(lockName())));
    await Promise.all(locks.map((lock) => lock.release()));
    expect(await server().lockCount()).toBe(0);
  });

  test('a second release does nothing, least of all to the next holder', async () => {
    const locker = lockerOf(server().url);
    const name = lockName();
    const first = await locker.acquire(name);
    await Promise.all([first.release(), first.release()]);
    const second = await locker.acquire(name, { timeout: 0 });
    await first.release();
    await first[Symbol.asyncDispose]();
    expect(first.isCurrent()).toBe(false);
    expect(first.signal.aborted).toBe(false);
    await expect(first.check()).rejects.toMatchObject({ code: 'ERR_LOCK_LOST' });
    await second.check();
    await second.release();
  });

  test('after the disposal nothing is held, and waits are rejected', async () => {
    const [locker, other] = [postgresLocker({ connect: server().url }), lockerOf(server().url)];
    const [name, second] = [lockName(), lockName()];
    const held = await locker.acquire(name);
    await other.acquire(second);
    const waiting = locker.acquire(second);
    const queued = locker.acquire(name);
    const rejected = Promise.all(
      [waiting, queued].map((each) =>
        expect(each).rejects.toMatchObject({ code: 'ERR_LOCK_STATE', path: expect.any(String) }),
      ),
    );
    await until(async () => (await waiters(server())) === 1);
    await locker[Symbol.asyncDispose]();
    await rejected;
    expect(held.signal.reason).toMatchObject({ code: 'ERR_LOCK_LOST', path: name });
    await expect(held.release()).rejects.toMatchObject({ code: 'ERR_LOCK_LOST' });
    await expect(locker.acquire(name)).rejects.toMatchObject({ code: 'ERR_LOCK_STATE' });
    await expect(locker.look(name)).rejects.toMatchObject({ code: 'ERR_LOCK_STATE' });
    await (await other.acquire(name, { timeout: 1000 })).release();
    await until(async () => (await backends(server())).length === 1);
    await locker[Symbol.asyncDispose]();
  });
});

describe('arguments', () => {
  test('wrong ones are refused', async () => {
    const one = lockerOf(server().url);
    const name = lockName();
    const wrong: [name: unknown, options: unknown, code: string][] = [
      ['', {}, 'ERR_INVALID_ARG_VALUE'],
      ['a\0b', {}, 'ERR_INVALID_ARG_VALUE'],
      [4, {}, 'ERR_INVALID_ARG_TYPE'],
      [name, { timeout: -1 }, 'ERR_OUT_OF_RANGE'],
      [name, { timeout: '1' }, 'ERR_INVALID_ARG_TYPE'],
      [name, { timeout: Number.NaN }, 'ERR_OUT_OF_RANGE'],
      [name, { signal: {} }, 'ERR_INVALID_ARG_TYPE'],
      [name, { onWait: 1 }, 'ERR_INVALID_ARG_TYPE'],
      [name, { mode: 'both' }, 'ERR_INVALID_ARG_VALUE'],
      [name, { timeouts: 1 }, 'ERR_INVALID_ARG_VALUE'],
      [name, 'options', 'ERR_INVALID_ARG_TYPE'],
    ];
    for (const [given, options, code] of wrong) {
      const call = (): Promise<unknown> => one.acquire(given as string, options as object);
      expect(await errorOf(call)).toMatchObject({ code });
    }
    await (await one.acquire(name, { timeout: Infinity, pollInterval: 5 })).release();
  });

  test('a name may be long, and hold anything but NUL', async () => {
    const [one, other] = [lockerOf(server().url), lockerOf(server().url)];
    for (const name of ['x'.repeat(10_000), '*/ DROP TABLE x; --\n\'"', 'ü😀'.repeat(2000)]) {
      const lock = await one.acquire(name);
      const error = await errorOf(() => other.acquire(name, { timeout: 0 }));
      expect(error).toMatchObject({
        path: name,
        holder: { pid: process.pid, since: expect.any(Date) },
      });
      await lock.release();
    }
  });

  test('what a locker is made with is checked', async () => {
    const connect = server().url;
    const wrong: [options: unknown, code: string][] = [
      [undefined, 'ERR_INVALID_ARG_TYPE'],
      [{}, 'ERR_INVALID_ARG_TYPE'],
      [{ connect: '' }, 'ERR_INVALID_ARG_VALUE'],
      [{ connect: 5 }, 'ERR_INVALID_ARG_TYPE'],
      [{ connect, loss: 2999 }, 'ERR_OUT_OF_RANGE'],
      [{ connect, loss: '3000' }, 'ERR_INVALID_ARG_TYPE'],
      [{ connect, maxLocks: 0 }, 'ERR_OUT_OF_RANGE'],
      [{ connect, maxWaits: 1.5 }, 'ERR_OUT_OF_RANGE'],
      [{ connect, command: 5 }, 'ERR_INVALID_ARG_TYPE'],
      [{ connect, pool: 1 }, 'ERR_INVALID_ARG_VALUE'],
    ];
    for (const [options, code] of wrong) {
      expect(await errorOf(() => postgresLocker(options as never))).toMatchObject({ code });
    }
  });
});
