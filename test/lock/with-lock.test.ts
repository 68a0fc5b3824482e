import { closeSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FileLock, fileLocker, withLock } from '../../src/index.js';
import { lockPath } from '../support/folder.js';
import { expectWarning } from '../support/setup.js';

expectWarning('HOLDFAST_RELEASE_FAILED');

describe('withLock', () => {
  test('runs the body with the lock held, resolves to its value, and releases', async () => {
    const path = lockPath();
    let seen: FileLock | undefined;
    const result = await withLock(path, async (lock) => {
      seen = lock;
      expect(lock.held).toBe(true);
      expect(FileLock.tryAcquire(path)).toBeNull();
      return 42;
    });
    expect(result).toBe(42);
    expect(seen?.held).toBe(false);
    expect(await withLock(path, { mode: 'shared' }, ({ mode }) => mode)).toBe('shared');
    FileLock.acquireSync(path).releaseSync();
  });

  test.each([
    ['throws', new Error('of the body')],
    ['throws something that is no error', 'text'],
    ['throws undefined', undefined],
  ])(
    'where the body %s, that comes through unchanged and the lock is released',
    async (_, error) => {
      const path = lockPath();
      for (const body of [
        () => {
          throw error;
        },
        () => Promise.reject(error),
      ]) {
        const outcome = await withLock(path, body).then(
          () => ['resolved'],
          (reason: unknown) => ['rejected', reason],
        );
        expect(outcome).toEqual(['rejected', error]);
        expect(outcome[1]).toBe(error);
        FileLock.acquireSync(path).releaseSync();
      }
    },
  );

  test('rejects where only the release fails', async () => {
    const path = lockPath();
    await expect(withLock(path, (lock) => closeSync(lock.fd))).rejects.toMatchObject({
      code: 'EBADF',
      path,
    });
    FileLock.acquireSync(path).releaseSync();
  });

  test('where body and release both fail, rejects with the error of the body and warns of the other', async () => {
    const path = lockPath();
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    const error = new Error('of the body');
    const body = (lock: FileLock): void => {
      closeSync(lock.fd);
      throw error;
    };
    await expect(withLock(path, body)).rejects.toBe(error);
    expect(await warned).toMatchObject({
      name: 'HoldfastWarning',
      code: 'HOLDFAST_RELEASE_FAILED',
    });
    FileLock.acquireSync(path).releaseSync();
  });

  test('does not run the body where the lock is refused', async () => {
    const path = lockPath();
    using _held = FileLock.acquireSync(path);
    let ran = false;
    const body = (): void => {
      ran = true;
    };
    await expect(withLock(path, { timeout: 0 }, body)).rejects.toMatchObject({
      code: 'ERR_LOCK_HELD',
    });
    const signal = AbortSignal.timeout(20);
    await expect(withLock(path, { signal }, body)).rejects.toMatchObject({ name: 'TimeoutError' });
    expect(ran).toBe(false);
  });

  test('a body may release by itself', async () => {
    const path = lockPath();
    await withLock(path, async (lock) => {
      await lock.release();
      FileLock.acquireSync(path).releaseSync();
    });
  });

  test('bodies of one process run one after the other', async () => {
    const path = lockPath();
    let inside = 0;
    let most = 0;
    const body = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      await new Promise(setImmediate);
      inside--;
    };
    await Promise.all(Array.from({ length: 50 }, () => withLock(path, body)));
    expect(most).toBe(1);
  });
});

describe('the end of a scope', () => {
  test('releases with using and with await using, errors included', async () => {
    const path = lockPath();
    {
      using lock = FileLock.acquireSync(path);
      expect(lock.held).toBe(true);
    }
    {
      await using lock = await FileLock.acquire(path);
      expect(lock.held).toBe(true);
    }
    const failing = async (): Promise<void> => {
      await using _lock = await FileLock.acquire(path);
      throw new Error('on purpose');
    };
    await expect(failing()).rejects.toThrow('on purpose');
    FileLock.acquireSync(path).releaseSync();
  });
});

describe('fileLocker', () => {
  test('acquires with its own options and those of the call', async () => {
    const path = lockPath();
    const locker = fileLocker({ timeout: 0, record: false });
    await using lock = await locker.acquire(path);
    expect(lock.token).toBeGreaterThan(0);
    await expect(locker.acquire(path)).rejects.toMatchObject({ code: 'ERR_LOCK_HELD' });
    await expect(locker.acquire(path, { timeout: 10 })).rejects.toMatchObject({
      code: 'ERR_LOCK_TIMEOUT',
    });
  });

  test('an option that is undefined leaves the locker’s default', async () => {
    const path = lockPath();
    using _held = FileLock.acquireSync(path);
    const locker = fileLocker({ timeout: 20 });
    const options = { timeout: undefined } as unknown as { timeout: number };
    await expect(locker.acquire(path, options)).rejects.toMatchObject({ code: 'ERR_LOCK_TIMEOUT' });
  });
});
