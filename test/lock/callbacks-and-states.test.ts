import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileLock, inspect, withLock } from '../../src/index.js';
import { descriptorsTo } from '../support/census.js';
import { lockPath } from '../support/folder.js';
import { limit } from '../support/limit.js';
import { Peer } from '../support/peer.js';

const STATE = expect.objectContaining({ code: 'ERR_LOCK_STATE' });

/** Puts another, empty file at the path. */
function replace(path: string): void {
  writeFileSync(`${path}.new`, '');
  renameSync(`${path}.new`, path);
}

describe('abort', () => {
  const reason = { any: 'thing' };

  test('before the call: rejects with the reason, nothing is opened', async () => {
    const path = lockPath();
    const signal = AbortSignal.abort(reason);
    await expect(FileLock.acquire(path, { signal })).rejects.toBe(reason);
    await expect(withLock(path, { signal }, () => 1)).rejects.toBe(reason);
    expect(() => FileLock.acquireSync(path, { signal })).toThrow();
    try {
      FileLock.acquireSync(path, { signal });
    } catch (error) {
      expect(error).toBe(reason);
    }
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  for (const options of [{}, { pollInterval: 5 }]) {
    test(`while waiting ${JSON.stringify(options)}: rejects with the reason`, async () => {
      const path = lockPath();
      const holder = FileLock.acquireSync(path);
      const controller = new AbortController();
      const waiting = FileLock.acquire(path, {
        ...options,
        signal: controller.signal,
        onWait: () => setImmediate(() => controller.abort(reason)),
      });
      await expect(waiting).rejects.toBe(reason);
      expect(await inspect(path)).toMatchObject({ waiters: [], holders: [{ self: true }] });
      holder.releaseSync();
      expect(descriptorsTo(path)).toBe(0);
      FileLock.acquireSync(path).releaseSync();
    });
  }

  test('from onWait itself: rejects with the reason', async () => {
    const path = lockPath();
    const holder = FileLock.acquireSync(path);
    const controller = new AbortController();
    const onWait = (): void => controller.abort(reason);
    const waiting = FileLock.acquire(path, { signal: controller.signal, onWait });
    await expect(waiting).rejects.toBe(reason);
    expect(descriptorsTo(path)).toBe(1);
    holder.releaseSync();
  });

  test('in the same turn as the grant: a lock or the reason, and nothing leaks', async () => {
    const path = lockPath();
    for (let round = 0; round < 100; round++) {
      const holder = FileLock.acquireSync(path);
      const controller = new AbortController();
      const waiting = FileLock.acquire(path, { signal: controller.signal }).catch((error) => error);
      await new Promise((resolve) => setImmediate(resolve));
      holder.releaseSync();
      if (round % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
      controller.abort(reason);
      const result = await waiting;
      if (result instanceof FileLock) {
        expect(result.isCurrent()).toBe(true);
        expect(FileLock.tryAcquire(path)).toBeNull();
        result.releaseSync();
      } else {
        expect(result).toBe(reason);
      }
      const next = await FileLock.acquire(path, { timeout: 2000 });
      next.releaseSync();
    }
    const end = performance.now() + 2000;
    while (descriptorsTo(path) > 0 && performance.now() < end) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(descriptorsTo(path)).toBe(0);
  });

  test('after the grant changes nothing', async () => {
    const path = lockPath();
    const controller = new AbortController();
    const lock = await FileLock.acquire(path, { signal: controller.signal });
    controller.abort(reason);
    expect(lock.isCurrent()).toBe(true);
    expect(FileLock.tryAcquire(path)).toBeNull();
    await lock.release();
  });
});

describe('callbacks', () => {
  test('what onWait throws comes through, and leaves nothing open', async () => {
    const path = lockPath();
    const holder = await Peer.start();
    await holder.acquire('a', path);
    const error = new RangeError('from onWait');
    const onWait = (): void => {
      throw error;
    };
    await expect(FileLock.acquire(path, { onWait })).rejects.toBe(error);
    await expect(FileLock.acquire(path, { onWait, pollInterval: 5 })).rejects.toBe(error);
    await expect(withLock(path, { onWait }, () => 1)).rejects.toBe(error);
    expect(() => FileLock.acquireSync(path, { onWait, timeout: 5000 })).toThrow(error);
    expect(descriptorsTo(path)).toBe(0);
    expect((await inspect(path)).waiters).toEqual([]);
    await holder.release('a');
    FileLock.acquireSync(path).releaseSync();
  });

  test('onWait is called once, with the holder, and not where nobody waits', async () => {
    const path = lockPath();
    const calls: unknown[] = [];
    const onWait = (holder: unknown): void => void calls.push(holder);
    const holder = await FileLock.acquire(path, { onWait, data: { port: 80 } });
    await expect(FileLock.acquire(path, { onWait, timeout: 0 })).rejects.toThrow();
    expect(FileLock.tryAcquire(path, { onWait })).toBeNull();
    expect(calls).toEqual([]);
    await expect(FileLock.acquire(path, { onWait, timeout: 30 })).rejects.toThrow();
    expect(calls).toMatchObject([{ pid: process.pid, self: true, data: { port: 80 } }]);
    holder.releaseSync();
  });

  test('the error of a body comes through withLock unchanged, the lock is free', async () => {
    const path = lockPath();
    for (const thrown of [new Error('body'), 'text', undefined]) {
      const call = withLock(path, () => {
        throw thrown;
      });
      await expect(call).rejects.toBe(thrown);
      await expect(withLock(path, {}, () => Promise.reject(thrown))).rejects.toBe(thrown);
    }
    expect(await withLock(path, (lock) => lock.held)).toBe(true);
    await withLock(path, (lock) => lock.releaseSync());
    expect(descriptorsTo(path)).toBe(0);
  });
});

describe('a lock that is let go of', () => {
  test.each<[string, (lock: FileLock) => unknown]>([
    ['release', (lock) => lock.release()],
    ['releaseSync', (lock) => lock.releaseSync()],
    ['dispose', (lock) => lock[Symbol.dispose]()],
    ['async dispose', (lock) => lock[Symbol.asyncDispose]()],
    ['detach', (lock) => lock.detach()],
  ])('by %s answers everything but refuses every use', async (_, end) => {
    const path = lockPath();
    const lock = FileLock.acquireSync<{ a?: number }>(path);
    const { token } = lock;
    await end(lock);
    for (const again of [0, 1]) {
      expect(lock).toMatchObject({ held: false, fd: -1, path, token, mode: 'exclusive' });
      expect(lock.isCurrent()).toBe(false);
      expect(() => lock.update({ a: again })).toThrow(STATE);
      expect(() => lock.downgrade()).toThrow(STATE);
      expect(() => lock.tryUpgrade()).toThrow(STATE);
      expect(() => lock.detach()).toThrow(STATE);
      lock.releaseSync();
      await lock.release();
      lock[Symbol.dispose]();
      await lock[Symbol.asyncDispose]();
    }
    expect(descriptorsTo(path)).toBe(0);
  });

  test('using and await using release, after an error as well', async () => {
    const path = lockPath();
    try {
      using _lock = FileLock.acquireSync(path);
      throw new Error('on purpose');
    } catch {
      expect((await inspect(path)).state).toBe('free');
    }
    {
      await using lock = await FileLock.acquire(path);
      expect(lock.held).toBe(true);
    }
    expect((await inspect(path)).state).toBe('free');
  });

  test('a release whose folder is gone does not fail', () => {
    for (const keepFile of [true, false]) {
      const path = lockPath();
      const lock = FileLock.acquireSync(path, { keepFile });
      rmSync(dirname(path), { recursive: true });
      expect(lock.isCurrent()).toBe(false);
      lock.releaseSync();
      expect(existsSync(dirname(path))).toBe(false);
      mkdirSync(dirname(path));
    }
  });

  test('a lock whose file was replaced writes into neither', () => {
    const path = lockPath();
    const lock = FileLock.acquireSync<{ a: number }>(path, { keepFile: false });
    replace(path);
    expect(lock.isCurrent()).toBe(false);
    expect(() => lock.update({ a: 1 })).toThrow(expect.objectContaining({ code: 'ERR_LOCK_LOST' }));
    expect(lock.held).toBe(true);
    const other = FileLock.acquireSync(path);
    const record = readFileSync(path, 'utf8');
    lock.releaseSync();
    expect(readFileSync(path, 'utf8')).toBe(record);
    other.releaseSync();
  });
});

describe('a wait for itself', () => {
  test('is ERR_LOCK_STATE at once; without a wait it is held by itself', async () => {
    const path = lockPath();
    const lock = FileLock.acquireSync(path);
    const start = performance.now();
    for (const mode of ['exclusive', 'shared'] as const) {
      for (const timeout of [1, 5000, Number.POSITIVE_INFINITY]) {
        expect(() => FileLock.acquireSync(path, { mode, timeout })).toThrow(STATE);
      }
      expect(() => FileLock.acquireSync(path, { mode, timeout: 0 })).toThrow(
        expect.objectContaining({
          code: 'ERR_LOCK_HELD',
          holder: expect.objectContaining({ self: true, pid: process.pid }),
        }),
      );
    }
    expect(performance.now() - start).toBeLessThan(limit(2000));
    lock.downgrade();
    expect(() => FileLock.acquireSync(path, { timeout: 5000 })).toThrow(STATE);
    const beside = FileLock.acquireSync(path, { mode: 'shared', timeout: 5000 });
    beside.releaseSync();
    lock.releaseSync();
    expect(descriptorsTo(path)).toBe(0);
  });

  test('is refused as well where an own wait stands before it', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    const waiting = FileLock.acquire(path);
    expect(() => FileLock.acquireSync(path, { timeout: 5000 })).toThrow(STATE);
    expect(() => FileLock.acquireSync(path)).toThrow(
      expect.objectContaining({
        code: 'ERR_LOCK_HELD',
        holder: expect.objectContaining({ pid: peer.pid }),
      }),
    );
    await peer.release('a');
    (await waiting).releaseSync();
    FileLock.acquireSync(path, { timeout: 5000 }).releaseSync();
  });
});
