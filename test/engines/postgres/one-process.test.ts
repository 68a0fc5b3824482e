import { describe, expect } from 'vitest';
import { postgresLocker } from '../../../src/postgres.js';
import { until } from '../../support/census.js';
import {
  backendOf,
  backends,
  lockerOf,
  lockName,
  lockSql,
  postgresOfFile,
  rival,
  tryLockSql,
  unlockSql,
  waiters,
} from '../../support/postgres.js';
import { errorOf } from '../../support/refused.js';
import { needs } from '../../support/tools.js';

const server = postgresOfFile({ max_connections: '60' });
const test = needs('postgres');

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

  test('beyond maxWaits a caller tries each second, so that nobody waits forever', async () => {
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
    // Without a wait, which would open a session that stays.
    await (await other.acquire(name, { timeout: 0 })).release();
    await until(async () => (await backends(server())).length === 1);
    await locker[Symbol.asyncDispose]();
  });
});

test('a disposal in the middle of a statement waits until the server has freed the lock', async () => {
  const locker = postgresLocker({ connect: server().url });
  const outside = await rival(server());
  const name = lockName();
  const lock = await locker.acquire(name);
  const backend = await backendOf(server(), name);
  let isOver = false;
  server().kill('SIGSTOP', backend);
  const checked = errorOf(() => lock.check());
  const disposed = locker[Symbol.asyncDispose]().then(() => {
    isOver = true;
  });
  try {
    expect(await checked).toMatchObject({ code: 'ERR_LOCK_LOST' });
    await outside.query('SELECT 1');
    expect(isOver).toBe(false);
  } finally {
    // Else the server could not be stopped.
    server().kill('SIGCONT', backend);
  }
  await disposed;
  const { rows } = await outside.query(tryLockSql(name));
  expect(rows).toEqual([{ granted: true }]);
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
      [name, { pollInterval: -1 }, 'ERR_OUT_OF_RANGE'],
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

  test('the arguments of a locker are checked', async () => {
    const connect = server().url;
    const wrong: [options: unknown, code: string][] = [
      [undefined, 'ERR_INVALID_ARG_TYPE'],
      [{}, 'ERR_INVALID_ARG_TYPE'],
      [{ connect: '' }, 'ERR_INVALID_ARG_VALUE'],
      [{ connect: 'db.internal/app' }, 'ERR_INVALID_ARG_VALUE'],
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
