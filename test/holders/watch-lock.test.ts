import { describe, expect, test } from 'vitest';
import { FileLock, type LockStatus, watchLock } from '../../src/index.js';
import { lockPath } from '../support/folder.js';
import { limit } from '../support/limit.js';
import { Peer } from '../support/peer.js';

const NOBODY_HOLDS = { mode: null, holders: [], waiters: [], otherLocks: [] };

describe('watchLock', () => {
  test('yields the first status at once, then each change within a second', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    const watch = watchLock<{ port: number }>(path);
    const next = async (
      is: (status: LockStatus<{ port: number }>) => boolean,
    ): Promise<LockStatus<{ port: number }>> => {
      const start = performance.now();
      for (;;) {
        const { value } = await watch.next();
        expect(performance.now() - start).toBeLessThan(limit(1000));
        if (value !== undefined && is(value)) return value;
      }
    };
    expect((await watch.next()).value).toMatchObject({ path, state: 'missing' });
    await peer.acquire('a', path, { data: { port: 80 } });
    const held = await next(({ state }) => state === 'held');
    expect(held).toMatchObject({ holders: [{ pid: peer.pid, data: { port: 80 } }] });
    await peer.call('update', 'a', { port: 81 });
    await next(({ record }) => record?.data.port === 81);
    const waiting = FileLock.acquire(path);
    await next(({ waiters }) => waiters.includes(process.pid));
    await peer.kill();
    await next(({ holders, waiters }) => holders[0]?.self === true && waiters.length === 0);
    (await waiting).releaseSync();
    expect(await next(({ state }) => state === 'free')).toMatchObject(NOBODY_HOLDS);
    await watch.return();
    expect(await watch.next()).toEqual({ done: true, value: undefined });
  });

  test('does not repeat what has not changed, and ends with signal.reason', async () => {
    const path = lockPath();
    const reason = { any: 'thing' };
    const controller = new AbortController();
    const watch = watchLock(path, { signal: controller.signal });
    expect((await watch.next()).value).toMatchObject({ state: 'missing' });
    const pending = watch.next();
    const first = await Promise.race([
      pending.then(
        () => 'changed',
        () => 'ended',
      ),
      // Shows that nothing happens: it looks every 250 ms.
      new Promise((resolve) => setTimeout(resolve, 400, 'unchanged')),
    ]);
    expect(first).toBe('unchanged');
    controller.abort(reason);
    await expect(pending).rejects.toBe(reason);
    expect(await watch.next()).toEqual({ done: true, value: undefined });
    await expect(watchLock(path, { signal: controller.signal }).next()).rejects.toBe(reason);
  });
});
