import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { FileLock } from '../../src/index.js';
import { mountedAt, onDisk } from '../support/disk.js';
import { lockPath, testFolder } from '../support/folder.js';
import { runScript } from '../support/script.js';
import { failing } from '../support/strace.js';
import { needs } from '../support/tools.js';

describe('on a file system that became read-only', () => {
  const readOnly = { code: 'EROFS', errno: -30 };

  needs(
    'root',
    'unshare',
    'flock',
  )('a lock is taken without a record, or refused', async () => {
    const { reports } = await onDisk(
      64,
      `
      fs.writeFileSync(path, '4711\\n');
      remount('ro');
      const before = descriptors();
      for (const options of [{}, { keepFile: false }, { mode: 'shared' }, { record: 'json' }]) {
        const lock = await FileLock.acquire(path, options);
        report([lock.held, isFree()]);
        report(await outcome(() => lock.update({ port: 1 })));
        report(await outcome(() => lock.release()));
        report([text(), isFree(), descriptors() - before]);
      }
      report(await outcome(() => InstanceLock.acquire(path)));
      report(await outcome(() => FileLock.acquire(path + '2')));
      report(await outcome(() => FileLock.acquire(path + '.d/a.lock')));
      report([isFree(), descriptors() - before, names()]);
      `,
    );
    expect(reports).toMatchObject([
      ...Array(4)
        .fill([[true, false], { code: 'ERR_LOCK_STATE' }, {}, ['4711\n', true, 0]])
        .flat(),
      { code: 'ERR_LOCK_STATE' },
      { ...readOnly, syscall: 'open' },
      { ...readOnly, syscall: 'mkdir' },
      [true, 0, 'test.lock'],
    ]);
  });

  needs(
    'root',
    'unshare',
    'flock',
  )('a lock of the time before is still released', async () => {
    // A descriptor that may write forbids the remount, so the writes fail by
    // strace here, as they do where the kernel gives up on a damaged disk.
    const path = lockPath();
    const source = `
      const before = descriptors();
      const lock = FileLock.acquireSync(path, { keepFile: false });
      report(await outcome(() => lock.update({ port: 1 })));
      report([lock.held, FileLock.tryAcquire(path)]);
      report(await outcome(() => lock.release()));
      report([lock.held, descriptors() - before]);
    `;
    const fail = [
      'pwrite64:error=EROFS:when=2+',
      'unlink:error=EROFS',
      'openat:error=EROFS:when=3+',
    ];
    const { reports } = await runScript(path, source, {
      wrap: failing(path, ...fail),
    });
    expect(reports).toMatchObject([
      { ...readOnly, syscall: 'write', path },
      [true, null],
      { ...readOnly, syscall: 'write', path },
      [false, 0],
    ]);
    using lock = FileLock.acquireSync(path);
    expect(lock.held).toBe(true);
  });
});

describe('on a read-only file system', () => {
  needs('root', 'unshare')('to write is missing on the whole file system', async () => {
    const folder = testFolder();
    const path = join(folder, 'test.lock');
    const then = 'echo 4711 > "$0/test.lock" && mount -o remount,ro "$0"';
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
      { wrap: mountedAt(folder, 'size=64k', then) },
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
    const { reports } = await runScript(
      join(folder, 'a', 'b', 'test.lock'),
      'report(await outcome(() => FileLock.acquire(path)));',
      { wrap: mountedAt(folder, 'size=64k', 'mount -o remount,ro "$0"') },
    );
    expect(reports).toMatchObject([{ code: 'EROFS', errno: -30 }]);
  });
});
