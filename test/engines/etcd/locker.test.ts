import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { hostname } from 'node:os';
import { describe, expect, onTestFinished } from 'vitest';
import { type EtcdLocker, type EtcdLockerOptions, etcdLocker } from '../../../src/etcd.js';
import { etcdForFile, post } from '../../support/etcd-server.js';
import { errorOf } from '../../support/refused.js';
import { needs } from '../../support/tools.js';

const etcd = etcdForFile();
const test = needs('etcd', 'etcdctl');

let count = 0;
const newName = (): string => `name ${++count}`;

function locker(options: Partial<EtcdLockerOptions> = {}): EtcdLocker {
  const made = etcdLocker({ endpoints: etcd.endpoints, ...options });
  onTestFinished(() => made[Symbol.asyncDispose]());
  return made;
}

/** Starts to acquire, and resolves once it waits. */
async function queue(by: EtcdLocker, name: string, options: object = {}) {
  let granted: ReturnType<EtcdLocker['acquire']> | undefined;
  const holder = await new Promise<unknown>((resolve, reject) => {
    granted = by.acquire(name, { ...options, onWait: resolve });
    granted.catch(reject);
  });
  return { holder, granted: granted as ReturnType<EtcdLocker['acquire']> };
}

test('one holds at a time; the next is granted it on release, with a greater token', async () => {
  const [one, other] = [locker(), locker()];
  const name = newName();
  const first = await one.acquire(name);
  expect(first.isCurrent()).toBe(true);
  await first.check();
  expect(await etcd.keys(name)).toEqual([first.key]);
  const holder = { pid: process.pid, hostname: hostname(), self: true, source: 'server' };
  const error = await errorOf(() => other.acquire(name, { timeout: 0 }));
  expect(error).toMatchObject({ code: 'ERR_LOCK_HELD', path: name, holder });
  expect(error).not.toHaveProperty('cause');
  const waiting = await queue(other, name);
  expect(waiting.holder).toMatchObject(holder);
  expect(await one.look(name)).toMatchObject({ holders: [holder], waiters: [holder] });
  await first.release();
  await first.release();
  expect(first.isCurrent()).toBe(false);
  expect(first.signal.aborted).toBe(false);
  const second = await waiting.granted;
  expect(second.token).toBeGreaterThan(first.token);
  await second.release();
  expect(await one.look(name)).toEqual({ holders: [], waiters: [] });
  expect(await etcd.keys(name)).toEqual([]);
});

test('a refusal, a timeout and an abort leave no key behind', async () => {
  const [one, other] = [locker(), locker({ command: 'nobody' })];
  const name = newName();
  const held = await one.acquire(name);
  await expect(other.acquire(name, { timeout: 0 })).rejects.toMatchObject({
    code: 'ERR_LOCK_HELD',
  });
  expect(await etcd.keys(name)).toHaveLength(1);
  for (const timeout of [1, 80.5]) {
    const began = performance.now();
    const error = await errorOf(() => other.acquire(name, { timeout }));
    expect(performance.now() - began).toBeGreaterThanOrEqual(timeout);
    const holder = { pid: process.pid, since: expect.any(Date) };
    expect(error).toMatchObject({ code: 'ERR_LOCK_TIMEOUT', path: name, timeout, holder });
    expect(await etcd.keys(name)).toHaveLength(1);
  }
  const controller = new AbortController();
  const reason = new Error('enough');
  const { granted } = await queue(other, name, { signal: controller.signal });
  controller.abort(reason);
  await expect(granted).rejects.toBe(reason);
  expect(await etcd.keys(name)).toHaveLength(1);
  const no = new Error('no');
  const onWait = (): never => {
    throw no;
  };
  await expect(other.acquire(name, { onWait })).rejects.toBe(no);
  expect(await etcd.keys(name)).toHaveLength(1);
  await held.release();
  await (await other.acquire(name, { timeout: 0 })).release();
});

test('an abort at any moment of an acquire leaves the lock free', async () => {
  const [one, other] = [locker(), locker()];
  const name = newName();
  await (await one.acquire(name)).release();
  for (let round = 0; round < 40; round++) {
    const controller = new AbortController();
    const acquiring = one.acquire(name, { signal: controller.signal });
    for (let turn = 0; turn < round; turn++) await new Promise((r) => setImmediate(r));
    controller.abort('enough');
    await acquiring.then(
      (lock) => lock.release(),
      (error) => expect(error).toBe('enough'),
    );
    await (await other.acquire(name, { timeout: 0 })).release();
  }
  expect(await etcd.keys(name)).toEqual([]);
});

test('callers of one process come in their order, with one key at a time', async () => {
  const one = locker();
  const name = newName();
  const held = await one.acquire(name);
  const order: number[] = [];
  const all = [1, 2, 3].map(async (number) => {
    await using _lock = await one.acquire(name);
    order.push(number);
    expect(await etcd.keys(name)).toHaveLength(1);
  });
  await expect(one.acquire(name, { timeout: 0 })).rejects.toMatchObject({
    code: 'ERR_LOCK_HELD',
    holder: { self: true, pid: process.pid, since: expect.any(Date) },
  });
  await expect(one.acquire(name, { timeout: 20 })).rejects.toMatchObject({
    code: 'ERR_LOCK_TIMEOUT',
    holder: { self: true },
  });
  await held.release();
  await Promise.all(all);
  expect(order).toEqual([1, 2, 3]);
});

test('a wait in the queue of the process ends with its signal, and with what onWait throws', async () => {
  const one = locker();
  const name = newName();
  const held = await one.acquire(name);
  const controller = new AbortController();
  const { granted } = await queue(one, name, { signal: controller.signal });
  controller.abort('enough');
  await expect(granted).rejects.toBe('enough');
  const no = new Error('no');
  const onWait = (): never => {
    throw no;
  };
  await expect(one.acquire(name, { onWait })).rejects.toBe(no);
  await held.release();
  await (await one.acquire(name, { timeout: 0 })).release();
});

test('locks of a name and of names below it have nothing to do with each other', async () => {
  const [one, other] = [locker(), locker()];
  const name = newName();
  await using below = await one.acquire(`${name}/b`);
  await using _deep = await one.acquire(`${name}/b/c`);
  for (let number = 0; number < 11; number++) {
    const key = Buffer.from(`${name}/x${number}`).toString('base64');
    await post(etcd.server.endpoint, '/v3/kv/put', { key, value: 'b3RoZXI=' });
  }
  await using above = await other.acquire(name, { timeout: 0 });
  expect(above.token).toBeGreaterThan(below.token);
  await expect(one.acquire(name, { timeout: 0 })).rejects.toMatchObject({ code: 'ERR_LOCK_HELD' });
  const { granted, holder } = await queue(one, name);
  expect(holder).toMatchObject({ pid: process.pid });
  expect(await one.look(name)).toMatchObject({ holders: [{}], waiters: [{}] });
  await above.release();
  await (await granted).release();
  await (await one.acquire(name)).release();
});

test('many waiters in two lockers: each is granted it, tokens grow', async () => {
  const lockers = [locker(), locker()];
  const name = newName();
  let inside = 0;
  let last = 0;
  const work = async (by: EtcdLocker): Promise<void> => {
    await using lock = await by.acquire(name);
    expect(++inside).toBe(1);
    expect(lock.token).toBeGreaterThan(last);
    last = lock.token;
    await new Promise((resolve) => setImmediate(resolve));
    inside--;
  };
  await Promise.all(lockers.flatMap((by) => Array.from({ length: 20 }, () => work(by))));
  expect(await etcd.keys(name)).toEqual([]);
});

test('a long name, a strange name, a prefix', async () => {
  const [plain, prefixed] = [locker(), locker({ prefix: 'app/' })];
  for (const name of ['x'.repeat(10_000), 'a\nb "c" \u{1f512}', '/', 'a//']) {
    await using _lock = await plain.acquire(name);
    await expect(plain.acquire(name, { timeout: 0 })).rejects.toMatchObject({ path: name });
    await using _other = await prefixed.acquire(name, { timeout: 0 });
  }
  const name = newName();
  await using _lock = await prefixed.acquire(name);
  await expect(plain.acquire(`app/${name}`, { timeout: 0 })).rejects.toMatchObject({
    code: 'ERR_LOCK_HELD',
  });
});

test('the holder is named by the command and its arguments, or as the option says', async () => {
  const [one, other] = [locker({ command: 'make deploy\n' }), locker()];
  const name = newName();
  const held = await one.acquire(name);
  expect((await other.look(name)).holders).toMatchObject([{ command: 'make deploy ' }]);
  await held.release();
  await using _lock = await other.acquire(name);
  expect((await one.look(name)).holders[0]?.command).toMatch(/^node /);
});

describe('what is refused', () => {
  test('wrong arguments', async () => {
    const one = locker();
    const wrong: [name: unknown, options: unknown, code: string][] = [
      ['', {}, 'ERR_INVALID_ARG_VALUE'],
      ['a\0b', {}, 'ERR_INVALID_ARG_VALUE'],
      [4, {}, 'ERR_INVALID_ARG_TYPE'],
      ['a', { timeout: -1 }, 'ERR_OUT_OF_RANGE'],
      ['a', { timeout: '1' }, 'ERR_INVALID_ARG_TYPE'],
      ['a', { signal: {} }, 'ERR_INVALID_ARG_TYPE'],
      ['a', { onWait: 1 }, 'ERR_INVALID_ARG_TYPE'],
      ['a', { mode: 'both' }, 'ERR_INVALID_ARG_VALUE'],
      ['a', { mode: 'shared' }, 'ERR_LOCK_UNSUPPORTED'],
      ['a', { timeuot: 1 }, 'ERR_INVALID_ARG_VALUE'],
      ['a', 'options', 'ERR_INVALID_ARG_TYPE'],
    ];
    for (const [name, options, code] of wrong) {
      const error = await errorOf(() => one.acquire(name as string, options as object));
      expect(error, JSON.stringify([name, options])).toMatchObject({ code });
    }
    await expect(one.look('')).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
    const signal = AbortSignal.abort('before');
    await expect(one.acquire('a', { signal })).rejects.toBe('before');
  });
});

describe('the end of a locker', () => {
  test('frees what it holds, ends what waits, and refuses what comes', async () => {
    const [one, other] = [locker(), locker()];
    const [held, wanted] = [newName(), newName()];
    const lock = await one.acquire(held);
    const foreign = await other.acquire(wanted);
    const { granted } = await queue(one, wanted);
    await one[Symbol.asyncDispose]();
    await one[Symbol.asyncDispose]();
    await expect(granted).rejects.toMatchObject({ code: 'ERR_LOCK_STATE', path: wanted });
    expect(lock.signal.reason).toMatchObject({ code: 'ERR_LOCK_LOST', path: held });
    expect(lock.isCurrent()).toBe(false);
    await expect(lock.release()).rejects.toMatchObject({ code: 'ERR_LOCK_LOST' });
    await lock.release();
    await expect(one.acquire(held)).rejects.toMatchObject({ code: 'ERR_LOCK_STATE' });
    await expect(one.look(held)).rejects.toMatchObject({ code: 'ERR_LOCK_STATE' });
    await (await other.acquire(held, { timeout: 0 })).release();
    expect(await other.look(wanted)).toMatchObject({ waiters: [] });
    await foreign.release();
    expect(await etcd.keys(wanted)).toEqual([]);
  });

  test('without a call, it has nothing to end', async () => {
    const unused = etcdLocker({ endpoints: 'http://127.0.0.1:1' });
    await unused[Symbol.asyncDispose]();
  });
});

test('two halves of surrogate pairs are one name to the cluster, and so to the locker', async () => {
  const one = locker();
  const name = newName();
  const first = await one.acquire(`${name}\ud800`);
  await expect(one.acquire(`${name}\ud801`, { timeout: 100 })).rejects.toMatchObject({
    code: 'ERR_LOCK_TIMEOUT',
  });
  await first.check();
  await first.release();
});

test('a timeout at a server that has never answered has that as its cause', async () => {
  const mute = createServer();
  mute.listen(0, '127.0.0.1');
  await once(mute, 'listening');
  onTestFinished(() => void mute.close());
  const { port } = mute.address() as AddressInfo;
  const endpoint = `http://127.0.0.1:${port}`;
  const deaf = locker({ endpoints: endpoint });
  await expect(deaf.acquire('a', { timeout: 100 })).rejects.toMatchObject({
    code: 'ERR_LOCK_TIMEOUT',
    cause: {
      code: 'ETIMEDOUT',
      endpoint,
      message: `no answer from ${endpoint}: nothing came within 100 ms`,
    },
  });
});
