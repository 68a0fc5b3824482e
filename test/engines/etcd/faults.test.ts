import { describe, expect, onTestFinished } from 'vitest';
import {
  type EtcdLock,
  type EtcdLocker,
  type EtcdLockerOptions,
  etcdLocker,
} from '../../../src/etcd.js';

import { until } from '../../support/census.js';
import { type Etcd, etcdForFile, etcdForTest, post } from '../../support/etcd-server.js';
import { limit } from '../../support/limit.js';
import { errorOf } from '../../support/refused.js';
import { needs } from '../../support/tools.js';

const shared = etcdForFile();
const test = needs('etcd', 'etcdctl');

let count = 0;
const newName = (): string => `name ${++count}`;

function locker(etcd: Etcd = shared, options: Partial<EtcdLockerOptions> = {}): EtcdLocker {
  const made = etcdLocker({ endpoints: etcd.endpoints, ttl: 3, ...options });
  onTestFinished(() => made[Symbol.asyncDispose]());
  return made;
}

async function queue(by: EtcdLocker, name: string, options: object = {}) {
  let granted: Promise<EtcdLock> | undefined;
  await new Promise<void>((resolve, reject) => {
    granted = by.acquire(name, { ...options, onWait: () => resolve() });
    granted.catch(reject);
  });
  return { granted: granted as Promise<EtcdLock> };
}

/** Resolves to when the loss was heard, and by which reason. */
function loss({ signal }: EtcdLock): Promise<{ at: number; reason: unknown }> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => {
      resolve({ at: performance.now(), reason: signal.reason });
    });
  });
}

/** The leases that exist, in decimal. */
async function leases(etcd: Etcd): Promise<string[]> {
  const answer = await post(etcd.server.endpoint, '/v3/lease/leases', {});
  return ((answer['leases'] ?? []) as { ID: string }[]).map(({ ID }) => ID);
}

async function keyOf(etcd: Etcd, name: string): Promise<{ key: string; lease: string }> {
  const [key = ''] = await etcd.keys(`${name}/`);
  const lease = BigInt(`0x${key.slice(name.length + 1)}`).toString();
  return { key, lease };
}

const LOST = { name: 'LockLostError', code: 'ERR_LOCK_LOST' };

describe('a lease that somebody revokes', () => {
  test('loses all locks: heard, refused by check and by release, free to take', async () => {
    const [one, other] = [locker(), locker()];
    const [name, second] = [newName(), newName()];
    const lock = await one.acquire(name);
    const also = await one.acquire(second);
    const [heard, alsoHeard] = [loss(lock), loss(also)];
    const began = performance.now();
    await post(shared.server.endpoint, '/v3/lease/revoke', {
      ID: (await keyOf(shared, name)).lease,
    });
    await using _next = await other.acquire(name, { timeout: 0 });
    const { at, reason } = await heard;
    expect(at - began).toBeLessThan(limit(1500));
    expect(reason).toMatchObject({ ...LOST, path: name });
    expect((await alsoHeard).reason).toMatchObject({ ...LOST, path: second });
    expect([lock.isCurrent(), also.isCurrent()]).toEqual([false, false]);
    await expect(lock.check()).rejects.toMatchObject(LOST);
    await expect(lock.release()).rejects.toMatchObject(LOST);
    await expect(also.release()).rejects.toMatchObject(LOST);
    // The next lock of the same locker has another lease.
    await (await one.acquire(second, { timeout: 0 })).release();
  });

  test('costs a waiter its place, not its wait', async () => {
    const [one, other] = [locker(), locker()];
    const name = newName();
    const lock = await one.acquire(name);
    const { granted } = await queue(other, name);
    const [, waiter] = await shared.keys(`${name}/`);
    const lease = BigInt(`0x${waiter?.slice(name.length + 1)}`).toString();
    await post(shared.server.endpoint, '/v3/lease/revoke', { ID: lease });
    await until(async () => {
      const keys = await shared.keys(`${name}/`);
      return keys.length === 2 && !keys.includes(waiter ?? '');
    });
    await lock.release();
    await (await granted).release();
  });

  test('is found on release, and by check, before anybody has heard', async () => {
    const one = locker(shared, { ttl: 60 });
    const [name, second] = [newName(), newName()];
    const lock = await one.acquire(name);
    const also = await one.acquire(second);
    await post(shared.server.endpoint, '/v3/lease/revoke', {
      ID: (await keyOf(shared, name)).lease,
    });
    expect(lock.isCurrent()).toBe(true);
    await expect(lock.release()).rejects.toMatchObject(LOST);
    await expect(also.check()).rejects.toMatchObject(LOST);
    expect(also.signal.aborted).toBe(true);
    // Its lease is not there: the server says so, and there is another one.
    await (await one.acquire(name, { timeout: 0 })).release();
  });
});

test('a key that somebody deletes is found by check; other locks stay', async () => {
  const one = locker();
  const [name, second] = [newName(), newName()];
  const lock = await one.acquire(name);
  await using also = await one.acquire(second);
  await shared.ctl('del', (await keyOf(shared, name)).key);
  await expect(lock.check()).rejects.toMatchObject(LOST);
  expect(lock.isCurrent()).toBe(false);
  await expect(lock.release()).rejects.toMatchObject(LOST);
  await also.check();
  expect(also.isCurrent()).toBe(true);
});

test('a waiter whose key somebody deletes queues again', async () => {
  const [one, other] = [locker(), locker()];
  const name = newName();
  const lock = await one.acquire(name);
  const { granted } = await queue(other, name);
  const [first, waiter = ''] = await shared.keys(`${name}/`);
  await shared.ctl('del', waiter);
  await until(async () => (await shared.keys(`${name}/`)).length === 2);
  expect((await shared.keys(`${name}/`)).includes(first ?? '')).toBe(true);
  await lock.release();
  await (await granted).release();
});

test('a compaction during the wait: it is granted all the same', async () => {
  const etcd = await etcdForTest();
  const [one, other] = [locker(etcd), locker(etcd)];
  const lock = await one.acquire('n');
  const { granted } = await queue(other, 'n');
  for (let round = 0; round < 3; round++) await etcd.ctl('put', 'x', String(round));
  const answer = await post(etcd.server.endpoint, '/v3/kv/range', { key: 'YQ==' });
  const { revision } = answer['header'] as { revision: string };
  await etcd.ctl('compact', revision);
  await lock.release();
  await (await granted).release();
});

describe('a server that is stopped', () => {
  test('loses what is held after two thirds of the ttl, before the server frees it', async () => {
    const etcd = await etcdForTest();
    const one = locker(etcd, { ttl: 4 });
    const lock = await one.acquire('n');
    const heard = loss(lock);
    const began = performance.now();
    await etcd.server.pause();
    const { at, reason } = await heard;
    expect(at - began).toBeLessThan(limit(2700));
    expect(at - began).toBeGreaterThan(1500);
    expect(reason).toMatchObject({ ...LOST, cause: { code: 'ETIMEDOUT' } });
    expect(lock.isCurrent()).toBe(false);
    await expect(lock.release()).rejects.toMatchObject(LOST);
  });

  test('for less than that, loses nothing', { tags: ['long'] }, async () => {
    const etcd = await etcdForTest();
    const one = locker(etcd, { ttl: 6 });
    await using lock = await one.acquire('n');
    await etcd.server.pause();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    etcd.server.kill('SIGCONT');
    await lock.check();
    expect(lock.isCurrent()).toBe(true);
  });

  test('a call that gives up leaves no ghost: what the server does later is undone', async () => {
    const etcd = await etcdForTest();
    const [one, other] = [locker(etcd, { ttl: 6 }), locker(etcd, { ttl: 6 })];
    // This one keeps the lease, and with it the ghost.
    await using held = await one.acquire('kept');
    await etcd.server.pause();
    const began = performance.now();
    const error = await errorOf(() => one.acquire('n', { timeout: 100 }));
    expect(error).toMatchObject({ code: 'ERR_LOCK_TIMEOUT', holder: { pid: null } });
    expect(performance.now() - began).toBeLessThan(limit(1500));
    etcd.server.kill('SIGCONT');
    await using _lock = await other.acquire('n', { timeout: 4000 });
    await held.check();
    expect(held.isCurrent()).toBe(true);
    // The lease that may have the ghost takes no new key, and goes with its lock.
    await using _again = await one.acquire('m', { timeout: 0 });
    expect(await leases(etcd)).toHaveLength(3);
    await held.release();
    await until(async () => (await leases(etcd)).length === 2);
  });

  test('timeout 0 is the error of the server', async () => {
    const etcd = await etcdForTest();
    const one = locker(etcd);
    await (await one.acquire('n')).release();
    await etcd.server.pause();
    const error = await errorOf(() => one.acquire('n', { timeout: 0 }));
    expect(error).toMatchObject({ code: 'ETIMEDOUT', endpoint: etcd.server.endpoint });
    etcd.server.kill('SIGCONT');
    await (await one.acquire('n', { timeout: 2000 })).release();
  });
});

describe('a server that goes away', () => {
  test('while one waits without a timeout: the server’s error, once the ttl is over', async () => {
    const etcd = await etcdForTest();
    const [one, other] = [locker(etcd, { ttl: 2 }), locker(etcd, { ttl: 2 })];
    await one.acquire('n');
    const { granted } = await queue(other, 'n');
    const refused = errorOf(() => granted);
    const began = performance.now();
    await etcd.server.stop();
    expect(await refused).toMatchObject({ code: 'ECONNREFUSED', endpoint: etcd.server.endpoint });
    expect(performance.now() - began).toBeGreaterThan(1900);
    expect(performance.now() - began).toBeLessThan(limit(6000));
  });

  test('while one waits with a timeout: that, with the server’s error as its cause', async () => {
    const etcd = await etcdForTest();
    const [one, other] = [locker(etcd), locker(etcd)];
    await one.acquire('n');
    const { granted } = await queue(other, 'n', { timeout: 700 });
    const refused = errorOf(() => granted);
    await etcd.server.stop();
    expect(await refused).toMatchObject({
      code: 'ERR_LOCK_TIMEOUT',
      timeout: 700,
      holder: { pid: process.pid },
      cause: { code: 'ECONNREFUSED' },
    });
  });

  test('and comes back while one waits: the wait goes on, and what was held is kept', {
    tags: ['long'],
  }, async () => {
    const etcd = await etcdForTest();
    const [one, other] = [locker(etcd, { ttl: 10 }), locker(etcd, { ttl: 10 })];
    const lock = await one.acquire('n');
    const { granted } = await queue(other, 'n');
    await etcd.server.stop();
    etcd.server.start();
    await etcd.server.ready();
    await lock.check();
    await lock.release();
    await (await granted).release();
  });
});
