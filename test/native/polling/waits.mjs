// Waits of the core where it polls and only records tell who holds: Windows and macOS.
// See scripts/test-windows.mjs and scripts/test-darwin.mjs.
import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import test from 'node:test';
import { FileLock, isLockError } from '../../../dist/index.js';
import { errorOf, freshPath, startPeer } from './support.mjs';

test('a wait is granted when the holder releases', async () => {
  const path = freshPath();
  const peer = await startPeer();
  const theirs = await peer.ask('acquire', { path });
  let told = null;
  const waiting = FileLock.acquire(path, { onWait: (holder) => (told = holder) });
  await peer.ask('release', theirs);
  const lock = await waiting;
  assert.equal(told.pid, peer.pid);
  assert.equal(lock.previous, null);
  assert.ok(lock.token > theirs.token);
  await lock.release();
  await peer.kill();
});

test('a wait is granted when the holder is killed, and its record tells of it', async () => {
  const path = freshPath();
  const peer = await startPeer();
  const theirs = await peer.ask('acquire', { path, options: { data: { port: 9 } } });
  const waiting = FileLock.acquire(path);
  await peer.kill();
  const lock = await waiting;
  assert.equal(lock.previous.pid, peer.pid);
  assert.deepEqual(lock.previous.data, { port: 9 });
  assert.ok(lock.token > theirs.token);
  lock.releaseSync();
});

test('a timeout is never early, and a synchronous one neither', async () => {
  const path = freshPath();
  const peer = await startPeer();
  await peer.ask('acquire', { path });
  for (const acquire of ['acquire', 'acquireSync']) {
    const began = performance.now();
    const error = await errorOf(() => FileLock[acquire](path, { timeout: 200 }));
    const took = performance.now() - began;
    assert.ok(isLockError(error, 'ERR_LOCK_TIMEOUT'), error.stack);
    assert.ok(took >= 200 && took < 5000, `${took} ms`);
    assert.equal(error.holder.pid, peer.pid);
  }
  await peer.kill();
  FileLock.acquireSync(path, { timeout: 5000 }).releaseSync();
});

test('an abort ends a wait with its reason, and nothing of it is left', async () => {
  const path = freshPath();
  const peer = await startPeer();
  const lock = await FileLock.acquire(path);
  const theirs = peer.ask('acquire', { path });
  await peer.ask('abort', { reason: 'enough' });
  assert.equal((await errorOf(theirs)).message, 'enough');
  const controller = new AbortController();
  const ours = FileLock.acquire(path, { signal: controller.signal });
  const reason = new Error('mine');
  controller.abort(reason);
  assert.equal(await errorOf(ours), reason);
  lock.releaseSync();
  FileLock.acquireSync(path).releaseSync();
  await peer.kill();
});

test('aborts that race with a grant leave the lock free', async () => {
  const path = freshPath();
  const peer = await startPeer();
  for (let round = 0; round < 30; round++) {
    const theirs = await peer.ask('acquire', { path });
    const controller = new AbortController();
    const ours = FileLock.acquire(path, { signal: controller.signal, pollInterval: 1 });
    const released = peer.ask('release', theirs);
    setImmediate(() => controller.abort());
    const lock = await ours.catch(() => null);
    lock?.releaseSync();
    await released;
  }
  const last = FileLock.tryAcquire(path);
  assert.notEqual(last, null);
  last.releaseSync();
  await peer.kill();
});

test('who waits for a file that is replaced meanwhile takes the new one', async () => {
  const path = freshPath();
  const lock = await FileLock.acquire(path);
  const waiting = FileLock.acquire(path, { timeout: 10_000 });
  renameSync(path, `${path}.old`);
  const other = await waiting;
  assert.equal(other.isCurrent(), true);
  other.releaseSync();
  lock.releaseSync();
});

test('two that both want to upgrade do not wait for each other', async () => {
  const path = freshPath();
  const peer = await startPeer();
  const theirs = await peer.ask('acquire', { path, options: { mode: 'shared' } });
  const lock = await FileLock.acquire(path, { mode: 'shared' });
  // What is refused gives the shared lock up, on every system.
  assert.equal(lock.tryUpgrade(), false);
  const exclusive = FileLock.acquire(path, { timeout: 10_000 });
  await peer.ask('release', theirs);
  (await exclusive).releaseSync();
  await peer.kill();
});
