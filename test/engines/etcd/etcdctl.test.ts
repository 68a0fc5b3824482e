import { expect, onTestFinished } from 'vitest';
import { type EtcdLocker, etcdLocker } from '../../../src/etcd.js';
import { until } from '../../support/census.js';
import { etcdForFile } from '../../support/etcd-server.js';
import { Etcdctl } from '../../support/etcdctl.js';
import { limit } from '../../support/limit.js';
import { errorOf } from '../../support/refused.js';
import { needs } from '../../support/tools.js';

const etcd = etcdForFile();
const test = needs('etcd', 'etcdctl');

let count = 0;
const newName = (): string => `name${++count}`;

function locker(): EtcdLocker {
  const made = etcdLocker({ endpoints: etcd.endpoints });
  onTestFinished(() => made[Symbol.asyncDispose]());
  return made;
}

const NOBODY = { pid: null, hostname: null, command: null, self: false, source: 'server' };

for (const [command, ...more] of [['lock'], ['elect', 'a proposal']] as const) {
  test(`what "etcdctl ${command}" holds is refused, then granted when it ends`, async () => {
    const one = locker();
    const name = newName();
    const ctl = new Etcdctl(etcd, command, name, ...more);
    await until(() => ctl.output.startsWith(`${name}/`));
    const error = await errorOf(() => one.acquire(name, { timeout: 0 }));
    expect(error).toMatchObject({ code: 'ERR_LOCK_HELD', holder: NOBODY });
    expect(await one.look(name)).toMatchObject({ holders: [NOBODY], waiters: [] });
    const waiting: unknown[] = [];
    const acquiring = one.acquire(name, { onWait: (holder) => waiting.push(holder) });
    await until(() => waiting.length > 0);
    expect(waiting).toMatchObject([NOBODY]);
    expect(await one.look(name)).toMatchObject({
      holders: [NOBODY],
      waiters: [{ pid: process.pid, self: true }],
    });
    await ctl.end();
    await using lock = await acquiring;
    expect(lock.isCurrent()).toBe(true);
  });

  test(`"etcdctl ${command}" waits for what is held, and gets it on release`, async () => {
    const one = locker();
    const name = newName();
    const lock = await one.acquire(name);
    const ctl = new Etcdctl(etcd, command, name, ...more);
    await until(async () => (await one.look(name)).waiters.length === 1);
    expect((await one.look(name)).waiters).toMatchObject([NOBODY]);
    expect(ctl.output).toBe('');
    // Behind it in the queue.
    const next = one.acquire(name);
    await until(async () => (await etcd.keys(`${name}/`)).length === 2);
    await lock.release();
    await until(() => ctl.output.startsWith(`${name}/`));
    await until(async () => (await one.look(name)).waiters.length === 1);
    await ctl.end();
    await (await next).release();
    expect(await etcd.keys(`${name}/`)).toEqual([]);
  });
}

test('an etcdctl that is killed keeps its lock for its own ttl', async () => {
  const one = locker();
  const name = newName();
  const ctl = new Etcdctl(etcd, 'lock', '--ttl', '2', name);
  await until(() => ctl.output.startsWith(`${name}/`));
  await ctl.end('SIGKILL');
  const began = performance.now();
  await using lock = await one.acquire(name, { timeout: 8000 });
  expect(performance.now() - began).toBeLessThan(limit(4000));
  expect(lock.token).toBeGreaterThan(0);
});
