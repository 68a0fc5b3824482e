import { describe, expect, onTestFinished } from 'vitest';
import { type EtcdLocker, etcdLocker } from '../../../src/etcd.js';
import { until } from '../../support/census.js';
import { EtcdProxy } from '../../support/etcd-proxy.js';
import { etcdForFile } from '../../support/etcd-server.js';
import { needs } from '../../support/tools.js';

// Questions that the server gets long after they were asked, and whose answers
// nobody hears.

const etcd = etcdForFile();
const test = needs('etcd', 'etcdctl');

let count = 0;
const newName = (): string => `name ${++count}`;

function locker(endpoint: string, ttl = 5): EtcdLocker {
  const made = etcdLocker({ endpoints: endpoint, ttl });
  onTestFinished(() => made[Symbol.asyncDispose]());
  return made;
}

const TXN = '/v3/kv/txn';

test('one question to acquire, one to release, one to refuse, two for the first', async () => {
  const proxy = await EtcdProxy.start(etcd.server.endpoint);
  const [one, other] = [locker(proxy.endpoint), locker(etcd.server.endpoint)];
  const name = newName();
  await (await one.acquire(name)).release();
  expect(proxy.asked.splice(0)).toEqual(['/v3/lease/grant', TXN, TXN]);
  for (const timeout of [0, 1000]) {
    await (await one.acquire(name, { timeout })).release();
    expect(proxy.asked.splice(0)).toEqual([TXN, TXN]);
  }
  await using _held = await other.acquire(name);
  await one.acquire(name, { timeout: 0 }).catch(() => {});
  expect(proxy.asked.splice(0)).toEqual([TXN]);
});

test('a handoff is an event and one question', async () => {
  const proxy = await EtcdProxy.start(etcd.server.endpoint);
  const [one, other] = [locker(proxy.endpoint), locker(etcd.server.endpoint)];
  const name = newName();
  const held = await other.acquire(name);
  let waits = false;
  const granted = one.acquire(name, { onWait: () => (waits = true) });
  await until(() => waits && proxy.asked.includes('/v3/watch'));
  proxy.asked.splice(0);
  await held.release();
  await using _lock = await granted;
  expect(proxy.asked).toEqual(['/v3/kv/range']);
});

describe('a put that the server does after its caller has given up', () => {
  for (const [how, options] of [
    ['by a timeout', { timeout: 50 }],
    ['with the server’s error', { timeout: 0 }],
  ] as const) {
    test(`${how}: no ghost holds the lock while the process holds another`, async () => {
      const proxy = await EtcdProxy.start(etcd.server.endpoint);
      const [one, other] = [locker(proxy.endpoint), locker(etcd.server.endpoint)];
      const name = newName();
      const kept = await one.acquire(`${name} kept`);
      const held = proxy.hold(TXN);
      await expect(one.acquire(name, options)).rejects.toMatchObject({
        code: options.timeout === 0 ? 'ETIMEDOUT' : 'ERR_LOCK_TIMEOUT',
      });
      await held;
      // The first look for it comes too early, and others may have followed.
      await until(() => proxy.asked.filter((each) => each === TXN).length >= 3);
      expect(await proxy.deliver()).toMatchObject({ succeeded: true });
      // With the next keepalive; without it, only when the other lock is released.
      await using _lock = await other.acquire(name, { timeout: 8000 });
      expect(await etcd.keys(`${name}/`)).toHaveLength(1);
      expect(kept.isCurrent()).toBe(true);
      // Another lease: the key of the old one may still appear, and would be in the way.
      await using _next = await one.acquire(`${name} next`, { timeout: 0 });
      await kept.release();
    });
  }
});

test('a delete that the server does after the next grant does not hit that', async () => {
  const proxy = await EtcdProxy.start(etcd.server.endpoint);
  const one = locker(proxy.endpoint);
  const name = newName();
  const first = await one.acquire(name);
  const held = proxy.hold(TXN);
  const released = first.release();
  await held;
  // The second attempt of the release.
  await released;
  await using second = await one.acquire(name, { timeout: 0 });
  expect(await proxy.deliver()).not.toHaveProperty('succeeded');
  await second.check();
  expect(second.token).toBeGreaterThan(first.token);
});

test('a release whose answer is lost has released', async () => {
  const proxy = await EtcdProxy.start(etcd.server.endpoint);
  const one = locker(proxy.endpoint);
  const name = newName();
  const lock = await one.acquire(name);
  const held = proxy.hold(TXN);
  const released = lock.release();
  await held;
  expect(await proxy.deliver()).toMatchObject({ succeeded: true });
  await released;
  expect(lock.signal.aborted).toBe(false);
});

test('a wait that ends while its delete gets no answer: the key goes later', async () => {
  const proxy = await EtcdProxy.start(etcd.server.endpoint);
  const [one, other] = [locker(proxy.endpoint), locker(etcd.server.endpoint)];
  const name = newName();
  const held = await other.acquire(name);
  const kept = await one.acquire(`${name} kept`);
  const controller = new AbortController();
  let waits = false;
  const waiting = one.acquire(name, { signal: controller.signal, onWait: () => (waits = true) });
  await until(() => waits);
  const silent = proxy.hold(TXN);
  controller.abort('enough');
  await expect(waiting).rejects.toBe('enough');
  await silent;
  await until(async () => (await etcd.keys(`${name}/`)).length === 1);
  await kept.check();
  // A new wait has another key.
  const again = one.acquire(name);
  await held.release();
  await (await again).release();
});
