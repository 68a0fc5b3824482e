import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  existsSync,
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
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FileLock, inspect } from '../../src/index.js';
import { lockPath, testFolder } from '../support/folder.js';
import { Peer } from '../support/peer.js';
import { Program } from '../support/program.js';
import { runScript } from '../support/script.js';
import { needs } from '../support/tools.js';

const NOBODY = 65534;
const SOMEBODY = 54321;

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
  expect(performance.now() - start).toBeLessThan(2000);
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
});

const data: [title: string, content: string | Buffer][] = [
  ['package.json', '{"name":"x","version":"1.0.0"}\n'],
  ['a script', '#!/bin/sh\nexec flock "$0" true\n'],
  ['binary garbage', Buffer.from([0xff, 0xfe, 0, 1, 2, 0x80, 0xc3, 0x28])],
  ['NULs', Buffer.alloc(512)],
  ['a record torn at its end', '{"pid":4711,"startedAt":"2026-02-25T10:30:00.000Z","holdf'],
  ['a record with something behind it', '{"holdfast":{"token":5}}\nmore\n'],
  ['a record behind a byte order mark', '\ufeff{"holdfast":{"token":5}}\n'],
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
    expect(performance.now() - start).toBeLessThan(1000);
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

describe('permission', () => {
  const nobody = { uid: NOBODY, gid: NOBODY };
  const denied = { code: 'EACCES', errno: -13 };

  needs('root')('is missing for the file: EACCES, and its lock is not touched', async () => {
    const path = lockPath();
    chmodSync(dirname(path), 0o755);
    writeFileSync(path, '', { mode: 0o600 });
    const peer = await Peer.start(nobody);
    const error = { ...denied, syscall: 'open', path };
    await expect(peer.acquire('a', path)).rejects.toMatchObject(error);
    await expect(peer.tryAcquire('a', path)).rejects.toMatchObject(error);
    await expect(peer.call('acquireSync', 'a', path)).rejects.toMatchObject(error);
    FileLock.acquireSync(path).releaseSync();
  });

  needs('root')('is missing for the folder: EACCES, nothing is created', async () => {
    const path = lockPath();
    const peer = await Peer.start(nobody);
    chmodSync(dirname(path), 0o700);
    await expect(peer.acquire('a', path)).rejects.toMatchObject(denied);
    await expect(peer.inspect(path)).rejects.toMatchObject(denied);
    chmodSync(dirname(path), 0o755);
    await expect(peer.acquire('a', path)).rejects.toMatchObject(denied);
    await expect(peer.acquire('a', join(path, 'b.lock'))).rejects.toMatchObject(denied);
    expect(await peer.inspect(path)).toMatchObject({ state: 'missing' });
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  needs('root')('to read alone is enough to lock, without a record', async () => {
    const path = lockPath();
    chmodSync(dirname(path), 0o755);
    const crashed = await Peer.start();
    await crashed.acquire('a', path, { data: { port: 80 } });
    await crashed.kill();
    chmodSync(path, 0o644);
    const content = readFileSync(path, 'utf8');
    const peer = await Peer.start(nobody);
    for (const options of [{}, { record: 'json' }, { mode: 'shared' }] as const) {
      expect(await peer.acquire('a', path, options)).toMatchObject({
        previous: { pid: crashed.pid, running: false, data: { port: 80 } },
      });
      expect(FileLock.tryAcquire(path)).toBeNull();
      expect(await inspect(path)).toMatchObject({ state: 'held', holders: [{ pid: peer.pid }] });
      await peer.release('a');
      expect(readFileSync(path, 'utf8')).toBe(content);
    }
    using _lock = FileLock.acquireSync(path);
    expect(await peer.tryAcquire('a', path)).toBeNull();
  });

  needs('root', 'sysctl')(
    'to create is missing in a sticky folder: the file is opened',
    async () => {
      const path = lockPath();
      writeFileSync(path, '');
      chmodSync(path, 0o666);
      chownSync(path, SOMEBODY, SOMEBODY);
      chmodSync(dirname(path), 0o1777);
      const setting = '/proc/sys/fs/protected_regular';
      const before = readFileSync(setting, 'utf8');
      const restore = (): void => writeFileSync(setting, before);
      onTestFinished(restore);
      writeFileSync(setting, '1');
      const { reports } = await runScript(
        path,
        `
      report(await outcome(() => fs.openSync(path, 'a+')));
      const lock = await FileLock.acquire(path);
      report((await inspect(path)).record.pid === process.pid);
      lock.releaseSync();
      `,
        nobody,
      ).finally(restore);
      expect(reports).toMatchObject([{ code: 'EACCES' }, true]);
    },
  );

  needs('root', 'unshare')('to write is missing on the whole file system', async () => {
    const folder = testFolder();
    const path = join(folder, 'test.lock');
    const script = [
      'mount -t tmpfs -o size=64k none "$0" && echo 4711 > "$0/test.lock" &&',
      'mount -o remount,ro "$0" && exec "$@"',
    ].join(' ');
    const { reports, stderr } = await runScript(
      path,
      `
      const before = descriptors();
      for (const options of [{}, { record: 'json' }, { mode: 'shared' }]) {
        const lock = await FileLock.acquire(path, options);
        report([lock.previous.pid, FileLock.tryAcquire(path), (await inspect(path)).state]);
        lock.releaseSync();
      }
      report(await outcome(() => FileLock.acquire(path + '2')));
      report([fs.readFileSync(path, 'utf8'), descriptors() - before]);
      `,
      { wrap: ['unshare', '-m', 'sh', '-c', script, folder] },
    );
    expect(stderr).toBe('');
    expect(reports).toMatchObject([
      ...Array(3).fill([4711, null, 'held']),
      { code: 'EROFS', errno: -30, syscall: 'open' },
      ['4711\n', 0],
    ]);
    expect(existsSync(path)).toBe(false);
  });

  needs('root', 'unshare')('for a missing folder of a read-only file system: EROFS', async () => {
    const folder = testFolder();
    const script = 'mount -t tmpfs none "$0" && mount -o remount,ro "$0" && exec "$@"';
    const { reports } = await runScript(
      join(folder, 'a', 'b', 'test.lock'),
      'report(await outcome(() => FileLock.acquire(path)));',
      { wrap: ['unshare', '-m', 'sh', '-c', script, folder] },
    );
    expect(reports).toMatchObject([{ code: 'EROFS', errno: -30 }]);
  });

  test('of what is created is 0o600 or what was asked for, before umask', () => {
    const folder = testFolder();
    const mask = process.umask(0o027);
    onTestFinished(() => void process.umask(mask));
    for (const [permissions, mode] of [
      [undefined, 0o600],
      [0o666, 0o640],
      [0o400, 0o400],
      [0, 0],
    ] as const) {
      const path = join(folder, `${permissions}.lock`);
      FileLock.acquireSync(path, permissions === undefined ? {} : { permissions }).releaseSync();
      expect(statSync(path).mode & 0o7777).toBe(mode);
    }
    chmodSync(join(folder, '438.lock'), 0o644);
    FileLock.acquireSync(join(folder, '438.lock'), { permissions: 0o600 }).releaseSync();
    expect(statSync(join(folder, '438.lock')).mode & 0o777).toBe(0o644);
    expect(process.umask()).toBe(0o027);
  });
});
