import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test as plainTest } from 'vitest';
import { refuse } from '../../../src/engines/postgres/connect.js';
import { Refusal } from '../../../src/engines/postgres/server-errors.js';
import { testFolder } from '../../support/folder.js';
import { pgbouncer } from '../../support/pgbouncer.js';
import { lockerOf, lockName, postgresOfFile } from '../../support/postgres.js';
import { freePort } from '../../support/postgres-server.js';
import { errorOf } from '../../support/refused.js';
import { needs } from '../../support/tools.js';

const server = postgresOfFile();
const test = needs('postgres');

for (const mode of ['transaction', 'session'] as const) {
  needs('postgres', 'pgbouncer')(`PgBouncer in ${mode} mode is refused`, async () => {
    const locker = lockerOf(await pgbouncer(server(), mode));
    const name = lockName();
    const refusal = { code: 'ERR_LOCK_UNSUPPORTED', path: name };
    // Connected again for each call: nothing wrong is kept.
    for (const timeout of [0, 1000, Infinity]) {
      await expect(locker.acquire(name, { timeout })).rejects.toMatchObject(refusal);
    }
    await expect(locker.look(name)).rejects.toMatchObject(refusal);
    expect(await server().lockCount()).toBe(0);
  });
}

test('a standby is refused', async () => {
  const standby = await server().standby();
  try {
    await expect(lockerOf(standby.url).acquire('a')).rejects.toMatchObject({
      code: 'ERR_LOCK_UNSUPPORTED',
      path: 'a',
    });
  } finally {
    await standby.stop();
  }
});

const ANSWER = { version: 'PostgreSQL 15.18 on x86_64', recovery: 'f', backend: '7' };

plainTest('what is no PostgreSQL is refused', () => {
  expect(() => refuse(ANSWER, 7)).not.toThrow();
  for (const version of [
    'CockroachDB CCL v23.1.0',
    'PostgreSQL 11.2-YB-2.19.0.0-b0 on x86_64',
    'PostgreSQL 8.0.2 on i686-pc-linux-gnu, Redshift 1.0.12103',
  ]) {
    expect(() => refuse({ ...ANSWER, version }, 7)).toThrow(Refusal);
  }
  expect(() => refuse(ANSWER, 8)).toThrow(Refusal);
  expect(() => refuse({ ...ANSWER, recovery: 't' }, 7)).toThrow(Refusal);
});

plainTest('without pg, the error says what to install', () => {
  const folder = testFolder();
  cpSync(new URL('../../../dist', import.meta.url), folder, { recursive: true });
  const door = pathToFileURL(join(folder, 'postgres.js')).href;
  const program = `
    import { postgresLocker } from '${door}';
    const locker = postgresLocker({ connect: 'postgres:///app' });
    const error = await locker.acquire('deploy').catch((error) => error);
    console.log(error.code, error.path, error.message, error.cause.code);`;
  const args = ['--input-type=module', '-e', program];
  const { stdout, stderr } = spawnSync(process.execPath, args, { timeout: 10_000, cwd: folder });
  expect(String(stderr)).toBe('');
  expect(String(stdout)).toMatch(/^ERR_LOCK_UNSUPPORTED deploy .*npm install pg ERR_MODULE/);
});

test('the errors of the server and of the connection come through', async () => {
  await server().sql(`CREATE ROLE known LOGIN PASSWORD 'right'`);
  const { local } = server();
  const port = await freePort();
  const cases: [connect: object | string, code: string][] = [
    [{ ...local, user: 'nobody' }, '28000'],
    [{ ...local, database: 'nowhere' }, '3D000'],
    [`postgres://postgres@127.0.0.1:${port}/postgres`, 'ECONNREFUSED'],
    ['postgres://postgres@no-such-host.invalid/postgres', 'ENOTFOUND'],
    [{ ...local, host: join(local.host, 'nowhere') }, 'ENOENT'],
    ['postgres://host:port/x', 'ERR_INVALID_URL'],
  ];
  for (const [connect, code] of cases) {
    for (const timeout of [0, Infinity]) {
      const error = await errorOf(() => lockerOf(connect).acquire('a', { timeout }));
      expect(error, `${code} after ${timeout}`).toMatchObject({ code });
    }
  }
});

test('a wrong password is the error of the server, and is in no message', async () => {
  await server().sql(`CREATE ROLE secret LOGIN PASSWORD 'right'`);
  const hba = await server().sql('SHOW hba_file');
  const file = String(hba[0]?.['hba_file']);
  const before = readFileSync(file, 'utf8');
  writeFileSync(file, `host all secret 127.0.0.1/32 scram-sha-256\n${before}`);
  await server().sql('SELECT pg_reload_conf()');
  const connect = `postgres://secret:hunter2@127.0.0.1:${server().port}/postgres`;
  const error = (await errorOf(() => lockerOf(connect).acquire('a'))) as Error;
  expect(error).toMatchObject({ code: '28P01' });
  expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain('hunter2');
});

test('for a role that may not create the sequence, the error says what to run, and that helps', async () => {
  await server().sql('CREATE DATABASE narrow');
  await server().sql('CREATE ROLE "Plain role" LOGIN');
  const connect = { ...server().local, database: 'narrow', user: 'Plain role' };
  const locker = lockerOf(connect);
  const advice = async (): Promise<string> => {
    const error = (await errorOf(() => locker.acquire('a'))) as Error & { cause: unknown };
    expect(error).toMatchObject({ code: 'ERR_LOCK_UNSUPPORTED', path: 'a' });
    expect(error.cause).toMatchObject({ code: '42501' });
    return error.message;
  };
  const run = (sql: string): Promise<unknown> => server().sql(sql, 'narrow');
  const script = (await advice()).split('\n').slice(1).join('\n');
  for (const statement of script.split('\n')) {
    await run(statement);
    if (!statement.includes('SEQUENCE holdfast.token TO')) await advice();
  }
  const lock = await locker.acquire('a');
  // Begun at 1 by that statement, it has been lifted to the clock.
  expect(Math.abs(lock.token / 1000 - Date.now())).toBeLessThan(60_000);
  await lock.release();
  await run('REVOKE ALL ON SEQUENCE holdfast.token FROM "Plain role"');
  // It turns out after the lock was granted, which is then given back.
  await expect(locker.acquire('a')).rejects.toMatchObject({ code: '42501' });
  expect(await server().lockCount()).toBe(0);
});
