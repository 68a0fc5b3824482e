import { execFileSync, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import { until } from '../../support/census.js';
import { limit } from '../../support/limit.js';
import { lockerOf, PostgresPeer, postgresOfFile, waiters } from '../../support/postgres.js';
import { needs } from '../../support/tools.js';

let count = 0;
// In a shell's quotes.
const lockName = (): string => `deploy-${++count}`;

const server = postgresOfFile();
const test = needs('postgres');

test('a holder that is killed frees at once', async () => {
  const peer = await PostgresPeer.start({ connect: server().url });
  const other = lockerOf(server().url);
  const name = lockName();
  const { token } = await peer.acquire(name);
  const waiting = other.acquire(name, { timeout: 8000 });
  await until(async () => (await waiters(server())) === 1);
  const began = performance.now();
  await peer.kill('SIGKILL');
  const next = await waiting;
  expect(performance.now() - began).toBeLessThan(limit(1000));
  expect(next.token).toBeGreaterThan(token);
  await next.release();
});

test('the first to wait is the first to be granted it', async () => {
  const one = lockerOf(server().url);
  const peers = await Promise.all(
    [1, 2, 3].map(() => PostgresPeer.start({ connect: server().url })),
  );
  const name = lockName();
  const held = await one.acquire(name);
  const order: number[] = [];
  const all: Promise<unknown>[] = [];
  for (const [number, peer] of peers.entries()) {
    const { granted } = await peer.waitFor(name);
    await until(async () => (await waiters(server())) === number + 1);
    all.push(
      granted.then(() => {
        order.push(number);
        return peer.release(name);
      }),
    );
  }
  await held.release();
  await Promise.all(all);
  expect(order).toEqual([0, 1, 2]);
});

test('an exclusive waiter is not starved by shared holders of other processes', async () => {
  const peers = await Promise.all([1, 2].map(() => PostgresPeer.start({ connect: server().url })));
  const one = lockerOf(server().url);
  const name = lockName();
  const [first, second] = peers as [PostgresPeer, PostgresPeer];
  await first.acquire(name, { mode: 'shared' });
  const waiting = one.acquire(name, { timeout: 8000 });
  await until(async () => (await waiters(server())) === 1);
  await expect(second.acquire(name, { mode: 'shared', timeout: 0 })).rejects.toMatchObject({
    code: 'ERR_LOCK_HELD',
  });
  await first.release(name);
  await (await waiting).release();
});

describe('the life of the process', () => {
  const program = (body: string): [file: string, args: string[]] => [
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { postgresLocker } from '${new URL('../../../dist/postgres.js', import.meta.url).href}';
       const locker = postgresLocker({ connect: process.env.URL, loss: 3000 });
       ${body}`,
    ],
  ];
  const run = (body: string): string => {
    const env = { ...process.env, URL: server().url };
    return String(execFileSync(...program(body), { timeout: 10_000, env }));
  };

  test('a lock that is held does not keep it, and is free afterwards', async () => {
    const name = lockName();
    const said = run(
      `const lock = await locker.acquire('${name}'); console.log(lock.isCurrent()); process.on('exit', () => console.log('exit'))`,
    );
    expect(said).toBe('true\nexit\n');
    await (await lockerOf(server().url).acquire(name, { timeout: 2000 })).release();
  });

  test('a disposal and a refusal are waited for', async () => {
    const name = lockName();
    const said = run(
      `await locker.acquire('${name}'); await locker[Symbol.asyncDispose](); console.log('disposed')`,
    );
    expect(said).toBe('disposed\n');
    await server().sql('CREATE ROLE plain LOGIN');
    await server().sql('CREATE DATABASE narrow');
    const refused = run(
      `const other = postgresLocker({ connect: process.env.URL.replace('postgres@', 'plain@').replace(/postgres$/, 'narrow') });
       await other.acquire('a').catch((error) => console.log(error.code));`,
    );
    expect(refused).toBe('ERR_LOCK_UNSUPPORTED\n');
  });

  test('a wait keeps it', async () => {
    const name = lockName();
    const held = await lockerOf(server().url).acquire(name);
    const env = { ...process.env, URL: server().url };
    const child = spawn(
      ...program(`const lock = await locker.acquire('${name}'); console.log('granted')`),
      { env, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    onTestFinished(() => void child.kill('SIGKILL'));
    let said = '';
    child.stdout.on('data', (piece) => (said += piece));
    const ended = new Promise((resolve) => child.once('close', resolve));
    await until(async () => (await waiters(server())) === 1);
    // Longer than a heartbeat: nothing else would keep it.
    await new Promise((resolve) => setTimeout(resolve, 700));
    await held.release();
    await ended;
    expect(said).toBe('granted\n');
  });

  test('a wait for another caller of the process keeps it', async () => {
    const name = lockName();
    const script = `const lock = await locker.acquire('${name}');
      process.once('SIGUSR2', () => lock.release());
      console.log('held');
      await locker.acquire('${name}');
      console.log('granted')`;
    const env = { ...process.env, URL: server().url };
    const child = spawn(...program(script), { env, stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    let said = '';
    child.stdout.on('data', (piece) => (said += piece));
    const ended = new Promise((resolve) => child.once('close', resolve));
    await until(() => said === 'held\n');
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill('SIGUSR2');
    expect(await ended).toBe(0);
    expect(said).toBe('held\ngranted\n');
  });
});

describe('a child that has the socket', () => {
  const ways: [way: string, connect: () => object | string][] = [
    ['TCP', () => server().url],
    ['a Unix socket', () => server().local],
    ['TLS', () => ({ connectionString: server().url, ssl: { rejectUnauthorized: false } })],
  ];
  for (const [way, connect] of ways) {
    needs('postgres', 'openssl')(
      `keeps the lock over ${way} when its parent is killed`,
      async () => {
        if (way === 'TLS') await useTls();
        for (const end of ['kill', 'detach'] as const) {
          const peer = await PostgresPeer.start({ connect: connect() as string });
          const name = lockName();
          const { fd } = await peer.acquire(name);
          expect(fd).toBeGreaterThan(2);
          const child = await peer.call<number>('child', name, 60);
          if (end === 'kill') await peer.kill('SIGKILL');
          else await peer.call('detach', name);
          const other = lockerOf(server().local);
          await expect(other.acquire(name, { timeout: 400 })).rejects.toMatchObject({
            code: 'ERR_LOCK_TIMEOUT',
            holder: { pid: peer.pid },
          });
          process.kill(child, 'SIGKILL');
          await (await other.acquire(name, { timeout: 5000 })).release();
        }
      },
    );
  }

  test('is not needed: detached, the lock is free at once', async () => {
    const locker = lockerOf(server().url);
    const name = lockName();
    const lock = await locker.acquire(name);
    const second = await locker.acquire(lockName());
    expect(() => lock.detach()).toThrow(expect.objectContaining({ code: 'ERR_LOCK_STATE' }));
    await second.release();
    lock.detach();
    lock.detach();
    expect(lock.signal.aborted).toBe(false);
    expect(lock.isCurrent()).toBe(false);
    await lock.release();
    await (await locker.acquire(name, { timeout: 2000 })).release();
  });

  test('would get what its parent is granted just then: not detached before that is known', async () => {
    const locker = lockerOf(server().url);
    const lock = await locker.acquire(lockName());
    const asked = locker.acquire(lockName());
    // Until the question has been sent.
    for (let turn = 0; turn < 30; turn++) await null;
    expect(() => lock.detach()).toThrow(expect.objectContaining({ code: 'ERR_LOCK_STATE' }));
    await (await asked).release();
    lock.detach();
  });
});

let hasTls = false;

async function useTls(): Promise<void> {
  if (hasTls) return;
  hasTls = true;
  const [row] = await server().sql('SHOW data_directory');
  const data = String(row?.['data_directory']);
  const [key, certificate] = [join(data, 'server.key'), join(data, 'server.crt')];
  const words = `req -new -x509 -nodes -subj /CN=localhost -keyout ${key} -out ${certificate}`;
  execFileSync('openssl', words.split(' '), { ...server().user, stdio: 'ignore', cwd: data });
  onTestFinished(() => rmSync(key, { force: true }));
  await server().sql('ALTER SYSTEM SET ssl = on');
  await server().sql('SELECT pg_reload_conf()');
  await until(async () => (await server().sql('SHOW ssl'))[0]?.['ssl'] === 'on');
}

describe('psql', () => {
  const psql = (sql: string): string[] => [
    ...['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1'],
    ...['-h', server().folder, '-p', String(server().port), '-U', 'postgres', '-c', sql],
  ];
  const key = (name: string): string =>
    `('x' || substr(encode(sha256('${name}'), 'hex'), 1, 16))::bit(64)::bigint`;

  needs('postgres', 'psql')('takes the same lock with one line, and keeps ours out', async () => {
    const locker = lockerOf(server().url);
    const name = lockName();
    const holding = spawn(
      'psql',
      psql(`SELECT pg_advisory_lock(${key(name)}); SELECT pg_sleep(60)`),
      {
        stdio: 'ignore',
      },
    );
    onTestFinished(() => void holding.kill('SIGKILL'));
    await until(async () => (await locker.look(name)).holders.length === 1);
    await expect(locker.acquire(name, { timeout: 0 })).rejects.toMatchObject({
      code: 'ERR_LOCK_HELD',
      holder: { pid: null, source: 'server' },
    });
    await server().sql(
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'`,
    );
    await (await locker.acquire(name, { timeout: 5000 })).release();
  });

  needs('postgres', 'psql')('is kept out by ours', async () => {
    const locker = lockerOf(server().url);
    const name = lockName();
    const attempt = (): string =>
      String(execFileSync('psql', psql(`SELECT pg_try_advisory_lock(${key(name)})`))).trim();
    expect(attempt()).toBe('t');
    const lock = await locker.acquire(name);
    expect(attempt()).toBe('f');
    await lock.release();
    expect(attempt()).toBe('t');
  });
});
