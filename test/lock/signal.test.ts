import { renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { InstanceLock } from '../../src/instance.js';
import { until } from '../support/census.js';
import { lockPath } from '../support/folder.js';
import { errorOf } from '../support/refused.js';
import { runScript } from '../support/script.js';

const aborted = (signal: AbortSignal): Promise<number> => {
  const start = performance.now();
  return until(() => signal.aborted).then(() => performance.now() - start);
};

/** Longer than a watched path is left alone. */
const watchedFor = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 600));

describe('FileLock.signal', () => {
  const ways: [string, (path: string) => void][] = [
    ['is removed', (path) => unlinkSync(path)],
    [
      'is replaced',
      (path) => {
        writeFileSync(`${path}.new`, '');
        renameSync(`${path}.new`, path);
      },
    ],
    ['goes with its folder', (path) => rmSync(dirname(path), { recursive: true })],
  ];

  test.each(ways)('is aborted within a second when the file %s', async (_, act) => {
    const path = lockPath();
    using lock = FileLock.acquireSync(path);
    const { signal } = lock;
    expect(signal.aborted).toBe(false);
    act(path);
    expect(await aborted(signal)).toBeLessThan(1000);
    expect(signal.reason).toMatchObject({ name: 'LockLostError', code: 'ERR_LOCK_LOST', path });
    expect(lock.signal).toBe(signal);
    expect(lock.held).toBe(true);
  });

  test('is aborted at its first read where the loss was before', () => {
    const path = lockPath();
    using lock = FileLock.acquireSync(path);
    unlinkSync(path);
    expect(lock.signal.aborted).toBe(true);
  });

  test('is one for each lock, and the path of one says nothing of another', async () => {
    const [path, other] = [lockPath(), lockPath()];
    using lock = FileLock.acquireSync(path);
    using second = FileLock.acquireSync(other, { mode: 'shared' });
    using third = FileLock.acquireSync(other, { mode: 'shared' });
    const signals = [lock.signal, second.signal, third.signal];
    expect(new Set(signals).size).toBe(3);
    unlinkSync(other);
    await until(() => signals.filter((each) => each.aborted).length === 2);
    expect(lock.signal.aborted).toBe(false);
  });

  const ends: [string, (lock: FileLock) => unknown][] = [
    ['release', (lock) => lock.release()],
    ['releaseSync', (lock) => lock.releaseSync()],
    ['detach', (lock) => lock.detach()],
    ['disposal', (lock) => lock[Symbol.asyncDispose]()],
  ];
  test.each(ends)('is not aborted by %s, nor by what happens to the file then', async (_, end) => {
    const path = lockPath();
    const [lock, unread] = [FileLock.acquireSync(path), FileLock.acquireSync(lockPath())];
    const { signal } = lock;
    await end(lock);
    await end(unread);
    unlinkSync(path);
    // Shows that nothing happens.
    await watchedFor();
    expect([signal.aborted, lock.signal === signal, unread.signal.aborted]).toEqual([
      false,
      true,
      false,
    ]);
  });

  test.each([true, false])('is aborted by a failed tryUpgrade (read before: %s)', (isRead) => {
    const path = lockPath();
    const lock = FileLock.acquireSync(path, { mode: 'shared' });
    using _other = FileLock.acquireSync(path, { mode: 'shared' });
    const before = isRead ? lock.signal : null;
    expect(lock.tryUpgrade()).toBe(false);
    expect(lock.signal).toMatchObject({ aborted: true, reason: { code: 'ERR_LOCK_LOST', path } });
    expect(lock.signal).toBe(before ?? lock.signal);
  });

  test('has the error of a tryUpgrade that throws for a reason', async () => {
    const path = lockPath();
    const lock = FileLock.acquireSync(path, { mode: 'shared' });
    unlinkSync(path);
    const error = await errorOf(() => lock.tryUpgrade());
    expect(error).toMatchObject({ code: 'ERR_LOCK_LOST' });
    expect(lock.signal.reason).toBe(error);
  });

  test('follows a downgrade and an upgrade', async () => {
    const path = lockPath();
    using lock = FileLock.acquireSync(path);
    const { signal } = lock;
    lock.downgrade();
    expect(lock.tryUpgrade()).toBe(true);
    expect(signal.aborted).toBe(false);
    unlinkSync(path);
    await aborted(signal);
  });

  test('does not keep the process alive, and no lock has a timer before it is read', async () => {
    const { reports, code, stderr } = await runScript(
      lockPath(),
      `
      const timers = () => process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length;
      const lock = FileLock.acquireSync(path);
      report(timers());
      report(lock.signal.aborted);
      report(timers());
      `,
    );
    expect({ reports, code, stderr }).toEqual({ reports: [0, false, 0], code: 0, stderr: '' });
  });

  test('a lock that is dropped is warned of, watched or not', async () => {
    const { reports } = await runScript(
      lockPath(),
      `
      process.on('warning', ({ code }) => report(code));
      const { setFlagsFromString } = await import('node:v8');
      const { runInNewContext } = await import('node:vm');
      setFlagsFromString('--expose-gc');
      const gc = runInNewContext('gc');
      const signal = (() => FileLock.acquireSync(path).signal)();
      for (let round = 0; round < 50; round++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        gc();
      }
      report(signal.aborted);
      `,
    );
    expect(reports).toEqual(['HOLDFAST_LOCK_COLLECTED', false]);
  });
});

describe('check', () => {
  test('resolves while the path leads to the locked file, else ERR_LOCK_LOST', async () => {
    for (const acquire of [FileLock.acquire, InstanceLock.acquire] as (typeof FileLock.acquire)[]) {
      const path = lockPath();
      const lock = await acquire.call(acquire === FileLock.acquire ? FileLock : InstanceLock, path);
      await lock.check();
      unlinkSync(path);
      await expect(lock.check()).rejects.toMatchObject({ code: 'ERR_LOCK_LOST', path });
      await lock.release();
      await expect(lock.check()).rejects.toMatchObject({ code: 'ERR_LOCK_LOST', path });
    }
  });
});
