import { cpSync, linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { lockPath, testFolder } from '../support/folder.js';
import { Peer } from '../support/peer.js';
import { Program } from '../support/program.js';
import { inTwoSizes } from '../support/sizes.js';

describe('between processes', () => {
  test('an exclusive lock refuses another process and names its holder', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    expect(FileLock.tryAcquire(path)).toBeNull();
    await expect(FileLock.acquire(path, { timeout: 0 })).rejects.toMatchObject({
      code: 'ERR_LOCK_HELD',
      path,
      holder: { pid: peer.pid, self: false, verified: true, source: 'kernel' },
      cause: { code: 'EWOULDBLOCK', syscall: 'flock' },
    });
  });

  test('a waiter is granted the lock when the holder is killed', async () => {
    const path = lockPath();
    const [holder, waiter] = await Promise.all([Peer.start(), Peer.start()]);
    await holder.acquire('a', path);
    const { holder: named, granted } = await waiter.waitFor('b', path);
    expect(named?.pid).toBe(holder.pid);
    await holder.kill();
    expect(await granted).toMatchObject({
      held: true,
      previous: { pid: holder.pid, running: false },
    });
  });

  test('a released lock is free for another process at once', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    await peer.release('a');
    using lock = FileLock.acquireSync(path);
    expect(lock.previous).toBeNull();
    expect(await peer.tryAcquire('b', path)).toBeNull();
  });

  test('locks of different paths are independent', async () => {
    const folder = testFolder();
    const peer = await Peer.start();
    await peer.acquire('a', join(folder, 'a.lock'));
    using lock = FileLock.acquireSync(join(folder, 'b.lock'));
    expect(lock.held).toBe(true);
  });

  test('any number of shared holders exclude an exclusive one until the last is gone', async () => {
    const path = lockPath();
    const peers = await Promise.all([Peer.start(), Peer.start()]);
    for (const peer of peers) {
      expect((await peer.acquire('a', path, { mode: 'shared' })).mode).toBe('shared');
    }
    using own = FileLock.acquireSync(path, { mode: 'shared' });
    for (const peer of peers) {
      expect(await peer.tryAcquire('b', path)).toBeNull();
      await peer.release('a');
    }
    expect(await peers[0]?.tryAcquire('b', path)).toBeNull();
    own.releaseSync();
    expect(await peers[0]?.tryAcquire('b', path)).not.toBeNull();
  });

  test('an exclusive holder excludes shared ones', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    expect(FileLock.tryAcquire(path, { mode: 'shared' })).toBeNull();
    expect(() => FileLock.acquireSync(path, { mode: 'shared' })).toThrow(
      expect.objectContaining({ code: 'ERR_LOCK_HELD' }),
    );
  });

  inTwoSizes(
    ({ processes, times }) =>
      `a counter that ${processes} processes raise ${times} times each loses no update`,
    { short: { processes: 3, times: 100 }, long: { processes: 8, times: 200 } },
    async ({ processes, times }) => {
      const path = lockPath();
      const counter = `${path}.counter`;
      writeFileSync(counter, '0');
      const source = `
      import { readFileSync, writeFileSync } from 'node:fs';
      const [path, counter] = args;
      for (let turn = 0; turn < ${times}; turn++) {
        await withLock(path, { record: false }, () => {
          writeFileSync(counter, String(Number(readFileSync(counter, 'utf8')) + 1));
        });
      }`;
      const programs = Array.from({ length: processes }, () =>
        Program.module(source, [path, counter]),
      );
      const ends = await Promise.all(programs.map((program) => program.exited));
      expect(ends.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
        ends.map(() => ({ code: 0, stderr: '' })),
      );
      expect(readFileSync(counter, 'utf8')).toBe(`${processes * times}`);
    },
  );
});

describe('in one process', () => {
  test('two locks of one path exclude each other, and the holder is this process', async () => {
    const path = lockPath();
    const first = FileLock.acquireSync(path);
    expect(FileLock.tryAcquire(path)).toBeNull();
    const refused = { code: 'ERR_LOCK_HELD', holder: { pid: process.pid, self: true } };
    expect(() => FileLock.acquireSync(path)).toThrow(
      expect.objectContaining({ code: 'ERR_LOCK_HELD' }),
    );
    await expect(FileLock.acquire(path, { timeout: 0 })).rejects.toMatchObject(refused);
    await expect(FileLock.acquire(path, { timeout: 20 })).rejects.toMatchObject({
      ...refused,
      code: 'ERR_LOCK_TIMEOUT',
    });
    await first.release();
    const second = FileLock.acquireSync(path);
    expect(second.token).toBeGreaterThan(first.token);
    await second.release();
  });

  test('a second release does not release a later lock', async () => {
    const path = lockPath();
    const first = FileLock.acquireSync(path);
    first.releaseSync();
    using second = FileLock.acquireSync(path);
    first.releaseSync();
    await first.release();
    expect(second.held).toBe(true);
    expect(first.held).toBe(false);
    expect(FileLock.tryAcquire(path)).toBeNull();
  });

  test('two shared locks of one path stand beside each other', () => {
    const path = lockPath();
    using first = FileLock.acquireSync(path, { mode: 'shared' });
    using second = FileLock.acquireSync(path, { mode: 'shared' });
    expect([first.held, second.held]).toEqual([true, true]);
    expect(FileLock.tryAcquire(path)).toBeNull();
  });
});

describe('two copies of the package in one process', () => {
  // With its own addon, and with one that Node has loaded already.
  test.each(['prebuilds', 'no prebuilds'])('exclude each other: %s', async (kind) => {
    const root = fileURLToPath(new URL('../../', import.meta.url));
    const copy = testFolder();
    const parts = ['dist', 'package.json', 'node_modules/node-gyp-build'];
    if (kind === 'prebuilds') parts.push('prebuilds');
    for (const part of parts) cpSync(join(root, part), join(copy, part), { recursive: true });
    const program = Program.module(
      `
      const other = await import(args[1]);
      const first = FileLock.acquireSync(args[0]);
      const refused = other.FileLock.tryAcquire(args[0]) === null;
      const error = await other.FileLock.acquire(args[0], { timeout: 0 }).catch((error) => error);
      const known = holdfast.isLockError(error, 'ERR_LOCK_HELD');
      const { self } = error.holder;
      // Each copy has a wait pending, and is granted its own.
      const pending = [other, holdfast].map((each) => each.FileLock.acquire(args[0]));
      first.releaseSync();
      for (const each of pending) each.then((lock) => lock.release());
      const held = (await Promise.all(pending)).map((lock) => lock.path === args[0]);
      say(JSON.stringify({ refused, known, self, apart: error instanceof holdfast.LockError, held }));`,
      [join(copy, 'test.lock'), pathToFileURL(join(copy, 'dist/index.js')).href],
      kind === 'prebuilds' ? {} : { env: { ...process.env, HOLDFAST_PREBUILD: root } },
    );
    const { stdout, stderr, code } = await program.exited;
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    expect(JSON.parse(stdout)).toEqual({
      refused: true,
      known: true,
      self: true,
      apart: false,
      held: [true, true],
    });
  });
});

describe('one file under several names', () => {
  const folderOf = (path: string): string => dirname(path);
  test.each<[string, (path: string) => string | URL]>([
    ['a relative path', (path) => relative(process.cwd(), path)],
    ['doubled and trailing dots', (path) => `${folderOf(path)}//./x/../test.lock`],
    ['a file: URL', (path) => pathToFileURL(path)],
    [
      'a symlink of its folder',
      (path) => {
        symlinkSync(folderOf(path), join(folderOf(path), 'link'));
        return join(folderOf(path), 'link', 'test.lock');
      },
    ],
    [
      'a hard link',
      (path) => {
        linkSync(path, `${path}.too`);
        return `${path}.too`;
      },
    ],
  ])('%s', async (_, spell) => {
    const path = lockPath();
    mkdirSync(join(folderOf(path), 'x'));
    const peer = await Peer.start();
    await peer.acquire('a', path);
    expect(FileLock.tryAcquire(spell(path))).toBeNull();
  });

  test('a path is absolute from the call on', async () => {
    const folder = testFolder();
    const program = Program.module(
      `
      process.chdir(args[0]);
      const lock = FileLock.acquireSync('relative.lock', { keepFile: false });
      process.chdir('/');
      say(JSON.stringify({ path: lock.path, current: lock.isCurrent() }));
      lock.releaseSync();`,
      [folder],
    );
    const { stdout, code } = await program.exited;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ path: join(folder, 'relative.lock'), current: true });
    expect(() => readFileSync(join(folder, 'relative.lock'))).toThrow(
      expect.objectContaining({ code: 'ENOENT' }),
    );
  });
});
