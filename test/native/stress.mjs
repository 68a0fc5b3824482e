// What is hardest on the native code, without a test runner, so that it can
// run under a sanitizer: cancels against grants, many waits, reused and dying
// threads, workers that are terminated in the middle, synchronous waits.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { FileLock } from '../../dist/index.js';

const scale = Number(process.env.HOLDFAST_STRESS ?? 1);

/** The addon itself, where dist/ finds it. */
function loadAddon() {
  const root = process.env.HOLDFAST_PREBUILD ?? fileURLToPath(new URL('../../', import.meta.url));
  const places = ['build/Release', `prebuilds/${process.platform}-${process.arch}`];
  const files = places.map((place) => join(root, place, 'holdfast.node'));
  return createRequire(import.meta.url)(files.find(existsSync));
}

/** An id is never used twice, also by a slot that has served to the end. */
function ids(path, rounds) {
  const addon = loadAddon();
  const seen = new Set();
  for (let round = 0; round < rounds; round++) {
    const id = addon.open(path, 0o600);
    assert.ok(id > 0 && !seen.has(id), `id ${id}`);
    seen.add(id);
    assert.equal(addon.tryLock(id, 2), 0);
    assert.equal(addon.release(id), 0);
    for (const dead of seen) assert.equal(addon.descriptor(dead), -1);
  }
}

function programOf(...words) {
  const nothing = { added: [], kept: [], lock: -1, lockNumber: -1, ignored: [], blocked: [] };
  return { arguments: words, ...nothing, mostFiles: -1, blockingStreams: 0, endWithParent: true };
}

function command(addon, ...words) {
  return new Promise((resolve, reject) => {
    const pid = addon.spawn(programOf(...words), (exited, status) => resolve([exited, status]));
    if (pid < 0) reject(new Error(`errno ${-pid}`));
    else if (words.includes('killed')) process.kill(pid, 'SIGKILL');
  });
}

/** Commands at the same time, each with its own end, and beside them Node's own. */
async function commands(rounds) {
  const addon = loadAddon();
  const { spawn } = await import('node:child_process');
  for (let round = 0; round < rounds; round++) {
    const ends = Array.from({ length: 8 }, (_, index) =>
      command(addon, 'sh', '-c', `exit ${index}`),
    );
    const others = Array.from({ length: 4 }, (_, index) =>
      once(spawn('sh', ['-c', `exit ${index}`]), 'exit'),
    );
    const killed = command(addon, 'sh', '-c', 'exec sleep 20', 'killed');
    assert.deepEqual(
      await Promise.all(ends),
      Array.from(ends, (_, index) => [true, index]),
    );
    assert.deepEqual(
      (await Promise.all(others)).map(([code]) => code),
      others.map((_, index) => index),
    );
    assert.deepEqual(await killed, [false, 9]);
    await assert.rejects(command(addon, './nowhere'));
  }
}

/** A worker that ends while its command runs, or at the moment when that ends. */
async function abandoned(rounds) {
  for (let round = 0; round < rounds; round++) {
    const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { sleep: '0.02' } });
    await once(worker, 'message');
    // Five moments: before, at and after the end of the command. It waits for nothing.
    await new Promise((resolve) => setTimeout(resolve, (round % 5) * 8));
    await worker.terminate();
  }
  const deadline = performance.now() + 5000;
  // The threads that waited reap what nobody asks for any more.
  while (zombies() > 0 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(zombies(), 0);
}

/** The children of this process that have ended or run, by the threads that created them. */
function zombies() {
  for (;;) {
    try {
      return readdirSync('/proc/self/task').flatMap((task) => {
        const children = readFileSync(`/proc/self/task/${task}/children`, 'utf8');
        return children.split(' ').filter((pid) => pid !== '');
      }).length;
    } catch (error) {
      // 1. The thread is listed. 2. It ends, and its children become another thread's, which may
      // have been read already: only a look at threads that all stay counts each child.
      if (error.code !== 'ENOENT' && error.code !== 'ESRCH') throw error;
    }
  }
}

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
  if (process.platform === 'linux') {
    ids(join(folder, 'ids'), 50 * scale);
    await commands(5 * scale);
    await abandoned(10 * scale);
  }
  const after = readdirSync('/proc/self/fd').length;
  assert.ok(after <= before + 4, `${after - before} descriptors more than before`);
  clearTimeout(deadline);
  rmSync(folder, { recursive: true });
  console.log('stress: nothing lost');
} else if (workerData.sleep !== undefined) {
  loadAddon().spawn(programOf('sleep', workerData.sleep), () => {});
  parentPort.postMessage('running');
} else {
  const { path } = workerData;
  for (let index = 0; index < 5; index++) {
    FileLock.acquire(path, { record: false }).then((lock) => lock.release());
  }
  parentPort.postMessage('waiting');
}
