// What is hardest on the native code, without a test runner, so that it can
// run under a sanitizer: cancels against grants, many waits, reused and dying
// threads, workers that are terminated in the middle, synchronous waits.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { FileLock } from '../dist/index.js';

const scale = Number(process.env.HOLDFAST_STRESS ?? 1);

async function cancels(path, rounds) {
  for (let round = 0; round < rounds; round++) {
    const lock = FileLock.acquireSync(path, { record: false });
    const controller = new AbortController();
    const waits = Array.from({ length: 1 + (round % 4) }, () =>
      FileLock.acquire(path, { record: false, signal: controller.signal }).then(
        (granted) => granted.release(),
        () => {},
      ),
    );
    if (round % 3 === 0) await new Promise(setImmediate);
    lock.releaseSync();
    if (round % 2 === 0) await new Promise(setImmediate);
    controller.abort();
    await Promise.all(waits);
  }
  FileLock.acquireSync(path, { timeout: 2000 }).releaseSync();
}

async function deadlines(path, rounds) {
  const lock = FileLock.acquireSync(path);
  const waits = Array.from({ length: rounds }, (_, index) =>
    assert.rejects(FileLock.acquire(path, { timeout: 1 + (index % 20) }), {
      code: 'ERR_LOCK_TIMEOUT',
    }),
  );
  await Promise.all(waits);
  await lock.release();
}

async function queue(path, length) {
  const lock = FileLock.acquireSync(path);
  let inside = 0;
  const waits = Array.from({ length }, async () => {
    const granted = await FileLock.acquire(path, { data: { length } });
    assert.equal(++inside, 1);
    inside--;
    await granted.release();
  });
  await lock.release();
  await Promise.all(waits);
}

async function workers(path, rounds) {
  for (let round = 0; round < rounds; round++) {
    const lock = FileLock.acquireSync(path, { record: false });
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { path } });
    await once(worker, 'message');
    if (round % 3 === 0) lock.releaseSync();
    if (round % 3 === 1) setImmediate(() => lock.releaseSync());
    await worker.terminate();
    lock.releaseSync();
    FileLock.acquireSync(path, { record: false, timeout: 5000 }).releaseSync();
  }
}

function synchronous(path) {
  const lock = FileLock.acquireSync(path);
  lock.downgrade();
  const other = FileLock.acquireSync(path, { mode: 'shared', timeout: 1000 });
  assert.equal(lock.tryUpgrade(), false);
  other.releaseSync();
  FileLock.acquireSync(path, { keepFile: false }).releaseSync();
}

if (isMainThread) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-stress-'));
  const deadline = setTimeout(() => {
    console.error('stress: took too long');
    process.exit(1);
  }, 280_000);
  const before = readdirSync('/proc/self/fd').length;
  await cancels(join(folder, 'cancels'), 300 * scale);
  await deadlines(join(folder, 'deadlines'), 200 * scale);
  await queue(join(folder, 'queue'), 200 * scale);
  synchronous(join(folder, 'synchronous'));
  await workers(join(folder, 'workers'), 30 * scale);
  const after = readdirSync('/proc/self/fd').length;
  assert.ok(after <= before + 4, `${after - before} descriptors more than before`);
  clearTimeout(deadline);
  rmSync(folder, { recursive: true });
  console.log('stress: nothing lost');
} else {
  const { path } = workerData;
  for (let index = 0; index < 5; index++) {
    FileLock.acquire(path, { record: false }).then((lock) => lock.release());
  }
  parentPort.postMessage('waiting');
}
