import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer as createSocketServer, type Server } from 'node:net';
import { describe, expect, onTestFinished, test as plainTest } from 'vitest';
import { type EtcdLocker, type EtcdLockerOptions, etcdLocker } from '../../../src/etcd.js';
import { type Etcd, etcdForTest } from '../../support/etcd-server.js';
import { limit } from '../../support/limit.js';
import { errorOf } from '../../support/refused.js';
import { needs } from '../../support/tools.js';

const test = needs('etcd', 'etcdctl');

function locker(options: EtcdLockerOptions): EtcdLocker {
  const made = etcdLocker({ ttl: 5, ...options });
  onTestFinished(() => made[Symbol.asyncDispose]());
  return made;
}

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const answering = (listener: RequestListener): Promise<string> => listening(createServer(listener));

describe('options', () => {
  plainTest.each<[unknown, string]>([
    [undefined, 'ERR_INVALID_ARG_VALUE'],
    ['etcd', 'ERR_INVALID_ARG_TYPE'],
    [{}, 'ERR_INVALID_ARG_TYPE'],
    [{ endpoints: [] }, 'ERR_INVALID_ARG_VALUE'],
    [{ endpoints: 4 }, 'ERR_INVALID_ARG_TYPE'],
    [{ endpoints: ['a:1', 4] }, 'ERR_INVALID_ARG_TYPE'],
    [{ endpoints: '' }, 'ERR_INVALID_ARG_VALUE'],
    [{ endpoints: 'http://' }, 'ERR_INVALID_ARG_VALUE'],
    [{ endpoints: 'ftp://a:1' }, 'ERR_INVALID_ARG_VALUE'],
    [{ endpoints: 'http://a:1/path' }, 'ERR_INVALID_ARG_VALUE'],
    [{ endpoints: 'http://a:1?query' }, 'ERR_INVALID_ARG_VALUE'],
    [{ endpoints: 'http://user:secret@a:1' }, 'ERR_INVALID_ARG_VALUE'],
    [{ endpoints: 'a:99999' }, 'ERR_INVALID_ARG_VALUE'],
    [{ endpoints: 'a:1,b:2' }, 'ERR_INVALID_ARG_VALUE'],
    [{ endpoints: 'a b' }, 'ERR_INVALID_ARG_VALUE'],
    [{ endpoints: '[::1' }, 'ERR_INVALID_ARG_VALUE'],
    [{ endpoints: 'http://a:1', tls: {} }, 'ERR_INVALID_ARG_VALUE'],
    [{ endpoints: 'a', tls: { cipher: '' } }, 'ERR_INVALID_ARG_VALUE'],
    [{ endpoints: 'a', tls: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ endpoints: 'a', ttl: 1 }, 'ERR_OUT_OF_RANGE'],
    [{ endpoints: 'a', ttl: 2.5 }, 'ERR_OUT_OF_RANGE'],
    [{ endpoints: 'a', ttl: '20' }, 'ERR_INVALID_ARG_TYPE'],
    [{ endpoints: 'a', user: 'a' }, 'ERR_INVALID_ARG_VALUE'],
    [{ endpoints: 'a', password: 'a' }, 'ERR_INVALID_ARG_VALUE'],
    [{ endpoints: 'a', user: 1, password: 'a' }, 'ERR_INVALID_ARG_TYPE'],
    [{ endpoints: 'a', prefix: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ endpoints: 'a', command: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ endpoints: 'a', tll: 20 }, 'ERR_INVALID_ARG_VALUE'],
  ])('%j', async (options, code) => {
    const error = await errorOf(() => etcdLocker(options as EtcdLockerOptions));
    expect(error).toMatchObject({ code });
    expect((error as Error).message).not.toContain('secret');
  });

  plainTest.each([
    'a',
    'a:80',
    'a:80/',
    'http://a',
    'https://a:1',
    'HTTP://A',
    '[::1]:2379',
    'http://[fe80::1]',
    'etcd-0.etcd.svc.cluster.local:2379',
  ])('the endpoint %s is taken', (endpoints) => {
    expect(etcdLocker({ endpoints })).toHaveProperty('acquire');
  });
});

describe('without a server there', () => {
  plainTest.each<[string, string]>([
    ['http://127.0.0.1:1', 'ECONNREFUSED'],
    ['http://nowhere.invalid:1', 'ENOTFOUND'],
  ])('%s: at once the error of the connection', async (endpoints, code) => {
    const one = locker({ endpoints });
    const began = performance.now();
    for (const timeout of [0, 60_000, undefined]) {
      const error = await errorOf(() => one.acquire('n', { timeout }));
      expect((error as { code: string }).code).toMatch(
        code === 'ENOTFOUND' ? /^(ENOTFOUND|EAI_AGAIN)$/ : code,
      );
      expect(error).toMatchObject({ endpoint: endpoints, cause: expect.any(Error) });
    }
    await expect(one.look('n')).rejects.toMatchObject({ endpoint: endpoints });
    expect(performance.now() - began).toBeLessThan(limit(10_000));
  });

  plainTest('one that never answers: a timeout ends the wait for it', async () => {
    const endpoints = await listening(createSocketServer(() => {}));
    const one = locker({ endpoints, ttl: 2 });
    await expect(one.acquire('n', { timeout: 100 })).rejects.toMatchObject({
      code: 'ERR_LOCK_TIMEOUT',
      timeout: 100,
    });
    await expect(one.acquire('n')).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    const controller = new AbortController();
    setTimeout(() => controller.abort('enough'), 50);
    await expect(one.acquire('n', { signal: controller.signal })).rejects.toBe('enough');
  });

  plainTest.each<[string, RequestListener, string]>([
    ['a page', (_, to) => to.end('<html>'), 'ERR_LOCK_UNSUPPORTED'],
    ['other JSON', (_, to) => to.end('{"ok":true}'), 'ERR_LOCK_UNSUPPORTED'],
    ['null', (_, to) => to.end('null'), 'ERR_LOCK_UNSUPPORTED'],
    ['404', (_, to) => to.writeHead(404).end('no'), 'ERR_LOCK_UNSUPPORTED'],
    ['404 in JSON', (_, to) => to.writeHead(404).end('{"x":1}'), 'ERR_LOCK_UNSUPPORTED'],
    ['503 of a proxy', (_, to) => to.writeHead(503).end('no'), 'UNAVAILABLE'],
    [
      'half an answer',
      (_, to) => to.writeHead(200, { 'content-length': 9 }).write('{'),
      'ETIMEDOUT',
    ],
    ['the end of the connection', (from) => from.socket.destroy(), 'ECONNRESET'],
  ])('one that answers with %s', async (_, listener, code) => {
    const one = locker({ endpoints: await answering(listener), ttl: 2 });
    await expect(one.acquire('n', { timeout: 0 })).rejects.toMatchObject({ code });
    await expect(one.look('n')).rejects.toMatchObject({ code });
  });
});

describe('a cluster that asks for a password', () => {
  // A server takes its time to compare a password, and an attempt a fifth of the ttl.
  const SLOW = 30;

  async function guarded(): Promise<Etcd> {
    const etcd = await etcdForTest();
    await etcd.ctl('user', 'add', 'root:secret');
    await etcd.ctl('user', 'grant-role', 'root', 'root');
    await etcd.ctl('user', 'add', 'app:word');
    await etcd.ctl('role', 'add', 'app');
    await etcd.ctl('role', 'grant-permission', 'app', 'readwrite', 'app/', '--prefix=true');
    await etcd.ctl('user', 'grant-role', 'app', 'app');
    await etcd.ctl('auth', 'enable');
    return etcd;
  }

  test('gives locks below the prefix of the role, and nothing else', async () => {
    const { endpoints } = await guarded();
    const credentials = { endpoints, user: 'app', password: 'word', ttl: SLOW };
    const [one, other] = [
      locker({ ...credentials, prefix: 'app/' }),
      locker({ ...credentials, prefix: 'app/' }),
    ];
    const lock = await one.acquire('n');
    let waits = false;
    const granted = other.acquire('n', { onWait: () => (waits = true) });
    await expect.poll(() => waits).toBe(true);
    await lock.check();
    await lock.release();
    await (await granted).release();
    const elsewhere = locker(credentials);
    for (const timeout of [0, 5000]) {
      await expect(elsewhere.acquire('n', { timeout })).rejects.toMatchObject({
        code: 'PERMISSION_DENIED',
        message: expect.stringContaining('permission denied'),
      });
    }
  });

  test('refuses wrong ones, and none, with its own error, at once', async () => {
    const { endpoints } = await guarded();
    const wrong = locker({ endpoints, user: 'app', password: 'wrong', ttl: SLOW });
    for (const timeout of [0, 60_000]) {
      await expect(wrong.acquire('app/n', { timeout })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('authentication failed'),
      });
    }
    const none = locker({ endpoints });
    await expect(none.acquire('app/n', { timeout: 60_000 })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('"user" and "password"'),
    });
  });

  test('forgets its tokens with a restart, and gets new ones', async () => {
    const etcd = await guarded();
    const { endpoints } = etcd;
    const one = locker({ endpoints, user: 'root', password: 'secret', ttl: 10 });
    const lock = await one.acquire('n');
    await etcd.server.stop();
    etcd.server.start();
    await expect
      .poll(
        () =>
          lock.check().then(
            () => true,
            () => false,
          ),
        { timeout: 9000 },
      )
      .toBe(true);
    await lock.release();
    await (await one.acquire('n', { timeout: 0 })).release();
  });

  test('credentials where none are asked for do no harm', async () => {
    const { endpoints } = await etcdForTest();
    const one = locker({ endpoints, user: 'a', password: 'b' });
    await (await one.acquire('n', { timeout: 0 })).release();
  });
});
