import { expect, onTestFinished } from 'vitest';
import { type EtcdLocker, etcdLocker } from '../../../src/etcd.js';
import { program } from '../../support/etcd-program.js';
import { etcdForFile } from '../../support/etcd-server.js';
import { limit } from '../../support/limit.js';
import { Peer } from '../../support/peer.js';
import { needs } from '../../support/tools.js';

const etcd = etcdForFile();
const test = needs('etcd');

let count = 0;
const newName = (): string => `name ${++count}`;
const TTL = 2;

function locker(): EtcdLocker {
  const made = etcdLocker({ endpoints: etcd.endpoints, ttl: TTL });
  onTestFinished(() => made[Symbol.asyncDispose]());
  return made;
}

const peer = (ttl = TTL): Promise<Peer> =>
  Peer.startWith({ engine: 'etcd', endpoints: etcd.endpoints, ttl });

test('the lock of a process that is killed is granted within its ttl and a second', async () => {
  const one = await peer();
  const name = newName();
  const { token } = await one.acquire('a', name);
  let holder: unknown;
  const acquiring = locker().acquire(name, { onWait: (each) => (holder = each) });
  await expect.poll(() => holder).toMatchObject({ pid: one.pid, self: false });
  const began = performance.now();
  await one.kill('SIGKILL');
  const lock = await acquiring;
  expect(performance.now() - began).toBeLessThan(limit((TTL + 1) * 1000));
  expect(lock.token).toBeGreaterThan(token);
  await lock.release();
});

test('a waiter that is killed holds nobody up for longer than that', async () => {
  const [one, other] = await Promise.all([peer(), peer()]);
  const name = newName();
  await one.acquire('a', name);
  await other.waiting(other.acquire('b', name), 'b');
  await other.kill('SIGKILL');
  await one.release('a');
  const began = performance.now();
  await (await locker().acquire(name, { timeout: 8000 })).release();
  expect(performance.now() - began).toBeLessThan(limit((TTL + 1) * 1000));
});

test('a holder that was paused beyond its ttl knows at once when it goes on', async () => {
  const one = await peer();
  const name = newName();
  const { token } = await one.acquire('a', name);
  await one.call('watchCurrent', 'a');
  expect(await one.event('current', 'a')).toBe(true);
  one.process.kill('SIGSTOP');
  const lock = await locker().acquire(name, { timeout: 8000 });
  expect(lock.token).toBeGreaterThan(token);
  one.process.kill('SIGCONT');
  expect(await one.event('current', 'a')).toBe(false);
  expect(await one.event('aborted', 'a')).toBe('ERR_LOCK_LOST');
  await expect(one.call('check', 'a')).rejects.toMatchObject({ code: 'ERR_LOCK_LOST' });
  await expect(one.release('a')).rejects.toMatchObject({ code: 'ERR_LOCK_LOST' });
  await lock.check();
  await lock.release();
});

test('a holder that was blocked for less has lost nothing', async () => {
  const one = await peer(6);
  const name = newName();
  await one.acquire('a', name);
  one.process.kill('SIGSTOP');
  // Longer than the keepalives are apart: the answer to one waits in the socket.
  await new Promise((resolve) => setTimeout(resolve, 2200));
  one.process.kill('SIGCONT');
  expect(await one.call('isCurrent', 'a')).toBe(true);
  await one.call('check', 'a');
  await one.release('a');
  expect(one.count('aborted', 'a')).toBe(0);
});

test('what is held does not keep a process alive, what waits does', async () => {
  const name = newName();
  const holds = await program(
    etcd,
    `await locker.acquire(${JSON.stringify(name)}); console.log('held');`,
  );
  expect(holds).toMatchObject({ status: 0, stdout: 'held\n', stderr: '' });
  expect(holds.milliseconds).toBeLessThan(limit(10_000));
  const waits = await program(
    etcd,
    `locker.acquire(${JSON.stringify(name)}).then((lock) => { console.log(lock.token > 0); });`,
  );
  expect(waits).toMatchObject({ status: 0, stdout: 'true\n', stderr: '' });
});

test('a lock that is released leaves nothing that keeps a process alive', async () => {
  const name = JSON.stringify(newName());
  const source = `await (await locker.acquire(${name})).release(); console.log('done');`;
  const ran = await program(etcd, source);
  expect(ran).toMatchObject({ status: 0, stdout: 'done\n', stderr: '' });
  expect(ran.milliseconds).toBeLessThan(limit(10_000));
});
