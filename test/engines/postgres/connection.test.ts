import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, onTestFinished } from 'vitest';
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
import { TcpProxy } from '../../support/tcp-proxy.js';
import { needs } from '../../support/tools.js';

const server = postgresOfFile();
const test = needs('postgres');
const LOSS = 3000;
const HEARD = LOSS / 3 + 500;

async function proxied(): Promise<TcpProxy> {
  const proxy = await TcpProxy.start(server().port);
  onTestFinished(() => proxy.stop());
  return proxy;
}

describe('the connection', () => {
  test('is cut: lost at once', async () => {
    const proxy = await proxied();
    const lock = await lockerOf(proxy.url).acquire(lockName());
    const heard = lost(lock);
    proxy.cut();
    expect(await heard).toBeLessThan(500);
    await expectLost(lock);
  });

  for (const directions of [['up'], ['down'], ['up', 'down']] as const) {
    test(`goes silent (${directions.join(' and ')}): lost within a third of loss`, async () => {
      const proxy = await proxied();
      const lock = await lockerOf(proxy.url, { loss: LOSS }).acquire(lockName());
      const heard = lost(lock);
      proxy.swallow(...directions);
      expect(await heard).toBeLessThan(HEARD);
      await expectLost(lock);
    });
  }

  test('is accepted, and nothing said: the lock is not called held, and a disposal gives up', async () => {
    const mute = createServer((socket) => void socket.resume().once('close', () => ended++));
    let ended = 0;
    mute.listen(0, '127.0.0.1');
    await once(mute, 'listening');
    onTestFinished(() => void mute.close());
    const { port } = mute.address() as AddressInfo;
    const locker = lockerOf(`postgres://postgres@127.0.0.1:${port}/postgres`);
    await expect(locker.acquire('a', { timeout: 100 })).rejects.toMatchObject({
      code: 'ETIMEDOUT',
      message: 'the PostgreSQL server has not answered for 2.1s',
    });
    expect(ended).toBe(0);
    await locker[Symbol.asyncDispose]();
    await until(() => ended === 1);
  });

  test('has a query_timeout in its string: it does not end a wait', async () => {
    const outside = await rival(server());
    const name = lockName();
    await outside.query(lockSql(name));
    const locker = lockerOf(`${server().url}?query_timeout=100`);
    const error = await errorOf(() => locker.acquire(name, { timeout: 300 }));
    expect(error).toMatchObject({ code: 'ERR_LOCK_TIMEOUT', path: name });
  });

  test('goes silent while one waits: the wait goes on over a new one', async () => {
    const proxy = await proxied();
    const outside = await rival(server());
    const locker = lockerOf(proxy.url, { loss: LOSS });
    const name = lockName();
    await outside.query(lockSql(name));
    const waiting = locker.acquire(name, { timeout: 2000 });
    const refused = errorOf(() => waiting);
    await until(async () => (await waiters(server())) === 1);
    const began = performance.now();
    proxy.swallow('up', 'down');
    // At most two seconds after its time, whatever the server does not say.
    expect(await refused).toMatchObject({ code: expect.any(String) });
    expect(performance.now() - began).toBeLessThan(limit(4500));
    proxy.silent.clear();
    await outside.query(unlockSql(name));
    await (await locker.acquire(name, { timeout: 5000 })).release();
  });

  test('is slow: one round trip to acquire, one to release', async () => {
    const proxy = await proxied();
    const locker = lockerOf(proxy.url);
    await (await locker.acquire(lockName())).release();
    proxy.delay = 10;
    for (let round = 0; round < 3; round++) {
      const before = proxy.turns;
      const lock = await locker.acquire(lockName());
      expect(proxy.turns - before).toBe(1);
      await lock.release();
      expect(proxy.turns - before).toBe(2);
    }
  });
});

describe('no false loss', () => {
  test('where the loop is blocked for longer than loss', async () => {
    const lock = await lockerOf(server().url, { loss: LOSS }).acquire(lockName());
    const end = performance.now() + LOSS + 500;
    while (performance.now() < end);
    // Nobody has been asked for so long.
    expect(lock.isCurrent()).toBe(false);
    await until(() => lock.isCurrent());
    expect(lock.signal.aborted).toBe(false);
    await lock.check();
    await lock.release();
  });

  test('where the process was stopped for longer than loss', async () => {
    const peer = await PostgresPeer.start({ connect: server().url, loss: LOSS });
    const other = lockerOf(server().url);
    const name = lockName();
    await peer.acquire(name);
    peer.process.kill('SIGSTOP');
    try {
      const options = { timeout: LOSS + 1000 };
      await expect(other.acquire(name, options)).rejects.toMatchObject({
        code: 'ERR_LOCK_TIMEOUT',
        holder: { pid: peer.pid },
      });
    } finally {
      peer.process.kill('SIGCONT');
    }
    await peer.call('check', name);
    await until(() => peer.call<boolean>('isCurrent', name));
    expect(peer.count('lost')).toBe(0);
    await peer.release(name);
  });

  test('a session of the server that was stopped is lost before it is freed', async () => {
    const locker = lockerOf(server().url, { loss: LOSS });
    const lock = await locker.acquire(lockName());
    const heard = lost(lock);
    const backend = await backendOf(server(), lock.name);
    server().kill('SIGSTOP', backend);
    try {
      expect(await heard).toBeLessThan(HEARD);
    } finally {
      server().kill('SIGCONT', backend);
    }
    await expectLost(lock);
    // The lock is free once the session has read that its client is gone.
    await (await locker.acquire(lock.name, { timeout: 5000 })).release();
  });
});
