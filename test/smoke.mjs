// The whole package in a minute, on whatever runtime runs this file: Node, Bun,
// Deno.
// One process holds, others contend; no test runner, since not every runtime
// has the same one.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { Claims } from '../dist/claims.js';
import { Election } from '../dist/election.js';
import { FileLock, fileLocker, inspect, isLockError, withLock } from '../dist/index.js';
import { InstanceLock } from '../dist/instance.js';
import { withNextId } from '../dist/next-id.js';
import { Slots } from '../dist/slots.js';
import { updateJson } from '../dist/update.js';

const self = fileURLToPath(import.meta.url);
const [, , role, path] = process.argv;
// Only Linux tells whether a descriptor has a lock.
const adopts = process.platform === 'linux';

function start(name, lockPath, stdio = ['pipe', 'pipe', 'inherit']) {
  return spawn(process.execPath, [self, name, lockPath], { stdio });
}

/** While the parent process runs. */
function stay() {
  process.stdin.resume().on('end', () => process.exit());
}

async function line(child) {
  const [chunk] = await once(child.stdout, 'data');
  return String(chunk).trim();
}

async function main() {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-smoke-'));
  const deadline = setTimeout(() => {
    console.error('smoke: took too long');
    process.exit(1);
  }, 90_000);
  const steps = Object.entries(checks);
  for (const [name, check] of steps) {
    await check(join(folder, 'some', `${name.replace(/\W+/g, '-')}.lock`));
    console.log(`ok: ${name}`);
  }
  clearTimeout(deadline);
  rmSync(folder, { recursive: true });
  const { bun, deno } = process.versions;
  const runtime = bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : `Node ${process.version}`;
  console.log(`${steps.length} checks passed on ${runtime}`);
}

const checks = {
  async 'acquire, record, release'(file) {
    const lock = await FileLock.acquire(file, { data: { port: 1 } });
    assert.deepEqual(
      [lock.held, lock.mode, lock.path, lock.previous],
      [true, 'exclusive', file, null],
    );
    assert.equal(JSON.parse(readFileSync(file, 'utf8')).pid, process.pid);
    lock.update({ port: 2 });
    assert.equal(JSON.parse(readFileSync(file, 'utf8')).port, 2);
    assert.ok(lock.isCurrent());
    await lock.release();
    await lock.release();
    assert.deepEqual(Object.keys(JSON.parse(readFileSync(file, 'utf8'))), ['holdfast']);
    const next = FileLock.acquireSync(file);
    assert.ok(next.token > lock.token);
    next.releaseSync();
  },
  async 'a holder in another process is named, killed, and its lock handed on'(file) {
    const holder = start('hold', file);
    assert.equal(await line(holder), 'held');
    assert.equal(FileLock.tryAcquire(file), null);
    await assert.rejects(FileLock.acquire(file, { timeout: 0 }), (error) => {
      assert.ok(isLockError(error, 'ERR_LOCK_HELD'));
      assert.equal(error.holder.pid, holder.pid);
      return true;
    });
    await assert.rejects(FileLock.acquire(file, { timeout: 50 }), { code: 'ERR_LOCK_TIMEOUT' });
    assert.throws(() => FileLock.acquireSync(file, { timeout: 60 }), { code: 'ERR_LOCK_TIMEOUT' });
    assert.equal((await inspect(file)).holders[0].pid, holder.pid);
    const waiting = FileLock.acquire(file, { onWait: () => holder.kill('SIGKILL') });
    const lock = await waiting;
    assert.equal(lock.previous.pid, holder.pid);
    assert.deepEqual(lock.previous.data, { role: 'hold' });
    await lock.release();
  },
  async 'process.exit() in the middle of a hold is a release'(file) {
    const child = start('exit', file);
    await once(child, 'exit');
    const lock = await FileLock.acquire(file);
    assert.equal(lock.previous, null);
    lock.releaseSync();
  },
  async 'abort ends a wait with the reason'(file) {
    await withLock(file, async () => {
      const controller = new AbortController();
      const reason = new Error('enough');
      const waiting = FileLock.acquire(file, {
        signal: controller.signal,
        onWait: () => setTimeout(() => controller.abort(reason), 10),
      });
      await assert.rejects(waiting, (error) => error === reason);
    });
  },
  async 'cancels that race with a grant leave the lock free'(file) {
    for (let round = 0; round < 500; round++) {
      const lock = FileLock.acquireSync(file, { record: false });
      const controller = new AbortController();
      const waiting = FileLock.acquire(file, { record: false, signal: controller.signal }).then(
        (granted) => granted.release(),
        () => {},
      );
      if (round % 3 === 0) await new Promise(setImmediate);
      lock.releaseSync();
      if (round % 2 === 0) await new Promise(setImmediate);
      controller.abort();
      await waiting;
    }
    FileLock.acquireSync(file, { timeout: 1000 }).releaseSync();
  },
  async 'a hundred waits are all served'(file) {
    const lock = FileLock.acquireSync(file);
    let served = 0;
    const waits = Array.from({ length: 100 }, () => withLock(file, () => served++));
    await lock.release();
    await Promise.all(waits);
    assert.equal(served, 100);
  },
  async 'shared, downgrade, upgrade'(file) {
    const one = FileLock.acquireSync(file);
    one.downgrade();
    const other = await FileLock.acquire(file, { mode: 'shared' });
    assert.equal(one.tryUpgrade(), false);
    assert.equal(one.held, false);
    assert.equal(other.tryUpgrade(), true);
    assert.equal(FileLock.tryAcquire(file, { mode: 'shared' }), null);
    await other.release();
  },
  async 'handed over to a child that outlives its parent’s hold'(file) {
    const lock = FileLock.acquireSync(file);
    if (!adopts) {
      assert.throws(() => FileLock.adopt(Math.max(lock.fd, 3), file), {
        code: 'ERR_LOCK_UNSUPPORTED',
      });
      return lock.releaseSync();
    }
    const child = start('adopt', file, ['pipe', 'pipe', 'inherit', lock.fd]);
    assert.equal(await line(child), `adopted ${lock.token}`);
    lock.detach();
    assert.equal((await inspect(file)).holders[0].pid, child.pid);
    assert.equal(FileLock.tryAcquire(file), null);
    child.stdin.write('go\n');
    await once(child, 'exit');
    FileLock.acquireSync(file).releaseSync();
  },
  async 'worker.terminate() in the middle of a wait'(file) {
    for (let round = 0; round < 10; round++) {
      const lock = FileLock.acquireSync(file, { record: false });
      const worker = new Worker(self, { workerData: file });
      await once(worker, 'online');
      if (round % 2 === 0) lock.releaseSync();
      await worker.terminate();
      lock.releaseSync();
      FileLock.acquireSync(file, { record: false, timeout: 2000 }).releaseSync();
    }
  },
  async 'polling, removal, injection, disposal'(file) {
    const locker = fileLocker({ keepFile: false, pollInterval: 5 });
    const lock = await locker.acquire(file);
    const waiting = locker.acquire(file, { timeout: 5000 });
    await lock.release();
    const second = await waiting;
    await second[Symbol.asyncDispose]();
    const states = process.platform === 'win32' ? ['missing', 'unknown'] : ['missing'];
    assert.ok(states.includes((await inspect(file)).state));
  },
  async 'one instance among processes'(file) {
    const other = start('instance', file);
    assert.equal(await line(other), 'running');
    await assert.rejects(InstanceLock.acquire(file), { code: 'ERR_LOCK_HELD' });
    other.kill('SIGKILL');
    await once(other, 'exit');
    await (await InstanceLock.acquire(file)).release();
  },
  async 'claims that overlap are refused, in another process as well'(file) {
    const other = start('claim', file);
    assert.equal(await line(other), 'claimed');
    const claims = new Claims(file, { root: dirname(file) });
    const mine = { agent: 'b', files: ['src/a*'], ttl: 60_000 };
    await assert.rejects(claims.claim(mine), { code: 'ERR_CLAIM_CONFLICT' });
    other.kill('SIGKILL');
    await once(other, 'exit');
    await (await claims.claim(mine)).release();
  },
  async 'numbers that nobody else gets'(file) {
    mkdirSync(file);
    const others = [start('number', file), start('number', file)];
    const numbers = await Promise.all(others.map(line));
    numbers.push(String((await withNextId(file, () => {})).id));
    assert.deepEqual(numbers.sort(), ['1', '2', '3']);
  },
  async 'updates of one file by several processes, none of them lost'(file) {
    const others = [start('update', file), start('update', file)];
    for (let n = 0; n < 20; n++) await updateJson(file, (old = 0) => old + 1);
    for (const other of others) if (other.exitCode === null) await once(other, 'exit');
    assert.equal(await updateJson(file, () => undefined), 60);
  },
  async 'two slots, and the next one when a holder is killed'(file) {
    const other = start('slot', file);
    assert.equal(await line(other), '1');
    const slots = new Slots(file, { slots: 2 });
    const slot = await slots.acquire({ timeout: 0 });
    assert.equal(slot.number, 2);
    assert.equal(slots.tryAcquire(), null);
    other.kill('SIGKILL');
    const next = await slots.acquire();
    assert.equal(next.number, 1);
    await Promise.all([slot.release(), next.release()]);
  },
  async 'one leader, and the next one when it is killed'(file) {
    const other = start('member', file);
    assert.equal(await line(other), 'primary');
    const member = await Election.join(file);
    assert.equal(member.isPrimary, false);
    other.kill('SIGKILL');
    await member.whenPrimary();
    assert.ok(member.isPrimary);
    await member.leave();
  },
};

if (!isMainThread) {
  // A worker that waits until it is terminated.
  FileLock.acquire(workerData).catch(() => {});
} else if (role === 'hold') {
  const lock = FileLock.acquireSync(path, { data: { role } });
  process.stdout.write('held\n');
  globalThis.lock = lock;
  stay();
} else if (role === 'exit') {
  globalThis.lock = FileLock.acquireSync(path);
  process.exit(0);
} else if (role === 'instance') {
  globalThis.instance = await InstanceLock.acquire(path);
  process.stdout.write('running\n');
  stay();
} else if (role === 'claim') {
  const claims = new Claims(path, { root: dirname(path) });
  globalThis.claim = await claims.claim({ agent: 'a', directories: ['src/'], bind: true });
  process.stdout.write('claimed\n');
  stay();
} else if (role === 'number') {
  process.stdout.write(`${(await withNextId(path, () => {})).id}\n`);
} else if (role === 'update') {
  for (let n = 0; n < 20; n++) await updateJson(path, (old = 0) => old + 1);
} else if (role === 'slot') {
  globalThis.slot = await new Slots(path, { slots: 2 }).acquire();
  process.stdout.write(`${globalThis.slot.number}\n`);
  stay();
} else if (role === 'member') {
  globalThis.member = await Election.join(path);
  await globalThis.member.whenPrimary();
  process.stdout.write('primary\n');
  stay();
} else if (role === 'adopt') {
  const lock = FileLock.adopt(3, path);
  process.stdout.write(`adopted ${lock.token}\n`);
  process.stdin.once('data', async () => {
    await lock.release();
    process.exit(0);
  });
} else {
  await main();
}
