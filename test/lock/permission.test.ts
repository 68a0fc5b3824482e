import { chmodSync, chownSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FileLock, inspect } from '../../src/index.js';
import { lockPath, testFolder } from '../support/folder.js';
import { Peer } from '../support/peer.js';
import { runScript } from '../support/script.js';
import { NOBODY, needs } from '../support/tools.js';

const SOMEBODY = 54321;

describe('permission', () => {
  const denied = { code: 'EACCES', errno: -13 };

  needs('root')('is missing for the file: EACCES, and its lock is not touched', async () => {
    const path = lockPath();
    chmodSync(dirname(path), 0o755);
    writeFileSync(path, '', { mode: 0o600 });
    const peer = await Peer.start(NOBODY);
    const error = { ...denied, syscall: 'open', path };
    await expect(peer.acquire('a', path)).rejects.toMatchObject(error);
    await expect(peer.tryAcquire('a', path)).rejects.toMatchObject(error);
    await expect(peer.call('acquireSync', 'a', path)).rejects.toMatchObject(error);
    FileLock.acquireSync(path).releaseSync();
  });

  needs('root')('is missing for the folder: EACCES, nothing is created', async () => {
    const path = lockPath();
    const peer = await Peer.start(NOBODY);
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
    const peer = await Peer.start(NOBODY);
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
        NOBODY,
      ).finally(restore);
      expect(reports).toMatchObject([{ code: 'EACCES' }, true]);
    },
  );

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
