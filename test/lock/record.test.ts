import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseContent } from '../../src/holders/owner-record.js';
import { FileLock, inspect } from '../../src/index.js';
import { lockPath } from '../support/folder.js';
import { GIVEN, heir } from '../support/heir.js';
import { Peer } from '../support/peer.js';
import { runScript } from '../support/script.js';

const STATE = expect.objectContaining({ code: 'ERR_LOCK_STATE' });
const read = (path: string): string => readFileSync(path, 'utf8');
const tokenAlone = (token: number): string => `{"holdfast":{"token":${token}}}\n`;

/** A lock file whose holder was killed. */
async function crash(path: string, options: object = {}): Promise<{ pid: number; token: number }> {
  const peer = await Peer.start();
  const { token } = await peer.acquire('a', path, options);
  await peer.kill();
  return { pid: peer.pid, token };
}

describe('the format', () => {
  test("'json' while held; on release the token alone is left", async () => {
    const path = lockPath();
    const before = Date.now();
    const lock = await FileLock.acquire(path, { data: { port: 80 } });
    const record = JSON.parse(read(path));
    expect(record).toMatchObject({ pid: process.pid, port: 80, holdfast: { token: lock.token } });
    expect(Object.keys(record)).toEqual(['pid', 'startedAt', 'port', 'holdfast']);
    expect(Date.parse(record.startedAt)).toBeGreaterThanOrEqual(before);
    expect(read(path).endsWith('}\n')).toBe(true);
    await lock.release();
    expect(read(path)).toBe(tokenAlone(lock.token));
  });

  test("'pid' is the pid and a newline; on release the file is empty", () => {
    const path = lockPath();
    const lock = FileLock.acquireSync(path, { record: 'pid' });
    expect(read(path)).toBe(`${process.pid}\n`);
    expect(() => lock.update({})).toThrow(STATE);
    lock.releaseSync();
    expect(read(path)).toBe('');
  });

  test('false neither reads nor writes, and the token is the clock', async () => {
    const path = lockPath();
    await crash(path);
    const content = read(path);
    const before = Date.now() * 1000 - 5000;
    const lock = FileLock.acquireSync(path, { record: false, data: { port: 80 } });
    expect(lock.previous).toBeNull();
    expect(lock.token).toBeGreaterThan(before);
    expect(() => lock.update({ port: 81 })).toThrow(STATE);
    expect(read(path)).toBe(content);
    lock.releaseSync();
    expect(read(path)).toBe(content);
    const shared = FileLock.acquireSync(path, { record: false, mode: 'shared' });
    expect(shared.token).toBe(0);
    shared.releaseSync();
  });

  test('a shared holder writes nothing', async () => {
    const path = lockPath();
    const { pid } = await crash(path);
    const content = read(path);
    const lock = FileLock.acquireSync(path, { mode: 'shared', record: 'json', data: { port: 80 } });
    expect(lock.previous).toMatchObject({ pid, running: false });
    expect(() => lock.update({ port: 81 })).toThrow(STATE);
    lock.releaseSync();
    expect(read(path)).toBe(content);
  });

  test('of one lock does not bind the next one', () => {
    const path = lockPath();
    for (const record of ['json', 'pid', 'json', false, 'pid', 'json'] as const) {
      const lock = FileLock.acquireSync(path, { record });
      expect(lock.previous).toBeNull();
      lock.releaseSync();
    }
    expect(parseContent(read(path)).token).toBeGreaterThan(0);
  });

  test('of a long record leaves nothing after a short one', () => {
    const path = lockPath();
    for (const size of [40_000, 1, 5000, 0]) {
      const lock = FileLock.acquireSync(path, { data: { long: 'x'.repeat(size) } });
      expect(JSON.parse(read(path)).long).toHaveLength(size);
      lock.releaseSync();
      expect(read(path)).toBe(tokenAlone(lock.token));
    }
  });
});

describe('previous', () => {
  test('has all that the record of a killed holder says', async () => {
    const path = lockPath();
    const since = Date.now();
    const { pid, token } = await crash(path, { data: { port: 80 } });
    const lock = FileLock.acquireSync<{ port: number }>(path);
    expect(lock.previous).toMatchObject({ pid, token, running: false, data: { port: 80 } });
    expect(lock.previous?.since?.getTime()).toBeGreaterThanOrEqual(since - 1000);
    expect(lock.previous?.since?.getTime()).toBeLessThanOrEqual(Date.now());
    lock.releaseSync();
    using next = FileLock.acquireSync(path, { mode: 'shared' });
    expect(next.previous).toBeNull();
  });

  test('is running where the record is of a process that lives without the lock', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    renameSync(path, `${path}.old`);
    writeFileSync(path, read(`${path}.old`));
    const lock = FileLock.acquireSync(path);
    expect(lock.previous).toMatchObject({ pid: peer.pid, running: true });
    lock.releaseSync();
  });

  test('is not running where a later process has the pid', () => {
    const path = lockPath();
    const lock = FileLock.acquireSync(path);
    writeFileSync(`${path}.copy`, read(path).replace(/"start":"\d+@/, '"start":"1@'));
    const other = FileLock.acquireSync(`${path}.copy`);
    expect(other.previous).toMatchObject({ pid: process.pid, running: false });
    other.releaseSync();
    lock.releaseSync();
  });
});

describe('tokens', () => {
  test('grow strictly, however quickly holders follow each other', async () => {
    const path = lockPath();
    const log = `${path}.log`;
    writeFileSync(log, '');
    const script = `
      for (let turn = 0; turn < 60; turn++) {
        await holdfast.withLock(path, (lock) => fs.appendFileSync(args[0], lock.token + '\\n'));
      }
    `;
    await Promise.all([0, 1, 2].map(() => runScript(path, script, { args: [log] })));
    const tokens = read(log).trim().split('\n').map(Number);
    expect(tokens).toHaveLength(180);
    for (const [index, token] of tokens.entries()) {
      expect(token).toBeGreaterThan(tokens[index - 1] ?? 0);
    }
  });

  test('grow after a crash and above a clock that was set back', async () => {
    const path = lockPath();
    const { token } = await crash(path);
    const next = FileLock.acquireSync(path);
    expect(next.token).toBeGreaterThan(token);
    next.releaseSync();
    const future = 4102444800000000;
    writeFileSync(path, tokenAlone(future));
    for (const expected of [future + 1, future + 2]) {
      const lock = FileLock.acquireSync(path);
      expect(lock.token).toBe(expected);
      lock.releaseSync();
    }
  });

  test('of shared holders are the last one stored, or 0', () => {
    const path = lockPath();
    const none = FileLock.acquireSync(path, { mode: 'shared' });
    expect(none.token).toBe(0);
    none.releaseSync();
    const exclusive = FileLock.acquireSync(path);
    const stored = exclusive.token;
    exclusive.releaseSync();
    const shared = FileLock.acquireSync(path, { mode: 'shared' });
    const beside = FileLock.acquireSync(path, { mode: 'shared' });
    expect([shared.token, beside.token]).toEqual([stored, stored]);
    beside.releaseSync();
    expect(shared.tryUpgrade()).toBe(true);
    expect(shared.token).toBeGreaterThan(stored);
    expect(JSON.parse(read(path)).holdfast.token).toBe(shared.token);
    shared.downgrade();
    expect(read(path)).toBe(tokenAlone(shared.token));
    shared.releaseSync();
    expect(read(path)).toBe(tokenAlone(shared.token));
  });
});

describe('update', () => {
  test('merges into the record, and undefined takes a field out', async () => {
    const path = lockPath();
    const data = { port: 80, url: 'a' };
    using lock = FileLock.acquireSync<{ port?: number; url?: string; more?: number }>(path, {
      data,
    });
    const { since } = (await inspect(path)).record ?? {};
    lock.update({ more: 1 });
    lock.update({ port: undefined as never, url: 'x'.repeat(3000) });
    lock.update({ url: 'b' });
    const { record } = await inspect(path);
    expect(record).toMatchObject({ pid: process.pid, since, token: lock.token });
    expect(record?.data).toEqual({ url: 'b', more: 1 });
    expect(data).toEqual({ port: 80, url: 'a' });
    lock.releaseSync();
    expect(read(path)).toBe(tokenAlone(lock.token));
  });

  test("does not pick up what became of the caller's object since", async () => {
    const path = lockPath();
    const data: { port: number; later?: unknown } = { port: 80 };
    using lock = FileLock.acquireSync(path, { data });
    data.later = () => {};
    lock.update({ port: 81 });
    expect((await inspect(path)).record?.data).toEqual({ port: 81 });
  });

  test('is ERR_LOCK_LOST where the path leads elsewhere, and writes nothing there', () => {
    const path = lockPath();
    using lock = FileLock.acquireSync<{ a: number }>(path);
    renameSync(path, `${path}.old`);
    const lost = expect.objectContaining({ code: 'ERR_LOCK_LOST', path });
    expect(() => lock.update({ a: 1 })).toThrow(lost);
    writeFileSync(path, '');
    expect(() => lock.update({ a: 1 })).toThrow(lost);
    expect(read(path)).toBe('');
    lock.releaseSync();
  });

  test('of a parent whose child has released writes into nobody’s record', async () => {
    const path = lockPath();
    const lock = FileLock.acquireSync(path, { data: { a: 1 } });
    const child = await heir(lock);
    await child.call('adopt', 'a', GIVEN, path);
    await child.release('a');
    const other = await Peer.start();
    await other.acquire('b', path);
    expect(() => lock.update({ a: 2 })).toThrow(expect.objectContaining({ code: 'ERR_LOCK_LOST' }));
    lock.detach();
    expect(JSON.parse(readFileSync(path, 'utf8')).pid).toBe(other.pid);
  });
});
