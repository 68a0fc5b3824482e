import { getEventListeners } from 'node:events';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { LockFile } from '../../src/holders/lock-file.js';
import { FileLock, type Holder } from '../../src/index.js';
import { checkRequest } from '../../src/lock/options.js';
import type { Deadline } from '../../src/lock/wait.js';
import { waitForLock } from '../../src/lock/waiting.js';
import { EXCLUSIVE } from '../../src/native/binding.js';
import { descriptorsTo, until } from '../support/census.js';
import { lockPath } from '../support/folder.js';
import { limit } from '../support/limit.js';
import { Peer } from '../support/peer.js';
import { Program } from '../support/program.js';

describe('a wait ends', () => {
  test('by a grant, when the holder releases', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    const pending = FileLock.acquire(path, { timeout: 10_000 });
    await peer.release('a');
    await using lock = await pending;
    expect(lock.previous).toBeNull();
    expect(await peer.tryAcquire('b', path)).toBeNull();
  });

  test.each([1, 20, 99.5, 250])('at its deadline of %d ms, never before it', async (timeout) => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    const started = performance.now();
    const error = await FileLock.acquire(path, { timeout }).catch((reason: unknown) => reason);
    const took = performance.now() - started;
    expect(error).toMatchObject({
      code: 'ERR_LOCK_TIMEOUT',
      path,
      timeout,
      holder: { pid: peer.pid },
    });
    expect(took).toBeGreaterThanOrEqual(timeout);
    // Loosely: the machine may be busy.
    expect(took).toBeLessThan(limit(timeout + 500));
    expect(descriptorsTo(path)).toBe(0);
  });

  test('by an abort, with the reason itself', async () => {
    const path = lockPath();
    using _held = FileLock.acquireSync(path);
    for (const reason of [new Error('enough'), 'a string', undefined]) {
      const controller = new AbortController();
      const pending = FileLock.acquire(path, { signal: controller.signal });
      controller.abort(reason);
      const error = await pending.catch((thrown: unknown) => thrown);
      expect(error).toBe(controller.signal.reason);
      expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    }
    // On a busy machine the last one may be closing still.
    await until(() => descriptorsTo(path) === 1);
  });

  test('by AbortSignal.timeout()', async () => {
    const path = lockPath();
    using _held = FileLock.acquireSync(path);
    await expect(FileLock.acquire(path, { signal: AbortSignal.timeout(20) })).rejects.toMatchObject(
      { name: 'TimeoutError' },
    );
  });

  test('at once where the signal is aborted already, even if the lock is free', async () => {
    const path = lockPath();
    const reason = new Error('before');
    await expect(FileLock.acquire(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    expect(() => FileLock.acquireSync(path, { signal: AbortSignal.abort(reason) })).toThrow(reason);
  });

  test('with its worker', async () => {
    const path = lockPath();
    const worker = await Peer.startThread();
    const held = FileLock.acquireSync(path);
    await worker.waitFor('a', path);
    await worker.end();
    held.releaseSync();
    using lock = FileLock.acquireSync(path);
    expect(lock.held).toBe(true);
  });

  test('for one and not for the others', async () => {
    const path = lockPath();
    const held = FileLock.acquireSync(path);
    const controller = new AbortController();
    const aborted = FileLock.acquire(path, { signal: controller.signal });
    const timedOut = FileLock.acquire(path, { timeout: 10 });
    const served = FileLock.acquire(path);
    controller.abort();
    // Both are listened to at once: the other one may end before the first is told.
    await Promise.all([
      expect(aborted).rejects.toMatchObject({ name: 'AbortError' }),
      expect(timedOut).rejects.toMatchObject({ code: 'ERR_LOCK_TIMEOUT' }),
    ]);
    held.releaseSync();
    await using lock = await served;
    expect(lock.held).toBe(true);
  });
});

describe('a wait lasts', () => {
  test.each([2 ** 31, 2 ** 32, 1e12, Number.POSITIVE_INFINITY])(
    'with a timeout of %d ms, which no timer can hold',
    async (timeout) => {
      const path = lockPath();
      const peer = await Peer.start();
      await peer.acquire('a', path);
      let ended = false;
      const pending = FileLock.acquire(path, { timeout }).finally(() => {
        ended = true;
      });
      // A timer that overflows fires after a millisecond.
      await expect(FileLock.acquire(path, { timeout: 50 })).rejects.toThrow();
      expect(ended).toBe(false);
      await peer.release('a');
      await using lock = await pending;
      expect(lock.held).toBe(true);
    },
  );

  test('for a holder that is stopped, until it is killed', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    peer.process.kill('SIGSTOP');
    const pending = FileLock.acquire(path);
    await expect(FileLock.acquire(path, { timeout: 50 })).rejects.toMatchObject({
      code: 'ERR_LOCK_TIMEOUT',
    });
    await peer.kill('SIGKILL');
    await using lock = await pending;
    expect(lock.previous?.pid).toBe(peer.pid);
  });

  test('for a shared lock while an exclusive one is held, and for both modes in turn', async () => {
    const path = lockPath();
    const first = FileLock.acquireSync(path);
    const shared = [1, 2, 3].map(() => FileLock.acquire(path, { mode: 'shared' }));
    first.releaseSync();
    const locks = await Promise.all(shared);
    const exclusive = FileLock.acquire(path);
    for (const lock of locks) {
      expect(lock.mode).toBe('shared');
      expect(FileLock.tryAcquire(path)).toBeNull();
      lock.releaseSync();
    }
    await using last = await exclusive;
    expect(last.mode).toBe('exclusive');
  });
});

describe('onWait', () => {
  test('is called once, with the holder, and only where there is a wait', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    const seen: (Holder | null)[] = [];
    const onWait = (holder: Holder | null): void => {
      seen.push(holder);
    };
    (await FileLock.acquire(path, { onWait })).releaseSync();
    expect(seen).toEqual([]);
    await peer.acquire('a', path, { data: { task: 'deploy' } });
    await expect(FileLock.acquire(path, { onWait, timeout: 0 })).rejects.toThrow();
    expect(seen).toEqual([]);
    const pending = FileLock.acquire(path, { onWait });
    // Again refused, on another file, it is still the same wait.
    writeFileSync(`${path}.new`, '');
    const blocker = FileLock.acquireSync(`${path}.new`);
    renameSync(`${path}.new`, path);
    await expect(FileLock.acquire(path, { timeout: 1500 })).rejects.toThrow();
    blocker.releaseSync();
    await using lock = await pending;
    expect(lock.isCurrent()).toBe(true);
    expect(seen).toMatchObject([{ pid: peer.pid, self: false, data: { task: 'deploy' } }]);
  });

  test('ends the wait by what it throws', async () => {
    const path = lockPath();
    using _held = FileLock.acquireSync(path);
    const error = new Error('rather not');
    const onWait = (): void => {
      throw error;
    };
    await expect(FileLock.acquire(path, { onWait })).rejects.toBe(error);
    expect(descriptorsTo(path)).toBe(1);
  });
});

describe('a file that is replaced at the path', () => {
  test('is noticed by a waiter, which then waits for the new one', async () => {
    const path = lockPath();
    const [first, second] = await Promise.all([Peer.start(), Peer.start()]);
    await first.acquire('a', path);
    let granted = false;
    const pending = FileLock.acquire(path).finally(() => {
      granted = true;
    });
    await second.acquire('b', `${path}.new`);
    renameSync(`${path}.new`, path);
    const started = performance.now();
    // It has let go of the old file once nobody else can be refused there.
    await expect.poll(() => descriptorsTo(`${path} (deleted)`), { timeout: 5000 }).toBe(0);
    expect(performance.now() - started).toBeLessThan(limit(2500));
    expect(granted).toBe(false);
    await first.release('a');
    await expect(FileLock.acquire(path, { timeout: 20 })).rejects.toMatchObject({
      holder: { pid: second.pid },
    });
    expect(granted).toBe(false);
    await second.release('b');
    await using lock = await pending;
    expect(lock.isCurrent()).toBe(true);
  });

  test('does not count for a waiter that is granted the old one', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    const pending = FileLock.acquire(path);
    rmSync(path);
    using other = FileLock.acquireSync(path);
    await peer.release('a');
    await expect(FileLock.acquire(path, { timeout: 20 })).rejects.toThrow();
    other.releaseSync();
    await using lock = await pending;
    expect(lock.isCurrent()).toBe(true);
  });

  test('is waited for within the deadline that was running', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    const started = performance.now();
    const pending = FileLock.acquire(path, { timeout: 1300 });
    await peer.acquire('b', `${path}.new`);
    renameSync(`${path}.new`, path);
    await expect(pending).rejects.toMatchObject({ code: 'ERR_LOCK_TIMEOUT', timeout: 1300 });
    expect(performance.now() - started).toBeGreaterThanOrEqual(1300);
    expect(performance.now() - started).toBeLessThan(limit(2300));
  });
});

test('timers that are plain numbers, as in a browser, lose no lock', async () => {
  const path = lockPath();
  const source = `
    const held = FileLock.acquireSync(args[0]);
    globalThis.setTimeout = globalThis.setInterval = () => 5;
    const waiting = FileLock.acquire(args[0]);
    held.releaseSync();
    (await waiting).releaseSync();
    FileLock.acquireSync(args[0]).releaseSync();
    say('free');
  `;
  const { code, stdout } = await Program.module(source, [path]).exited;
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'free\n' });
});

test('a timer that fires before the deadline, or is cut at 2^31-1, is set again', async () => {
  const path = lockPath();
  using _held = FileLock.acquireSync(path);
  const { native } = checkRequest(path, undefined, 0);
  // A timer of 1 ms ends, and 40 ms are left.
  const left = [1, 40, 40, 0];
  const deadline = {
    get remaining(): number {
      return left.shift() ?? 0;
    },
  } as Deadline;
  const began = performance.now();
  const wait = {
    file: new LockFile(native, native.open(path, 0o600), path),
    mode: EXCLUSIVE,
    deadline,
    followPath: true,
    wish: 0,
    data: undefined,
    signal: undefined,
    pollInterval: undefined,
  } as const;
  const outcome = await new Promise((ended, failed) => waitForLock(wait, { ended, failed }));
  expect(outcome).toBe('timeout');
  expect(performance.now() - began).toBeGreaterThan(35);
});
