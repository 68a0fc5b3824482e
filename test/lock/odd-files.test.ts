import {
  chmodSync,
  closeSync,
  copyFileSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FileLock, inspect } from '../../src/index.js';
import { lockPath, testFolder } from '../support/folder.js';
import { limit } from '../support/limit.js';
import { Peer } from '../support/peer.js';
import { Program } from '../support/program.js';

const descriptors = (): number => readdirSync('/proc/self/fd').length;

/** Each way to acquire fails like this, quickly, with nothing left open. */
async function refusedBecause(path: string, error: object): Promise<void> {
  const before = descriptors();
  const start = performance.now();
  const expected = expect.objectContaining({ ...error, path });
  await expect(FileLock.acquire(path)).rejects.toEqual(expected);
  await expect(FileLock.acquire(path, { mode: 'shared', timeout: 0 })).rejects.toEqual(expected);
  expect(() => FileLock.acquireSync(path, { timeout: 9000 })).toThrow(expected);
  expect(() => FileLock.tryAcquire(path, { record: false })).toThrow(expected);
  expect(performance.now() - start).toBeLessThan(limit(2000));
  expect(descriptors()).toBe(before);
}

describe('at the path is', () => {
  test('something below a file: ENOTDIR', async () => {
    const path = lockPath('package.json');
    writeFileSync(path, '{}');
    const error = { code: 'ENOTDIR', errno: -20 };
    await refusedBecause(join(path, 'a.lock'), { ...error, syscall: 'open' });
    await refusedBecause(join(path, 'a', 'b.lock'), error);
    await expect(inspect(join(path, 'a.lock'))).rejects.toMatchObject(error);
    expect(readFileSync(path, 'utf8')).toBe('{}');
  });

  test('a symlink: ELOOP, its target untouched and free', async () => {
    const folder = testFolder();
    const [target, link] = [join(folder, 'target'), join(folder, 'a.lock')];
    writeFileSync(target, '');
    symlinkSync(target, link);
    const error = { code: 'ELOOP', errno: -40, syscall: 'open' };
    await refusedBecause(link, error);
    await expect(inspect(link)).rejects.toMatchObject(error);
    await expect(inspect(link, { probe: true })).rejects.toMatchObject(error);
    expect(readFileSync(target, 'utf8')).toBe('');
    const lock = FileLock.acquireSync(target);
    lock.releaseSync();
  });

  test('a symlink to nothing: ELOOP, and nothing is created', async () => {
    const folder = testFolder();
    const link = join(folder, 'a.lock');
    symlinkSync(join(folder, 'target'), link);
    await refusedBecause(link, { code: 'ELOOP' });
    symlinkSync(join(folder, 'b.lock'), join(folder, 'b.lock'));
    await refusedBecause(join(folder, 'b.lock'), { code: 'ELOOP' });
    expect(readdirSync(folder)).toEqual(['a.lock', 'b.lock']);
  });

  test('a FIFO: ERR_LOCK_UNSUPPORTED, and nobody hangs', async () => {
    const path = lockPath();
    await Program.start('mkfifo', [path]).exited;
    await refusedBecause(path, { code: 'ERR_LOCK_UNSUPPORTED' });
    await expect(inspect(path)).rejects.toMatchObject({ code: 'ERR_LOCK_UNSUPPORTED', path });
  });

  test('a socket: ERR_LOCK_UNSUPPORTED', async () => {
    const path = lockPath();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
    await refusedBecause(path, { code: 'ERR_LOCK_UNSUPPORTED' });
    await expect(inspect(path)).rejects.toMatchObject({ code: 'ERR_LOCK_UNSUPPORTED', path });
  });

  test('a device: ERR_LOCK_UNSUPPORTED', async () => {
    for (const path of ['/dev/null', '/dev/zero']) {
      await refusedBecause(path, { code: 'ERR_LOCK_UNSUPPORTED' });
      await expect(inspect(path)).rejects.toMatchObject({ code: 'ERR_LOCK_UNSUPPORTED' });
    }
  });

  test('a directory: locked, without a record, never removed', async () => {
    const folder = join(testFolder(), 'tree');
    mkdirSync(folder);
    const lock = FileLock.acquireSync(folder, { keepFile: false });
    expect(lock).toMatchObject({ held: true, previous: null });
    expect(lock.token).toBeGreaterThan(0);
    expect(FileLock.tryAcquire(folder)).toBeNull();
    expect(() => lock.update({})).toThrow(expect.objectContaining({ code: 'ERR_LOCK_STATE' }));
    lock.releaseSync();
    expect(statSync(folder).isDirectory()).toBe(true);
    for (const record of ['json', 'pid'] as const) {
      await expect(FileLock.acquire(folder, { record })).rejects.toMatchObject({
        code: 'ERR_LOCK_STATE',
        path: folder,
      });
    }
    FileLock.acquireSync(folder).releaseSync();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a directory: handed to a child, without a record', async () => {
    const folder = testFolder();
    const lock = FileLock.acquireSync(folder);
    const child = await Peer.start({ stdio: ['ignore', 'pipe', 'pipe', 'ipc', lock.fd] });
    const adopted = await child.call('adopt', 'a', 4, folder);
    expect(adopted).toMatchObject({ held: true, mode: 'exclusive' });
    lock.detach();
    expect(FileLock.tryAcquire(folder)).toBeNull();
    await child.kill();
    FileLock.acquireSync(folder).releaseSync();
  });

  test('a running program: locked and not touched', async () => {
    const path = lockPath('sleeper');
    copyFileSync('/bin/sleep', path);
    chmodSync(path, 0o755);
    const size = statSync(path).size;
    const sleeper = Program.start(path, ['25']);
    await new Promise((resolve) => sleeper.process.once('spawn', resolve));
    const lock = FileLock.acquireSync(path, { keepFile: false });
    expect(FileLock.tryAcquire(path)).toBeNull();
    lock.releaseSync();
    expect(statSync(path).size).toBe(size);
  });

  test('a lock file with an x bit: record, token, removal', () => {
    const path = lockPath();
    writeFileSync(path, '{"holdfast":{"token":4000000000000005}}\n');
    chmodSync(path, 0o755);
    const first = FileLock.acquireSync(path, { record: 'json' });
    expect(JSON.parse(readFileSync(path, 'utf8')).pid).toBe(process.pid);
    first.releaseSync();
    const second = FileLock.acquireSync(path, { keepFile: false });
    expect([first.token, second.token]).toEqual([4000000000000006, 4000000000000007]);
    second.releaseSync();
    expect(() => statSync(path)).toThrow(/ENOENT/);
  });
});

const data: [title: string, content: string | Buffer][] = [
  ['package.json', '{"name":"x","version":"1.0.0"}\n'],
  ['a script', '#!/bin/sh\nexec flock "$0" true\n'],
  ['binary garbage', Buffer.from([0xff, 0xfe, 0, 1, 2, 0x80, 0xc3, 0x28])],
  ['NULs', Buffer.alloc(512)],
  ['a record torn at its end', '{"pid":4711,"startedAt":"2026-02-25T10:30:00.000Z","holdf'],
  ['a record with something after it', '{"holdfast":{"token":5}}\nmore\n'],
  ['a record after a byte order mark', '\ufeff{"holdfast":{"token":5}}\n'],
  [
    'a record without its token',
    '{"pid":1,"startedAt":"2026-02-25T10:30:00.000Z","holdfast":{}}\n',
  ],
  ['two pids', '4711\n4712\n'],
  ['a pid of no process', '99999999999\n'],
  ['pid 0', '0\n'],
  ['a negative pid', '-1\n'],
  ['a JSON array', '[1]\n'],
  ['a JSON string', '"text"\n'],
  ['words', 'hello\n'],
  ['more than a record can be', `{"holdfast":{"token":5}}${' '.repeat(70_000)}\n`],
];

describe('in the file is', () => {
  test.each(data)("somebody's data, %s: locked and untouched", async (_, content) => {
    const path = lockPath('data');
    writeFileSync(path, content);
    const bytes = readFileSync(path);
    const before = descriptors();
    const unchanged = (): void => expect(readFileSync(path).equals(bytes)).toBe(true);
    for (const options of [
      {},
      { keepFile: false },
      { mode: 'shared' },
      { record: false },
    ] as const) {
      const lock = await FileLock.acquire(path, options);
      expect(lock.previous).toBeNull();
      unchanged();
      expect(FileLock.tryAcquire(path)).toBeNull();
      lock.releaseSync();
      unchanged();
    }
    for (const record of ['json', 'pid'] as const) {
      const error = { code: 'ERR_LOCK_STATE', path };
      await expect(FileLock.acquire(path, { record })).rejects.toMatchObject(error);
      expect(() => FileLock.acquireSync(path, { record, keepFile: false })).toThrow(
        expect.objectContaining(error),
      );
      unchanged();
    }
    expect(await inspect(path)).toMatchObject({ state: 'free', record: null });
    expect(descriptors()).toBe(before);
  });

  test('a gigabyte of nothing: locked, not read, not touched', async () => {
    const path = lockPath('disk.img');
    const fd = openSync(path, 'w');
    ftruncateSync(fd, 2 ** 30);
    closeSync(fd);
    const start = performance.now();
    const lock = FileLock.acquireSync(path);
    expect(await inspect(path)).toMatchObject({ state: 'held', record: null });
    lock.releaseSync();
    expect(performance.now() - start).toBeLessThan(limit(1000));
    expect(statSync(path)).toMatchObject({ size: 2 ** 30, blocks: 0 });
  });

  test.each([['4711\n'], ['4711'], ['  4711 \n'], ['2147483647\n']])(
    'the bare pid of another program, %j: taken over',
    async (content) => {
      const path = lockPath('other.pid');
      writeFileSync(path, content);
      const pid = Number(content);
      expect((await inspect(path)).record).toMatchObject({ pid, since: null, hostname: null });
      const lock = FileLock.acquireSync(path);
      expect(lock.previous).toMatchObject({ pid, since: null, hostname: null, token: 0, data: {} });
      expect((await inspect(path)).record).toMatchObject({ pid: process.pid });
      lock.releaseSync();
    },
  );

  test.each([[''], ['\n'], ['\n\n\n']])('nothing, %j: written', async (content) => {
    const path = lockPath();
    writeFileSync(path, content);
    const lock = FileLock.acquireSync(path);
    expect(lock.previous).toBeNull();
    expect((await inspect(path)).record).toMatchObject({ pid: process.pid });
    lock.releaseSync();
  });
});
