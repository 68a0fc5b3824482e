import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FileLock, inspect } from '../../src/index.js';
import { descriptorsTo, IDLE_THREADS, threadCount, until } from '../support/census.js';
import { lockPath, testFolder } from '../support/folder.js';
import { Peer } from '../support/peer.js';
import { inTwoSizes } from '../support/sizes.js';

const ENTRY = new URL('../../dist/index.js', import.meta.url).href;

describe('main thread and workers', () => {
  test('a worker is refused what the main thread holds, and the holder is its own process', async () => {
    const path = lockPath();
    const worker = await Peer.startThread();
    const lock = FileLock.acquireSync(path);
    expect(await worker.tryAcquire('a', path)).toBeNull();
    await expect(worker.acquire('a', path, { timeout: 0 })).rejects.toMatchObject({
      code: 'ERR_LOCK_HELD',
      holder: { pid: process.pid, self: true },
    });
    lock.releaseSync();
    expect(await worker.tryAcquire('a', path)).toMatchObject({ held: true });
  });

  test('the main thread is refused what a worker holds, and granted it on its release', async () => {
    const path = lockPath();
    const worker = await Peer.startThread();
    await worker.acquire('a', path);
    expect(FileLock.tryAcquire(path)).toBeNull();
    const pending = FileLock.acquire(path);
    await worker.release('a');
    await using lock = await pending;
    expect(lock.previous).toBeNull();
  });

  test('two workers exclude each other, and a process excludes both', async () => {
    const path = lockPath();
    const [first, second, peer] = await Promise.all([
      Peer.startThread(),
      Peer.startThread(),
      Peer.start(),
    ]);
    await first.acquire('a', path);
    const { granted } = await second.waitFor('b', path);
    expect(await peer.tryAcquire('c', path)).toBeNull();
    await first.release('a');
    expect(await granted).toMatchObject({ held: true });
    expect(await first.tryAcquire('a', path)).toBeNull();
    expect(await peer.tryAcquire('c', path)).toBeNull();
  });

  test('the main thread may wait synchronously for what a worker holds', async () => {
    const path = lockPath();
    const worker = await Peer.startThread();
    await worker.acquire('a', path);
    // Both messages are on their way before this thread stands still.
    const told = [worker.call('busy', 50), worker.release('a')];
    using lock = FileLock.acquireSync(path, { timeout: 10_000 });
    expect(lock.held).toBe(true);
    await Promise.all(told);
  });
});

describe('the end of a worker', () => {
  const ways = ['exit', 'terminate', 'uncaught'] as const;
  const states = ['holding', 'waiting', 'granted, not yet delivered'] as const;
  const cases = ways.flatMap((way) => states.map((state) => ({ way, state })));

  test.each(cases)('by $way while $state leaves the lock free', async ({ way, state }) => {
    const path = lockPath();
    const blocker = state === 'holding' ? null : FileLock.acquireSync(path);
    const flag = new Int32Array(new SharedArrayBuffer(4));
    const worker = startWorker(
      `
      const end = () => {
        // The loop stands still from here on, so nothing is delivered.
        Atomics.wait(flag, 0, 0);
        if (way === 'exit') process.exit(3);
        if (way === 'uncaught') throw new Error('uncaught, on purpose');
      };
      const pending = FileLock.acquire(path).then((lock) => (globalThis.kept = lock));
      if (state === 'holding') await pending;
      parentPort.postMessage(state);
      setImmediate(end);`,
      { path, way, state, flag },
    );
    // Not once(): an error, which is expected here, would reject it.
    const exited = new Promise<number>((resolve) => worker.once('exit', resolve));
    const [message] = await once(worker, 'message');
    expect(message).toBe(state);
    if (state === 'granted, not yet delivered') {
      blocker?.releaseSync();
      await until(async () => {
        const { holders, waiters } = await inspect(path);
        return holders.length === 1 && waiters.length === 0;
      });
    }
    if (way === 'terminate') await worker.terminate();
    else {
      Atomics.store(flag, 0, 1);
      Atomics.notify(flag, 0);
    }
    expect(await exited).toBe(way === 'exit' ? 3 : 1);
    blocker?.releaseSync();
    using lock = FileLock.acquireSync(path);
    expect(lock.previous).toBeNull();
    lock.releaseSync();
    expect(descriptorsTo(path)).toBe(0);
  });

  inTwoSizes(
    (rounds) => `${rounds} terminations that race with a grant never leave a lock held`,
    { short: 6, long: 300 },
    async (rounds) => {
      const folder = testFolder();
      const threadsBefore = threadCount();
      let round = 0;
      let left = 0;
      const lane = async (name: string): Promise<void> => {
        const path = join(folder, `${name}.lock`);
        while (round < rounds) {
          const turn = round++;
          const lock = FileLock.acquireSync(path, { record: false });
          const worker = startWorker(
            `
          FileLock.acquire(path, { record: false }).then((lock) => (globalThis.kept = lock));
          parentPort.postMessage('waiting');`,
            { path },
          );
          await once(worker, 'message');
          // A different distance between the two each time, in either order.
          const spin = (turn % 10) * 40;
          const first = turn % 2 === 0;
          let ended: Promise<number> | undefined;
          if (first) lock.releaseSync();
          else ended = worker.terminate();
          spinMicroseconds(spin);
          if (first) ended = worker.terminate();
          else lock.releaseSync();
          await ended;
          const after = FileLock.tryAcquire(path, { record: false });
          if (after === null) left++;
          after?.releaseSync();
        }
      };
      await Promise.all(['a', 'b', 'c'].map(lane));
      expect(left).toBe(0);
      expect(descriptorsTo(folder)).toBe(0);
      await until(() => threadCount() <= threadsBefore + IDLE_THREADS);
    },
  );

  test('waits that are pending when a worker is terminated are gone with it', async () => {
    const path = lockPath();
    const threadsBefore = threadCount();
    using lock = FileLock.acquireSync(path);
    const worker = startWorker(
      `
      for (let count = 0; count < 100; count++) FileLock.acquire(path);
      parentPort.postMessage('waiting');`,
      { path },
    );
    await once(worker, 'message');
    await until(() => threadCount() >= threadsBefore + 100 - IDLE_THREADS);
    expect((await inspect(path)).waiters).toEqual([process.pid]);
    await worker.terminate();
    expect((await inspect(path)).waiters).toEqual([]);
    expect(descriptorsTo(path)).toBe(1);
    expect(lock.held).toBe(true);
  });
});

/** A worker that runs `source` with the package and its data at hand. */
function startWorker(source: string, data: object): Worker {
  const names = ['entry', ...Object.keys(data)];
  const worker = new Worker(
    `
    const { parentPort, workerData } = require('node:worker_threads');
    const { ${names.join(', ')} } = workerData;
    import(entry).then(async ({ FileLock }) => { ${source} });`,
    { eval: true, execArgv: [], workerData: { entry: ENTRY, ...data } },
  );
  worker.on('error', () => {});
  onTestFinished(async () => {
    await worker.terminate();
  });
  return worker;
}

function spinMicroseconds(duration: number): void {
  const end = performance.now() + duration / 1000;
  while (performance.now() < end);
}
