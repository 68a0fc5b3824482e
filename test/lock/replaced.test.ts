import { renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileLock, type FileLockOptions, inspect } from '../../src/index.js';
import { acquire, acquireSync, tryAcquire } from '../../src/lock/acquire.js';
import { writeRecord } from '../../src/lock/hold-record.js';
import { checkRequest } from '../../src/lock/options.js';
import { descriptorsTo, until } from '../support/census.js';
import { lockPath } from '../support/folder.js';
import { limit } from '../support/limit.js';
import { Peer } from '../support/peer.js';
import { requestWith } from '../support/wrapped-binding.js';

/** Puts another, empty file at the path. */
function replace(path: string): void {
  writeFileSync(`${path}.new`, '');
  renameSync(`${path}.new`, path);
}

describe('the file is replaced while acquiring', () => {
  const ways: [title: string, act: (path: string) => void][] = [
    ['unlinked', (path) => unlinkSync(path)],
    ['replaced', replace],
    ['gone with its folder', (path) => rmSync(dirname(path), { recursive: true })],
  ];

  describe.each(ways)('%s', (_, act) => {
    test('between open and lock: the lock is on the new file', async () => {
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
        held?.file.close();
      }
    });

    // Without a record there is one look alone.
    const unrecorded: FileLockOptions[] = [{ record: false }, { mode: 'shared' }];
    test.each(unrecorded)('between open and lock, with %o: as well', async (options) => {
      for (const call of [acquire, acquireSync, tryAcquire]) {
        const path = lockPath();
        let acted = false;
        const request = requestWith(path, options, (native) => ({
          tryLock: (id, mode) => {
            if (!acted) act(path);
            acted = true;
            return native.tryLock(id, mode);
          },
        }));
        const held = await call(request);
        expect(FileLock.tryAcquire(path)).toBeNull();
        expect(descriptorsTo(dirname(path))).toBe(1);
        held?.file.close();
      }
    });

    test('between the record and the last check: the lock is on the new file', async () => {
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
      held.file.close();
    });

    test('while it waits in the kernel: it is noticed within two seconds', async () => {
      const path = lockPath();
      const [holder, waiter] = await Promise.all([Peer.start(), Peer.start()]);
      await holder.acquire('a', path);
      const { granted } = await waiter.waitFor('b', path);
      const start = performance.now();
      act(path);
      expect(await granted).toMatchObject({ held: true, previous: null });
      expect(performance.now() - start).toBeLessThan(limit(2500));
      expect(await holder.call('isCurrent', 'a')).toBe(false);
      expect(await waiter.call('isCurrent', 'b')).toBe(true);
      await holder.release('a');
      expect((await inspect(path)).holders).toMatchObject([{ pid: waiter.pid }]);
    });

    test('while it polls, or waits on its own thread: it is noticed as well', async () => {
      const replacedWhileWaiting = async (
        method: 'acquire' | 'acquireSync',
        options: object,
      ): Promise<void> => {
        const path = lockPath();
        const [holder, waiter] = await Promise.all([Peer.start(), Peer.start()]);
        await holder.acquire('a', path);
        const granted = waiter.call(method, 'b', path, options);
        if (method === 'acquire') await waiter.event('waiting', 'b');
        else await until(async () => (await inspect(path)).waiters.includes(waiter.pid));
        act(path);
        expect(await granted).toMatchObject({ held: true });
      };
      await Promise.all([
        replacedWhileWaiting('acquire', { pollInterval: 20 }),
        replacedWhileWaiting('acquireSync', { timeout: 9000 }),
      ]);
    });
  });

  test('again and again: the deadline ends it, with little CPU and nothing left open', async () => {
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
      expect(elapsed).toBeLessThan(limit(900));
      const { user, system } = process.cpuUsage(cpu);
      expect((user + system) / 1000).toBeLessThan(150);
      expect(descriptorsTo(dirname(path))).toBe(0);
    }
  });

  test('again and again: an abort ends it, and without a wait it is a refusal', async () => {
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

test('an error of the wait in the kernel ends it, and leaves nothing open', async () => {
  const path = lockPath();
  let holder = FileLock.acquireSync(path);
  const first = FileLock.acquire(path);
  holder.releaseSync();
  holder = await first;
  for (const [errno, error] of [
    [37, { code: 'ERR_LOCK_UNSUPPORTED', path, cause: { code: 'ENOLCK', syscall: 'flock' } }],
    [5, { code: 'EIO', errno: -5, syscall: 'flock', path }],
  ] as const) {
    const request = requestWith(path, { timeout: 9000 }, (native) => ({
      finishWaiting: (id, mode) => native.finishWaiting(id, mode) || errno,
    }));
    const failed = expect(acquire(request)).rejects.toMatchObject(error);
    holder.releaseSync();
    await failed;
    expect(descriptorsTo(path)).toBe(0);
    holder = FileLock.acquireSync(path);
  }
  holder.releaseSync();
});

test.each(['unlinked', 'replaced'])(
  'a file that was %s just before its record is written: the lock is lost',
  (how) => {
    const path = lockPath();
    const request = checkRequest(path, {}, 0);
    const held = acquireSync(request);
    rmSync(path);
    if (how === 'replaced') writeFileSync(path, '');
    // As adopt() writes it, after it has compared path and descriptor.
    expect(() => writeRecord(held, { data: '', guarded: true })).toThrow(
      expect.objectContaining({ code: 'ERR_LOCK_LOST' }),
    );
    held.file.close();
  },
);

test('an abort at the moment a replaced file is given up leaves no lock', async () => {
  const path = lockPath();
  const controller = new AbortController();
  let rounds = 0;
  const request = requestWith(path, { signal: controller.signal, timeout: 1000 }, (native) => ({
    // At first the path leads elsewhere; then the caller aborts.
    compare: (id) => {
      if (rounds++ > 0) return native.compare(id);
      controller.abort(new Error('enough'));
      return -116;
    },
  }));
  await expect(acquire(request)).rejects.toThrow('enough');
  await until(() => FileLock.tryAcquire(path)?.releaseSync() === undefined);
});
