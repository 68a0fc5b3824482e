import { closeSync, openSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { FileLock, inspect, inspectFolder, watchLock, withLock } from '../../src/index.js';
import { InstanceLock } from '../../src/instance.js';
import { lockPath, testFolder } from '../support/folder.js';
import { ARGUMENT_CODES, errorOf, refused } from '../support/refused.js';
import { runScript } from '../support/script.js';
import { needs } from '../support/tools.js';

const [TYPE, VALUE, RANGE] = ARGUMENT_CODES;

const wrongOptions: [name: string, value: unknown, code: string][] = [
  ['timeout', -1, RANGE],
  ['timeout', Number.NaN, RANGE],
  ['timeout', '100', TYPE],
  ['timeout', null, TYPE],
  ['timeout', 5n, TYPE],
  ['pollInterval', 0, RANGE],
  ['pollInterval', 1.5, RANGE],
  ['pollInterval', Number.NaN, RANGE],
  ['pollInterval', Number.POSITIVE_INFINITY, RANGE],
  ['pollInterval', 2 ** 31, RANGE],
  ['pollInterval', '5', TYPE],
  ['permissions', -1, RANGE],
  ['permissions', 0o10000, RANGE],
  ['permissions', 6.5, RANGE],
  ['permissions', '600', TYPE],
  ['mode', 'ex', VALUE],
  ['mode', '', VALUE],
  ['mode', null, VALUE],
  ['mode', 2, VALUE],
  ['record', true, VALUE],
  ['record', 'yaml', VALUE],
  ['record', null, VALUE],
  ['keepFile', 'no', TYPE],
  ['keepFile', 0, TYPE],
  ['keepFile', null, TYPE],
  ['signal', {}, TYPE],
  ['signal', 'abort', TYPE],
  ['signal', null, TYPE],
  ['signal', new AbortController(), TYPE],
  ['onWait', 'call me', TYPE],
  ['onWait', null, TYPE],
];

describe('options', () => {
  test.each(wrongOptions)('%s: %o is refused with %s', async (name, value, code) => {
    const folder = testFolder();
    await refused(join(folder, 'a', 'test.lock'), { [name]: value }, code, folder);
  });

  test.each([[null], ['exclusive'], [5], [['exclusive']]])('%o are none', async (options) => {
    const folder = testFolder();
    await refused(join(folder, 'test.lock'), options, TYPE, folder);
  });

  test.each([[[]], [['x.lock']], [['x.lock', {}]]])('new with %o is refused', (given) => {
    for (const Class of [FileLock, InstanceLock]) {
      const make = () => Reflect.construct(Class, given);
      expect(make).toThrow(expect.objectContaining({ code: 'ERR_ILLEGAL_CONSTRUCTOR' }));
    }
  });

  test('the error names the argument', async () => {
    const path = lockPath();
    expect(String(await errorOf(() => FileLock.acquire(path, { timeout: -5 })))).toMatch(
      /options\.timeout.*-5/,
    );
  });

  test('what is undefined is the default', () => {
    const lock = FileLock.acquireSync(lockPath(), {
      timeout: undefined,
      mode: undefined,
      record: undefined,
      data: undefined,
      keepFile: undefined,
      permissions: undefined,
      pollInterval: undefined,
      signal: undefined,
      onWait: undefined,
    } as never);
    expect(lock).toMatchObject({ held: true, mode: 'exclusive' });
    lock.releaseSync();
  });

  test('the edges of the ranges are allowed', async () => {
    const path = lockPath();
    for (const options of [
      { timeout: Number.POSITIVE_INFINITY },
      { timeout: 0.5 },
      { timeout: 2 ** 40 },
      { pollInterval: 1 },
      { pollInterval: 2 ** 31 - 1 },
      { permissions: 0o600 },
      { permissions: 0o7777 },
    ]) {
      await (await FileLock.acquire(path, options)).release();
    }
  });

  test('a signal of another realm serves, with no more than an AbortSignal has', async () => {
    const path = lockPath();
    const holder = FileLock.acquireSync(path);
    const reason = new Error('over');
    const target = new EventTarget();
    const signal = Object.assign(target, { aborted: false, reason: undefined as unknown });
    const waiting = FileLock.acquire(path, {
      signal: signal as unknown as AbortSignal,
      timeout: 5000,
    });
    const failure = expect(waiting).rejects.toBe(reason);
    Object.assign(signal, { aborted: true, reason });
    target.dispatchEvent(new Event('abort'));
    await failure;
    holder.releaseSync();
  });

  test('a signal that cannot be listened to is refused before anything is opened', async () => {
    const path = lockPath();
    const signal = { aborted: false } as AbortSignal;
    await expect(FileLock.acquire(path, { signal })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
    });
    expect(() => statSync(path)).toThrow(/ENOENT/);
  });
});

describe('paths', () => {
  test.each<[unknown, string]>([
    ['', VALUE],
    ['a\0b', VALUE],
    [undefined, TYPE],
    [null, TYPE],
    [7, TYPE],
    [{}, TYPE],
    [['a.lock'], TYPE],
    [new Uint8Array([97]), TYPE],
    [Symbol('a'), TYPE],
    [new URL('https://example.org/a.lock'), TYPE],
    [new URL('file:///tmp/a%00b.lock'), VALUE],
    ['file:///tmp/a.lock', VALUE],
    ['postgres://app:secret@db/deploy', VALUE],
  ])('%o is refused with %s', async (path, code) => {
    await refused(path, {}, code);
    expect(await errorOf(() => inspect(path as string))).toMatchObject({ code });
    expect(await errorOf(() => watchLock(path as string).next())).toMatchObject({ code });
    expect(await errorOf(() => inspectFolder(path as string).next())).toMatchObject({ code });
  });

  test('a file: URL that names no local file is refused as an argument', async () => {
    for (const url of ['file://elsewhere/a.lock', 'file:///tmp/a%2Fb.lock']) {
      expect(await errorOf(() => FileLock.acquire(new URL(url)))).toMatchObject({
        code: expect.stringMatching(/^ERR_INVALID_/),
      });
    }
  });

  test('the error of a URL as text does not show its password', async () => {
    expect(String(await errorOf(() => inspect('pg://a:secret@db/x')))).not.toContain('secret');
  });

  test('a name with a scheme is a path behind ./', async () => {
    const folder = testFolder();
    using lock = FileLock.acquireSync(`./${relative('', folder)}/etcd://deploy.lock`);
    expect(lock.path).toBe(join(folder, 'etcd:', 'deploy.lock'));
  });

  test('a name or a path that is too long is ENAMETOOLONG', async () => {
    const folder = testFolder();
    for (const name of ['n'.repeat(256), `${'n/'.repeat(2100)}a.lock`]) {
      const path = join(folder, name);
      for (const call of [
        () => FileLock.acquire(path),
        () => FileLock.acquireSync(path),
        () => FileLock.tryAcquire(path),
        () => inspect(path),
      ]) {
        expect(await errorOf(call)).toMatchObject({ code: 'ENAMETOOLONG', errno: -36, path });
      }
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a file: URL and a relative path lead to the same lock', () => {
    const path = lockPath('päth with % and space.lock');
    const lock = FileLock.acquireSync(pathToFileURL(path));
    expect(lock.path).toBe(path);
    expect(FileLock.tryAcquire(path)).toBeNull();
    const up = '../'.repeat(process.cwd().split('/').length);
    expect(FileLock.tryAcquire(join(up, path))).toBeNull();
    lock.releaseSync();
  });
});

describe('adopt', () => {
  test.each<[unknown, string]>([
    [-1, RANGE],
    [1.5, RANGE],
    [Number.NaN, RANGE],
    [2 ** 31, RANGE],
    ['3', TYPE],
    [undefined, TYPE],
    [null, TYPE],
  ])('descriptor %o is refused with %s', (fd, code) => {
    expect(() => FileLock.adopt(fd as number, lockPath())).toThrow(
      expect.objectContaining({ code }),
    );
  });

  test('a closed descriptor is EBADF', () => {
    const path = lockPath();
    const fd = openSync(path, 'w+');
    closeSync(fd);
    expect(() => FileLock.adopt(fd, path)).toThrow(
      expect.objectContaining({ code: 'EBADF', errno: -9, path }),
    );
  });

  test('an unlocked one, and one of a lock of this thread, are ERR_LOCK_STATE', () => {
    const path = lockPath();
    const fd = openSync(path, 'w+');
    expect(() => FileLock.adopt(fd, path)).toThrow(
      expect.objectContaining({ code: 'ERR_LOCK_STATE', path }),
    );
    closeSync(fd);
    const lock = FileLock.acquireSync(path);
    expect(() => FileLock.adopt(lock.fd, path)).toThrow(
      expect.objectContaining({ code: 'ERR_LOCK_STATE', path }),
    );
    expect(lock).toMatchObject({ held: true });
    expect(FileLock.tryAcquire(path)).toBeNull();
    lock.releaseSync();
  });

  test('what cannot be a lock file is ERR_LOCK_UNSUPPORTED', () => {
    const fd = openSync('/dev/null', 'r+');
    expect(() => FileLock.adopt(fd, '/dev/null')).toThrow(
      expect.objectContaining({ code: 'ERR_LOCK_UNSUPPORTED' }),
    );
    closeSync(fd);
  });

  needs('flock')('a refused descriptor is as it was: open, locked, inherited', async () => {
    const [path, other] = [lockPath(), lockPath()];
    writeFileSync(path, '');
    writeFileSync(other, '');
    const fd = openSync(path, 'r+');
    const { reports } = await runScript(
      path,
      `
      const [other] = args;
      const { spawnSync } = await import('node:child_process');
      const flags = () => /flags:\\s*(\\d+)/.exec(fs.readFileSync('/proc/self/fdinfo/3', 'utf8'))[1];
      const before = flags();
      report([await outcome(() => FileLock.adopt(3, path)), flags() === before]);
      spawnSync('flock', ['3'], { stdio: ['ignore', 'ignore', 'inherit', 3] });
      report([await outcome(() => FileLock.adopt(3, other)), flags() === before]);
      report(FileLock.tryAcquire(path) === null);
      const lock = FileLock.adopt(3, path);
      report([lock.mode, lock.fd]);
      lock.releaseSync();
      `,
      { args: [other], inherit: [fd] },
    );
    closeSync(fd);
    expect(reports).toMatchObject([
      [{ code: 'ERR_LOCK_STATE' }, true],
      [{ code: 'ERR_LOCK_LOST' }, true],
      true,
      ['exclusive', 3],
    ]);
  });
});

describe('the rest', () => {
  test('a body that is not a function is refused before the lock is taken', async () => {
    const folder = testFolder();
    const path = join(folder, 'test.lock');
    for (const call of [
      () => withLock(path, undefined as never),
      () => (withLock as (path: string) => Promise<unknown>)(path),
      () => withLock(path, {}, 'body' as never),
    ]) {
      expect(await errorOf(call)).toMatchObject({ code: TYPE });
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a wrong probe or signal is refused', async () => {
    const path = lockPath();
    expect(await errorOf(() => inspect(path, { probe: 1 } as never))).toMatchObject({ code: TYPE });
    expect(await errorOf(() => inspect(path, null as never))).toMatchObject({ code: TYPE });
    expect(await errorOf(() => watchLock(path, { signal: 1 } as never).next())).toMatchObject({
      code: TYPE,
    });
  });
});
