// What a lock is for, on real processes: one holds it, one is refused, one waits.
// The holder is killed with SIGKILL, and the waiter gets the lock.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FileLock } from '../dist/index.js';

const FILE = fileURLToPath(import.meta.url);
const role = process.argv[2];
const path = process.env.ORDERS_LOCK;

if (role === 'holder') {
  const lock = await FileLock.acquire(path, { data: { job: 'importing orders' } });
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

/** A clock in milliseconds that all processes share. */
function now() {
  return performance.timeOrigin + performance.now();
}

async function demo() {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-demo-'));
  const lockPath = join(folder, 'orders.lock');
  const children = [];
  // A short command line, since a refusal shows it.
  const options = { cwd: dirname(FILE), env: { ...process.env, ORDERS_LOCK: lockPath } };
  const start = (name) => {
    const child = fork(basename(FILE), [name], options);
    children.push(child);
    return child;
  };
  const message = async (child) => (await once(child, 'message', limit))[0];
  const limit = { signal: AbortSignal.timeout(20_000) };
  try {
    console.log(`This process starts three others. All want the same lock:\n${lockPath}\n`);

    const holder = start('holder');
    await message(holder);
    console.log(`1. Process ${holder.pid} acquires the lock, and notes what it does with it.\n`);

    const second = start('refused');
    const refused = await message(second);
    console.log(
      `2. Process ${second.pid} does not want to wait. It is refused, and its error says why:`,
    );
    console.log(`     error.code     ${refused.code}`);
    console.log(`     error.message  ${refused.message}`);
    console.log(`     error.holder   is ${refused.job}\n`);

    const waiter = start('waiter');
    await message(waiter);
    console.log(`3. Process ${waiter.pid} waits for the lock, without a timeout.\n`);

    console.log(
      `4. kill -9 ${holder.pid}: the holder cannot clean up, so the lock file stays as it is.`,
    );
    const granted = message(waiter);
    const killed = now();
    holder.kill('SIGKILL');
    const { granted: at, previous } = await granted;
    const milliseconds = (at - killed).toFixed(1);
    console.log('   The kernel releases the lock of a dead process:');
    console.log(`   process ${waiter.pid} has it ${milliseconds} ms after the kill.\n`);

    console.log('5. The new holder sees that the last one died without releasing:');
    console.log(`     lock.previous.pid      ${previous.pid}`);
    console.log(`     lock.previous.since    ${previous.since}`);
    console.log(`     lock.previous.running  ${previous.running}\n`);
    await once(waiter, 'exit', limit);

    const last = FileLock.tryAcquire(lockPath);
    if (last === null) throw new Error('the lock is not free at the end');
    last.releaseSync();
    console.log(
      'It releases the lock, which is free again. Nobody had to delete a stale lock file.',
    );
  } finally {
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}
