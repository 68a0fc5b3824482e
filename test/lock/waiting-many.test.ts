import { getEventListeners } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { descriptorsTo, IDLE_THREADS, threadCount, until } from '../support/census.js';
import { lockPath, testFolder } from '../support/folder.js';
import { Program } from '../support/program.js';
import { inTwoSizes } from '../support/sizes.js';

const plain = { record: false } as const;

describe('many waits', () => {
  inTwoSizes(
    (batches) => `${200 * batches} cancels that race with a grant leave the lock free`,
    { short: 3, long: 100 },
    async (batches) => {
      const folder = testFolder();
      const paths = Array.from({ length: 200 }, (_, index) => join(folder, `${index}.lock`));
      const threadsBefore = threadCount();
      const descriptorsBefore = readdirSync('/proc/self/fd').length;
      let granted = 0;
      let aborted = 0;
      const taken = (lock: FileLock): void => {
        granted++;
        lock.releaseSync();
      };
      const refused = (): void => {
        aborted++;
      };
      for (let batch = 0; batch < batches; batch++) {
        const races = paths.map((path) => {
          const held = FileLock.acquireSync(path, plain);
          const controller = new AbortController();
          const pending = FileLock.acquire(path, { ...plain, signal: controller.signal });
          return {
            release: () => held.releaseSync(),
            abort: () => controller.abort(null),
            settled: pending.then(taken, refused),
          };
        });
        // Most threads are in the kernel by then.
        if (batch % 4 !== 0) await new Promise(setImmediate);
        for (const [turn, { release, abort }] of races.entries()) {
          const [first, second] = (turn + batch) % 4 === 0 ? [abort, release] : [release, abort];
          // From no distance at all to one in which the grant may be delivered.
          const distance = (turn >> 2) % 16;
          first();
          spinMicroseconds(distance * 4);
          if (distance === 15) await new Promise(setImmediate);
          second();
        }
        await Promise.all(races.map(({ settled }) => settled));
        // A cancelled wait gives back what it was granted, but within moments.
        for (const path of paths)
          FileLock.acquireSync(path, { ...plain, timeout: 2000 }).releaseSync();
      }
      expect(granted + aborted).toBe(200 * batches);
      expect(Math.min(granted, aborted)).toBeGreaterThan(batches / 5);
      // A waiting thread that is cancelled closes its own, when it gets to run.
      await until(() => descriptorsTo(folder) === 0);
      expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(descriptorsBefore);
      await until(() => threadCount() <= threadsBefore + IDLE_THREADS);
    },
  );

  test('1,000 at once are all served, and use no CPU while they wait', async () => {
    const path = lockPath();
    const threadsBefore = threadCount();
    const held = FileLock.acquireSync(path, plain);
    let served = 0;
    const waits = Array.from({ length: 1000 }, async () => {
      const lock = await FileLock.acquire(path, plain);
      served++;
      lock.releaseSync();
    });
    // Of those counted before, some may have been idle and are waiting now.
    await until(() => threadCount() >= threadsBefore + 1000 - IDLE_THREADS);
    const before = process.cpuUsage();
    // Shows that nothing happens: longer than the second between two checks of the path.
    await new Promise((resolve) => setTimeout(resolve, 1200));
    const { user, system } = process.cpuUsage(before);
    expect(served).toBe(0);
    // Microseconds, the checks of the path and of this test's runner included.
    expect(user + system).toBeLessThan(200_000);
    held.releaseSync();
    await Promise.all(waits);
    expect(served).toBe(1000);
    expect(descriptorsTo(path)).toBe(0);
    await until(() => threadCount() <= threadsBefore + IDLE_THREADS);
  });

  test('1,000 that share one AbortSignal leave no listener and no warning', async () => {
    const path = lockPath();
    const threadsBefore = threadCount();
    const held = FileLock.acquireSync(path, plain);
    const controller = new AbortController();
    const { signal } = controller;
    const aborted = Array.from({ length: 500 }, () => FileLock.acquire(path, { ...plain, signal }));
    const reason = new Error('all of you');
    controller.abort(reason);
    for (const result of await Promise.allSettled(aborted)) {
      expect(result).toEqual({ status: 'rejected', reason });
    }
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    const kept = new AbortController().signal;
    const served = Array.from({ length: 500 }, async () => {
      (await FileLock.acquire(path, { ...plain, signal: kept })).releaseSync();
    });
    held.releaseSync();
    await Promise.all(served);
    expect(getEventListeners(kept, 'abort')).toEqual([]);
    await until(() => descriptorsTo(path) === 0);
    await until(() => threadCount() <= threadsBefore + IDLE_THREADS);
  });

  test('100 that poll with one AbortSignal leave no listener and no warning', async () => {
    const path = lockPath();
    using _held = FileLock.acquireSync(path, plain);
    const controller = new AbortController();
    const { signal } = controller;
    const waits = Array.from({ length: 100 }, () =>
      FileLock.acquire(path, { ...plain, signal, pollInterval: 5 }),
    );
    // Each polls a few times; nothing tells when.
    await new Promise((resolve) => setTimeout(resolve, 30));
    controller.abort();
    const results = await Promise.allSettled(waits);
    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(descriptorsTo(path)).toBe(1);
  });

  test('100 do not hinder node:fs, dns and zlib, even with a pool of one thread', async () => {
    const program = Program.module(
      `
      import { readFile } from 'node:fs/promises';
      import { promisify } from 'node:util';
      import { deflate } from 'node:zlib';
      const held = FileLock.acquireSync(args[0]);
      const waits = Array.from({ length: 100 }, () => FileLock.acquire(args[0]));
      await readFile('/proc/self/status');
      await promisify(deflate)('text');
      say('not hindered');
      held.releaseSync();
      for (const wait of waits) wait.then((lock) => lock.release());
      await Promise.all(waits);
      say('served');`,
      [lockPath()],
      { env: { ...process.env, UV_THREADPOOL_SIZE: '1' } },
    );
    expect(await program.exited).toMatchObject({ code: 0, stdout: 'not hindered\nserved\n' });
  });
});

describe('10,000 cycles', () => {
  test('leak no descriptor, thread, listener or memory', async () => {
    const program = Program.module(
      `
      import { readdirSync } from 'node:fs';
import { join } from 'node:path';
      import { getEventListeners } from 'node:events';
      const { signal } = new AbortController();
      const count = () => {
        gc();
        return {
          fds: readdirSync('/proc/self/fd').length,
          threads: readdirSync('/proc/self/task').length,
          listeners: getEventListeners(signal, 'abort').length,
          heap: process.memoryUsage().heapUsed,
          resident: process.memoryUsage().rss,
        };
      };
      const cycles = async (times) => {
        for (let turn = 0; turn < times; turn++) {
          const lock = await FileLock.acquire(args[0], { signal, timeout: 10000 });
          // Every tenth with a wait.
          const next = turn % 10 === 0 ? FileLock.acquire(args[0], { signal, timeout: 10000 }) : null;
          await lock.release();
          if (next !== null) (await next).releaseSync();
          FileLock.acquireSync(args[0], { record: false }).releaseSync();
        }
      };
      await cycles(2000);
      const before = count();
      await cycles(10000);
      say(JSON.stringify({ before, after: count() }));`,
      [lockPath()],
      { execArgv: ['--expose-gc'] },
    );
    const { stdout, code, stderr } = await program.exited;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { before, after } = JSON.parse(stdout);
    expect(after.fds).toBe(before.fds);
    expect(after.threads).toBeLessThanOrEqual(before.threads + IDLE_THREADS);
    expect(after.listeners).toBe(0);
    expect(after.heap - before.heap).toBeLessThan(2 * 1024 ** 2);
    expect(after.resident - before.resident).toBeLessThan(24 * 1024 ** 2);
  });
});

function spinMicroseconds(duration: number): void {
  const end = performance.now() + duration / 1000;
  while (performance.now() < end);
}
