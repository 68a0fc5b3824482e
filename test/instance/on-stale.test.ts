import { writeFileSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { InstanceLock } from '../../src/instance.js';
import { descriptorsTo } from '../support/census.js';
import { lockPath } from '../support/folder.js';
import { runningInstance } from '../support/instance.js';
import { errorOf } from '../support/refused.js';

describe('onStale', () => {
  test('is called for one that was killed, with running false, and the start goes on', async () => {
    const path = lockPath();
    const dead = await runningInstance(path, { data: { port: 80 } });
    await dead.kill();
    const onStale = vi.fn();
    using lock = await InstanceLock.acquire(path, { onStale });
    const record = { pid: dead.pid, running: false, data: { port: 80 }, since: expect.any(Date) };
    expect(onStale.mock.calls).toMatchObject([[record]]);
    expect(lock.previous).toEqual(onStale.mock.calls[0]?.[0]);
  });

  test("is called for an old program's pid file, whose program still runs without a flock", async () => {
    const path = lockPath();
    writeFileSync(path, `${process.pid}\n`);
    const onStale = vi.fn();
    using lock = await InstanceLock.acquire(path, { onStale });
    expect(onStale).toHaveBeenCalledOnce();
    expect(lock.previous?.pid).toBe(process.pid);
    expect(lock.previous?.running).not.toBe(false);
  });

  test('is not called after a release, nor for a new file', async () => {
    const path = lockPath();
    const onStale = vi.fn();
    (await InstanceLock.acquire(path, { onStale, keepFile: true })).releaseSync();
    InstanceLock.acquireSync(path, { onStale }).releaseSync();
    expect(onStale).not.toHaveBeenCalled();
  });

  test('that throws gives the lock back', async () => {
    const reason = new Error('no');
    const onStale = (): never => {
      throw reason;
    };
    for (const call of ['acquire', 'acquireSync'] as const) {
      const path = lockPath();
      await (await runningInstance(path)).kill();
      expect(await errorOf(() => InstanceLock[call](path, { onStale }))).toBe(reason);
      expect(descriptorsTo(path)).toBe(0);
      expect(process.listenerCount('SIGTERM')).toBe(0);
      InstanceLock.acquireSync(path).releaseSync();
    }
  });
});
