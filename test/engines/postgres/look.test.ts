import { hostname } from 'node:os';
import pg from 'pg';
import { expect, test as plainTest } from 'vitest';
import {
  commentOf,
  readApplicationName,
  readComment,
} from '../../../src/engines/postgres/comment.js';
import { keyOf } from '../../../src/engines/postgres/key.js';
import { thisProcess } from '../../../src/engines/this-process.js';
import { until } from '../../support/census.js';
import { limit } from '../../support/limit.js';
import {
  lockerOf,
  lockName,
  lockSql,
  PostgresPeer,
  postgresOfFile,
  rival,
  waiters,
} from '../../support/postgres.js';
import { needs } from '../../support/tools.js';

const server = postgresOfFile();
const test = needs('postgres');

test('look names the holder and the waiters, and changes nothing', async () => {
  const [one, other] = [lockerOf(server().url), lockerOf(server().url)];
  const peer = await PostgresPeer.start({ connect: server().url, command: 'peer' });
  const name = lockName();
  expect(await other.look?.(name)).toEqual({ holders: [], waiters: [] });
  const before = Date.now();
  const held = await one.acquire(name);
  await peer.waitFor(name);
  await until(async () => (await waiters(server())) === 1);
  const waiting = other.acquire(name);
  await until(async () => (await waiters(server())) === 2);
  const view = await other.look(name);
  const me = { pid: process.pid, self: true, source: 'server', verified: true };
  expect(view).toMatchObject({
    holders: [{ ...me, hostname: hostname(), command: expect.stringContaining('node') }],
    waiters: [
      { pid: peer.pid, self: false, command: 'peer', since: null },
      { ...me, since: null },
    ],
  });
  const since = view.holders[0]?.since?.getTime() ?? 0;
  expect(Math.abs(since - before)).toBeLessThan(2000);
  await held.release();
  await until(async () => (await one.look(name)).holders[0]?.pid === peer.pid);
  const [granted] = (await one.look(name)).holders;
  expect(Math.abs((granted?.since?.getTime() ?? 0) - Date.now())).toBeLessThan(limit(2000));
  await peer.release(name);
  await (await waiting).release();
  expect(await one.look(name)).toEqual({ holders: [], waiters: [] });
});

test('since is unknown where a session holds several', async () => {
  const [one, other] = [lockerOf(server().url), lockerOf(server().url)];
  const names = [lockName(), lockName()] as const;
  await one.acquire(names[0]);
  const second = await one.acquire(names[1]);
  expect((await other.look(names[0])).holders).toMatchObject([{ pid: process.pid, since: null }]);
  await second.release();
  expect((await other.look(names[0])).holders).toMatchObject([{ since: expect.any(Date) }]);
});

test('the heartbeat keeps the name of the holder', async () => {
  const [one, other] = [lockerOf(server().url, { loss: 3000 }), lockerOf(server().url)];
  const name = lockName();
  await one.acquire(name);
  const lastStatement = async (): Promise<string> => {
    const [row] = await server().sql(
      `SELECT a.query FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory'`,
    );
    return String(row?.['query']);
  };
  await until(async () => (await lastStatement()).endsWith('SELECT 1'));
  expect((await other.look(name)).holders).toMatchObject([
    { pid: process.pid, since: expect.any(Date) },
  ]);
});

test('another role sees what application_name says, and no pid of the server', async () => {
  await server().sql('CREATE ROLE other LOGIN; GRANT CREATE ON DATABASE postgres TO other');
  const [one, other] = [lockerOf(server().url), lockerOf({ ...server().local, user: 'other' })];
  const name = lockName();
  await one.acquire(name);
  await server().sql(
    'GRANT USAGE ON SCHEMA holdfast TO other; GRANT USAGE, SELECT, UPDATE ON SEQUENCE holdfast.token TO other',
  );
  expect((await other.look(name)).holders).toMatchObject([
    { pid: process.pid, hostname: hostname(), command: null, since: null },
  ]);
  const foreign = lockName();
  const outside = await rival(server());
  await outside.query(lockSql(foreign));
  expect((await other.look(foreign)).holders).toMatchObject([
    { pid: null, hostname: null, command: null, self: false, verified: true },
  ]);
});

test('an application_name of the user stays', async () => {
  const locker = lockerOf({ ...server().local, application_name: 'shop' });
  await locker.acquire(lockName());
  const rows = await server().sql(
    `SELECT pid FROM pg_stat_activity WHERE application_name = 'shop'`,
  );
  expect(rows).toHaveLength(1);
});

test('locks of another database are others', async () => {
  await server().sql('CREATE DATABASE elsewhere');
  const name = lockName();
  const there = new pg.Client({ ...server().local, database: 'elsewhere' });
  await there.connect();
  await there.query(lockSql(name));
  const locker = lockerOf(server().url);
  const lock = await locker.acquire(name, { timeout: 0 });
  expect((await locker.look(name)).holders).toHaveLength(1);
  await lock.release();
  await there.end();
});

plainTest('the key never changes', () => {
  expect(keyOf('deploy')).toEqual({
    text: '-5206911306292520180',
    high: 3_082_638_785,
    low: 460_856_076,
  });
});

plainTest('a comment is short enough for the server to keep, and survives any name', () => {
  const me = { pid: 31365, hostname: 'h'.repeat(255), command: '😀"\\'.repeat(200) };
  const since = new Date();
  for (const name of ['deploy', '*/ x'.repeat(3000), '\u0000\n"', '😀'.repeat(500)]) {
    const comment = commentOf(me, { name, since, waits: false, first: false });
    expect(comment.length).toBeLessThan(800);
    expect(comment).toMatch(/^\/\* holdfast [\w-]+ \*\/ $/);
    expect(readComment(`${comment}SELECT 1`)).toMatchObject({ pid: 31365, since, waits: false });
  }
});

plainTest.each([
  null,
  '',
  'SELECT 1',
  '/* holdfast */ SELECT 1',
  '/* holdfast e30 */ SELECT 1',
  '/* holdfast bnVsbA */ SELECT 1',
  `/* holdfast ${'e'.repeat(400)}`,
])('%j is no comment of Holdfast', (statement) => {
  expect(readComment(statement)).toBeNull();
});

plainTest('an application_name is read back', () => {
  expect(readApplicationName('holdfast 31365@web-3')).toEqual({ pid: 31365, host: 'web-3' });
  for (const each of [null, '', 'psql', 'holdfast @x', 'holdfast 1@']) {
    expect(readApplicationName(each)).toBeNull();
  }
});

plainTest('this process is named as it was started', () => {
  expect(thisProcess('node deploy.js')).toEqual({
    pid: process.pid,
    hostname: hostname(),
    command: 'node deploy.js',
  });
  expect(thisProcess().command).toMatch(/^node/);
});
