import { renameSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { descriptorsTo } from '../support/census.js';
import { lockPath } from '../support/folder.js';
import { limit } from '../support/limit.js';
import { Peer } from '../support/peer.js';
import { Program } from '../support/program.js';

/** What a call throws. */
function thrown(fn: () => unknown): unknown {
  try {
    fn();
  } catch (error) {
    return error;
  }
  throw new Error('it did not throw');
}

describe('acquireSync', () => {
  test('is granted what another process releases while this thread is blocked', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    // Both are on their way before this thread stands still.
    const told = [peer.call('busy', 120), peer.release('a')];
    const started = performance.now();
    using lock = FileLock.acquireSync(path, { timeout: 20_000 });
    expect(performance.now() - started).toBeLessThan(limit(10_000));
    expect(lock.previous).toBeNull();
    await Promise.all(told);
  });

  test('without a limit waits until the holder has died', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    peer.call('busy', 120).catch(() => {});
    peer.call('exit', 0).catch(() => {});
    using lock = FileLock.acquireSync(path, { timeout: Number.POSITIVE_INFINITY });
    expect(lock.held).toBe(true);
  });

  test.each([5, 130])('gives up after %d ms, never before', async (timeout) => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    const started = performance.now();
    const error = thrown(() => FileLock.acquireSync(path, { timeout }));
    const took = performance.now() - started;
    expect(error).toMatchObject({ code: 'ERR_LOCK_TIMEOUT', timeout, holder: { pid: peer.pid } });
    expect(took).toBeGreaterThanOrEqual(timeout);
    expect(took).toBeLessThan(limit(timeout + 500));
    expect(descriptorsTo(path)).toBe(0);
    await peer.release('a');
    using lock = FileLock.acquireSync(path);
    expect(lock.held).toBe(true);
  });

  test('calls onWait once, before it waits', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    const seen: unknown[] = [];
    const onWait = (holder: unknown): void => {
      seen.push(holder);
    };
    thrown(() => FileLock.acquireSync(path, { onWait }));
    expect(seen).toEqual([]);
    thrown(() => FileLock.acquireSync(path, { onWait, timeout: 120 }));
    expect(seen).toMatchObject([{ pid: peer.pid }]);
  });

  test('notices that its file was replaced at the path', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    // While this thread stands still, the peer's file goes.
    const mover = Program.module(
      `
      import { renameSync, writeFileSync } from 'node:fs';
      writeFileSync(args[0] + '.new', '');
      say('ready');
      process.stdin.once('end', () => setTimeout(() => renameSync(args[0] + '.new', args[0]), 50));
      process.stdin.resume();`,
      [path],
    );
    await mover.says('ready');
    mover.process.stdin?.end();
    await new Promise(setImmediate);
    const started = performance.now();
    using lock = FileLock.acquireSync(path, { timeout: 10_000 });
    expect(performance.now() - started).toBeLessThan(limit(3000));
    expect(lock.isCurrent()).toBe(true);
    expect(await peer.call('isCurrent', 'a')).toBe(false);
  });

  test('lets worker.terminate() through while it waits', async () => {
    const path = lockPath();
    const worker = await Peer.startThread();
    const held = FileLock.acquireSync(path);
    worker.call('acquireSync', 'a', path, { timeout: Number.POSITIVE_INFINITY }).catch(() => {});
    await expect.poll(() => descriptorsTo(path)).toBe(2);
    await worker.end();
    expect(descriptorsTo(path)).toBe(1);
    held.releaseSync();
    using lock = FileLock.acquireSync(path);
    expect(lock.held).toBe(true);
  });
});

describe('a synchronous wait for this very thread', () => {
  test('is refused at once where it holds the lock in a conflicting mode', () => {
    const path = lockPath();
    for (const [mine, wanted] of [
      ['exclusive', 'exclusive'],
      ['exclusive', 'shared'],
      ['shared', 'exclusive'],
    ] as const) {
      using _held = FileLock.acquireSync(path, { mode: mine });
      for (const pollInterval of [undefined, 5]) {
        const options = { mode: wanted, timeout: 60_000 };
        const error = thrown(() =>
          FileLock.acquireSync(
            path,
            pollInterval === undefined ? options : { ...options, pollInterval },
          ),
        );
        expect(error).toMatchObject({ code: 'ERR_LOCK_STATE', path });
      }
      expect(thrown(() => FileLock.acquireSync(path, { mode: wanted }))).toMatchObject({
        code: 'ERR_LOCK_HELD',
        holder: { self: true },
      });
      expect(descriptorsTo(path)).toBe(1);
    }
  });

  test('is refused at once where it has a wait pending', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    const pending = FileLock.acquire(path);
    expect(thrown(() => FileLock.acquireSync(path, { timeout: 60_000 }))).toMatchObject({
      code: 'ERR_LOCK_STATE',
    });
    expect(thrown(() => FileLock.acquireSync(path))).toMatchObject({
      code: 'ERR_LOCK_HELD',
      holder: { pid: peer.pid, self: false },
    });
    await peer.release('a');
    const lock = await pending;
    lock.releaseSync();
    FileLock.acquireSync(path, { timeout: 60_000 }).releaseSync();
  });

  test('is none where both are shared', () => {
    const path = lockPath();
    using first = FileLock.acquireSync(path, { mode: 'shared' });
    using second = FileLock.acquireSync(path, { mode: 'shared', timeout: 60_000 });
    expect([first.held, second.held]).toEqual([true, true]);
  });

  test('is none where this thread holds only the file that was replaced', async () => {
    const path = lockPath();
    using old = FileLock.acquireSync(path);
    const peer = await Peer.start();
    await peer.acquire('a', `${path}.new`);
    renameSync(`${path}.new`, path);
    const error = thrown(() => FileLock.acquireSync(path, { timeout: 20 }));
    expect(error).toMatchObject({ code: 'ERR_LOCK_TIMEOUT', holder: { pid: peer.pid } });
    expect(old.isCurrent()).toBe(false);
  });

  test('is refused where its onWait starts one', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    let waiting: Promise<FileLock> | undefined;
    const onWait = (): void => {
      waiting = FileLock.acquire(path);
    };
    expect(() => FileLock.acquireSync(path, { timeout: 20_000, onWait })).toThrow(
      expect.objectContaining({ code: 'ERR_LOCK_STATE' }),
    );
    await peer.release('a');
    (await waiting)?.releaseSync();
  });
});
