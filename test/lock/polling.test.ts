import { getEventListeners } from 'node:events';
import { renameSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FileLock, type FileLockOptions, type Holder } from '../../src/index.js';
import { acquire, acquireSync } from '../../src/lock/acquire.js';
import { descriptorsTo, threadCount } from '../support/census.js';
import { lockPath } from '../support/folder.js';
import { limit } from '../support/limit.js';
import { Peer } from '../support/peer.js';
import { countingRequest } from '../support/wrapped-binding.js';

const polling = { pollInterval: 20 } as const;

describe('with pollInterval, a wait ends', () => {
  test('by a grant, without a thread', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    const threads = threadCount();
    const waits = Array.from({ length: 10 }, async () => {
      (await FileLock.acquire(path, polling)).releaseSync();
    });
    expect(threadCount()).toBe(threads);
    await peer.release('a');
    await Promise.all(waits);
    expect(descriptorsTo(path)).toBe(0);
  });

  test('by the death of the holder', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    const pending = FileLock.acquire(path, polling);
    await peer.kill();
    await using lock = await pending;
    expect(lock.previous).toMatchObject({ pid: peer.pid, running: false });
  });

  test.each([
    [30, 20],
    [100, 5],
    [60, 10_000],
  ])('at its deadline of %d ms, polling every %d ms', async (timeout, pollInterval) => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    for (const acquireIt of [
      async (options: FileLockOptions) => FileLock.acquire(path, options),
      async (options: FileLockOptions) => FileLock.acquireSync(path, options),
    ]) {
      const started = performance.now();
      const error = await acquireIt({ timeout, pollInterval }).catch((reason: unknown) => reason);
      const took = performance.now() - started;
      expect(error).toMatchObject({ code: 'ERR_LOCK_TIMEOUT', timeout, holder: { pid: peer.pid } });
      expect(took).toBeGreaterThanOrEqual(timeout);
      expect(took).toBeLessThan(limit(timeout + 500));
    }
    expect(descriptorsTo(path)).toBe(0);
  });

  test('by an abort, without waiting for the next poll', async () => {
    const path = lockPath();
    using _held = FileLock.acquireSync(path);
    const controller = new AbortController();
    const { signal } = controller;
    const pending = FileLock.acquire(path, { pollInterval: 2 ** 31 - 1, signal });
    // Far enough for its pauses to have grown.
    await expect(FileLock.acquire(path, { timeout: 100 })).rejects.toThrow();
    const reason = new Error('enough');
    controller.abort(reason);
    const late = new Promise((resolve) => setImmediate(resolve, 'late'));
    expect(await Promise.race([pending.catch((error: unknown) => error), late])).toBe(reason);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(descriptorsTo(path)).toBe(1);
  });

  test('and the next file is waited for when this one is replaced at the path', async () => {
    const path = lockPath();
    const [first, second] = await Promise.all([Peer.start(), Peer.start()]);
    await first.acquire('a', path);
    const seen: (Holder | null)[] = [];
    const pending = FileLock.acquire(path, { ...polling, onWait: (holder) => seen.push(holder) });
    await second.acquire('b', `${path}.new`);
    renameSync(`${path}.new`, path);
    await expect.poll(() => descriptorsTo(`${path} (deleted)`)).toBe(0);
    await first.release('a');
    await expect(FileLock.acquire(path, { ...polling, timeout: 60 })).rejects.toMatchObject({
      holder: { pid: second.pid },
    });
    await second.release('b');
    await using lock = await pending;
    expect(lock.isCurrent()).toBe(true);
    expect(seen).toMatchObject([{ pid: first.pid }]);
  });

  test('synchronously too, and notices a replaced file', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    const told = [peer.call('busy', 60), peer.release('a')];
    FileLock.acquireSync(path, { ...polling, timeout: 10_000 }).releaseSync();
    await Promise.all(told);
    await peer.acquire('b', path);
    renameSync(path, `${path}.old`);
    using lock = FileLock.acquireSync(path, { ...polling, timeout: 10_000 });
    expect(lock.isCurrent()).toBe(true);
  });

  test('in either mode: shared beside shared', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    const waits = [1, 2].map(() => FileLock.acquire(path, { ...polling, mode: 'shared' }));
    await peer.release('a');
    const locks = await Promise.all(waits);
    expect(locks.map(({ mode }) => mode)).toEqual(['shared', 'shared']);
    for (const lock of locks) lock.releaseSync();
  });
});

describe('polling does not spin', () => {
  test.each([
    ['starts quickly and backs off to the interval', 50, 600, 12, 40],
    ['backs off without end where the interval is long', 2 ** 31 - 1, 600, 6, 16],
    ['asks as often as is wished, not more', 2, 200, 60, 260],
  ])('%s', async (_, pollInterval, timeout, least, most) => {
    const path = lockPath();
    using _held = FileLock.acquireSync(path);
    const { request, calls } = countingRequest(path, { pollInterval, timeout });
    await expect(acquire(request)).rejects.toMatchObject({ code: 'ERR_LOCK_TIMEOUT' });
    expect(calls('tryLock')).toBeGreaterThanOrEqual(least / limit(3));
    expect(calls('tryLock')).toBeLessThanOrEqual(most);
    expect(calls('startWaiting')).toBe(0);
    expect(calls('open')).toBe(1);
  });

  test('nor does it synchronously', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    const { request, calls } = countingRequest(path, { pollInterval: 50, timeout: 400 });
    expect(() => acquireSync(request)).toThrow(
      expect.objectContaining({ code: 'ERR_LOCK_TIMEOUT' }),
    );
    expect(calls('tryLock')).toBeLessThanOrEqual(30);
    expect(calls('waitHere')).toBe(0);
  });

  test('two that poll at the same interval do not stay in step', async () => {
    const path = lockPath();
    using _held = FileLock.acquireSync(path);
    const gaps: number[] = [];
    let last = performance.now();
    const { request } = countingRequest(path, { pollInterval: 16, timeout: 500 }, (native) => ({
      tryLock: (id, mode) => {
        const now = performance.now();
        gaps.push(now - last);
        last = now;
        return native.tryLock(id, mode);
      },
    }));
    await expect(acquire(request)).rejects.toThrow();
    // Without the growing ones and those that the deadline cut short.
    const grown = gaps.slice(6, -4);
    expect(Math.max(...grown) - Math.min(...grown)).toBeGreaterThan(2);
  });
});
