import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { acquire, acquireSync, checkRequest, tryAcquire } from '../src/acquire.js';
import type { NativeBinding } from '../src/binding.js';
import { FileLock, type FileLockOptions, inspect, withLock } from '../src/index.js';
import { descriptorsTo } from './support/census.js';
import { lockPath } from './support/folder.js';
import { Peer } from './support/peer.js';

const STATE = expect.objectContaining({ code: 'ERR_LOCK_STATE' });

/** Puts another, empty file at the path. */
function replace(path: string): void {
  writeFileSync(`${path}.new`, '');
  renameSync(`${path}.new`, path);
}

/** A checked call whose system calls are partly the test's. */
function requestWith(
  path: string,
  options: FileLockOptions,
  change: (native: NativeBinding) => Partial<NativeBinding>,
): ReturnType<typeof checkRequest> {
  const request = checkRequest(path, options, Number.POSITIVE_INFINITY);
  const { native } = request;
  request.native = Object.assign(Object.create(native), change(native));
  return request;
}

describe('the file is replaced while acquiring', () => {
  const ways: [title: string, act: (path: string) => void][] = [
    ['unlinked', (path) => unlinkSync(path)],
    ['replaced', replace],
    ['gone with its folder', (path) => rmSync(dirname(path), { recursive: true })],
  ];

  describe.each(ways)('%s', (_, act) => {
    test('between open and lock: the lock is that of the new file', async () => {
      for (const call of [acquire, acquireSync, tryAcquire]) {
        const path = lockPath();
        let acted = false;
        const request = requestWith(path, {}, (native) => ({
          tryLock: (id, mode) => {
            if (!acted) act(path);
            acted = true;
            return native.tryLock(id, mode);
          },
        }));
        const held = await call(request);
        expect(held?.record).toBe('json');
        expect(FileLock.tryAcquire(path)).toBeNull();
        expect((await inspect(path)).record).toMatchObject({ pid: process.pid });
        expect(descriptorsTo(dirname(path))).toBe(1);
        request.native.release(held?.id ?? 0);
      }
    });

    test('between the record and the last look: the lock is that of the new file', async () => {
      const path = lockPath();
      let acted = false;
      const request = requestWith(path, {}, (native) => ({
        write: (...args) => {
          const errno = native.write(...args);
          if (!acted) act(path);
          acted = true;
          return errno;
        },
      }));
      const held = await acquire(request);
      expect((await inspect(path)).record).toMatchObject({ token: held.token });
      expect(descriptorsTo(dirname(path))).toBe(1);
      request.native.release(held.id);
    });

    test('while it waits in the kernel: it is noticed within two seconds', async () => {
      const path = lockPath();
      const [holder, waiter] = await Promise.all([Peer.start(), Peer.start()]);
      await holder.acquire('a', path);
      const { granted } = await waiter.waitFor('b', path);
      const start = performance.now();
      act(path);
      expect(await granted).toMatchObject({ held: true, previous: null });
      expect(performance.now() - start).toBeLessThan(2500);
      expect(await holder.call('isCurrent', 'a')).toBe(false);
      expect(await waiter.call('isCurrent', 'b')).toBe(true);
      await holder.release('a');
      expect((await inspect(path)).holders).toMatchObject([{ pid: waiter.pid }]);
    });

    test('while it polls, or waits on its own thread: it is noticed as well', async () => {
      for (const [method, options] of [
        ['acquire', { pollInterval: 20 }],
        ['acquireSync', { timeout: 9000 }],
      ] as const) {
        const path = lockPath();
        const [holder, waiter] = await Promise.all([Peer.start(), Peer.start()]);
        await holder.acquire('a', path);
        const granted = waiter.call(method, 'b', path, options);
        if (method === 'acquire') await waiter.event('waiting', 'b');
        else while ((await inspect(path)).waiters.length === 0);
        act(path);
        expect(await granted).toMatchObject({ held: true });
      }
    });
  });

  test('for ever: the deadline ends it, with little CPU and nothing left open', async () => {
    const path = lockPath();
    const compare = (): number => -116;
    for (const call of [acquire, acquireSync]) {
      const cpu = process.cpuUsage();
      const start = performance.now();
      const request = requestWith(path, { timeout: 400 }, () => ({ compare }));
      await expect((async () => call(request))()).rejects.toMatchObject({
        code: 'ERR_LOCK_TIMEOUT',
        timeout: 400,
      });
      const elapsed = performance.now() - start;
      expect(elapsed).toBeGreaterThanOrEqual(400);
      expect(elapsed).toBeLessThan(900);
      const { user, system } = process.cpuUsage(cpu);
      expect((user + system) / 1000).toBeLessThan(150);
      expect(descriptorsTo(dirname(path))).toBe(0);
    }
  });

  test('for ever: an abort ends it, and without a wait it is a refusal', async () => {
    const path = lockPath();
    const compare = (): number => -116;
    const reason = new Error('enough');
    const signal = AbortSignal.timeout(60);
    const controller = new AbortController();
    signal.addEventListener('abort', () => controller.abort(reason));
    const waiting = requestWith(path, { signal: controller.signal }, () => ({ compare }));
    await expect(acquire(waiting)).rejects.toBe(reason);
    const once = requestWith(path, { timeout: 0 }, () => ({ compare }));
    await expect(acquire(once)).rejects.toMatchObject({ code: 'ERR_LOCK_HELD' });
    expect(tryAcquire(once)).toBeNull();
    expect(descriptorsTo(dirname(path))).toBe(0);
  });
});

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
    expect(performance.now() - start).toBeLessThan(2000);
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
