// The main job, on real processes: one holds, one is refused, one waits; the
// holder is killed with SIGKILL, and the lock goes to the one that waits.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FileLock } from '../dist/index.js';

const [role, path] = process.argv.slice(2);

if (role === 'holder') {
  const lock = await FileLock.acquire(path, { data: { job: 'import of orders' } });
  process.send({ acquired: lock.path });
  setInterval(() => lock.held, 1000); // works until it is killed
} else if (role === 'refused') {
  try {
    await FileLock.acquire(path, { timeout: 0 });
  } catch (error) {
    process.send({ code: error.code, message: error.message, job: error.holder?.data?.job });
  }
} else if (role === 'waiter') {
  const lock = await FileLock.acquire(path, { onWait: () => process.send({ waiting: true }) });
  process.send({ granted: now(), previous: lock.previous });
  await lock.release();
} else {
  await demo();
}

/** In milliseconds, the same in every process. */
function now() {
  return performance.timeOrigin + performance.now();
}

async function demo() {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-demo-'));
  const lockPath = join(folder, 'orders.lock');
  const children = [];
  const start = (name) => {
    const child = fork(fileURLToPath(import.meta.url), [name, lockPath]);
    children.push(child);
    return child;
  };
  const message = async (child) => (await once(child, 'message', limit))[0];
  const limit = { signal: AbortSignal.timeout(20_000) };
  try {
    console.log('Four processes, one lock file.\n');

    const holder = start('holder');
    await message(holder);
    console.log(`1. Process ${holder.pid} acquires the lock.`);

    const refused = await message(start('refused'));
    console.log('\n2. A second one, which does not want to wait, is refused and told by whom:');
    console.log(`     ${refused.code}: ${refused.message}`);
    console.log(`     what the holder says it is doing: ${refused.job}`);

    const waiter = start('waiter');
    await message(waiter);
    console.log(`\n3. A third one, process ${waiter.pid}, waits in the kernel.`);

    console.log(`\n4. kill -9 ${holder.pid}: no handler runs, nothing is cleaned up.`);
    const granted = message(waiter);
    const killed = now();
    holder.kill('SIGKILL');
    const { granted: at, previous } = await granted;
    const milliseconds = at - killed;
    console.log(
      `   The kernel does it: process ${waiter.pid} has the lock ${milliseconds.toFixed(2)} ms later.`,
    );

    console.log('\n5. The new holder knows that the last one did not release:');
    console.log(
      `     lock.previous: pid ${previous.pid}, since ${previous.since}, running: ${previous.running}`,
    );
    await once(waiter, 'exit', limit);

    const status = FileLock.tryAcquire(lockPath);
    if (status === null) throw new Error('the lock is not free at the end');
    status.releaseSync();
    console.log('\nThe lock is free again. Nothing had to be cleaned up, and nobody had to guess.');
  } finally {
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}
