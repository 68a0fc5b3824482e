// The core where it polls and only records tell who holds: Windows and macOS.
// See scripts/test-windows.mjs and scripts/test-darwin.mjs.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { FileLock, fileLocker, inspect, isLockError, withLock } from '../../../dist/index.js';
import { errorOf, freshPath, onWindows, startPeer } from './support.mjs';

test('one process excludes another, and the refusal names it', async () => {
  const path = freshPath();
  const peer = await startPeer();
  await peer.ask('acquire', { path, options: { data: { port: 7 } } });
  assert.equal(FileLock.tryAcquire(path), null);
  const error = await errorOf(FileLock.acquire(path, { timeout: 0 }));
  assert.ok(isLockError(error, 'ERR_LOCK_HELD'));
  const { pid, self, source, verified, data } = error.holder;
  assert.deepEqual([pid, self, source, verified], [peer.pid, false, 'record', false]);
  assert.deepEqual(data, { port: 7 });
  assert.deepEqual([error.cause.code, error.cause.syscall], ['EWOULDBLOCK', 'flock']);
  await peer.kill();
});

test('two locks in one process exclude each other', async () => {
  const path = freshPath();
  const lock = FileLock.acquireSync(path);
  assert.equal(FileLock.tryAcquire(path), null);
  const refusal = await errorOf(() => FileLock.acquireSync(path));
  assert.equal(refusal.holder.self, true);
  const state = await errorOf(() => FileLock.acquireSync(path, { timeout: 1000 }));
  assert.equal(state.code, 'ERR_LOCK_STATE');
  lock.releaseSync();
  FileLock.acquireSync(path).releaseSync();
});

test('shared holders share, and exclude an exclusive one', async () => {
  const path = freshPath();
  const peer = await startPeer();
  const theirs = await peer.ask('acquire', { path, options: { mode: 'shared' } });
  const ours = await FileLock.acquire(path, { mode: 'shared', timeout: 0 });
  assert.equal(FileLock.tryAcquire(path), null);
  await peer.ask('release', theirs);
  assert.equal(FileLock.tryAcquire(path), null);
  ours.releaseSync();
  FileLock.acquireSync(path).releaseSync();
  await peer.kill();
});

test('a downgrade lets others share at once, an upgrade excludes them', async () => {
  const path = freshPath();
  const peer = await startPeer();
  const lock = await FileLock.acquire(path);
  lock.downgrade();
  const shared = { path, options: { mode: 'shared' } };
  const theirs = await peer.ask('tryAcquire', shared);
  assert.notEqual(theirs, null);
  await peer.ask('release', theirs);
  assert.equal(lock.tryUpgrade(), true);
  assert.equal(await peer.ask('tryAcquire', shared), null);
  lock.downgrade();
  assert.notEqual(await peer.ask('tryAcquire', shared), null);
  assert.equal(lock.tryUpgrade(), false);
  assert.equal(lock.held, false);
  await peer.kill();
  FileLock.acquireSync(path).releaseSync();
});

test('a process that exits without releasing has taken its record out', async () => {
  const path = freshPath();
  const peer = await startPeer();
  await peer.ask('acquire', { path });
  peer.ask('exit', { code: 3 });
  assert.deepEqual(await peer.exited, [3, null]);
  const lock = await FileLock.acquire(path);
  assert.equal(lock.previous, null);
  lock.releaseSync();
});

test('nobody is inside together with anybody else', async () => {
  const path = freshPath();
  const counter = freshPath('counter');
  mkdirSync(dirname(counter));
  writeFileSync(counter, '0');
  const peers = await Promise.all([startPeer(), startPeer(), startPeer()]);
  const folder = dirname(freshPath());
  const ids = await Promise.all(peers.map((peer) => peer.ask('ids', { folder, count: 8 })));
  const all = ids.flat().sort((one, other) => one - other);
  assert.deepEqual(
    all,
    Array.from({ length: 24 }, (_, at) => at + 1),
  );
  let inside = 0;
  const work = Array.from({ length: 20 }, () =>
    withLock(path, async () => {
      assert.equal(++inside, 1);
      await null;
      inside--;
    }),
  );
  await Promise.all(work);
  for (const peer of peers) await peer.kill();
});

test('any process can read the record while the lock is held', async () => {
  const path = freshPath();
  const lock = await FileLock.acquire(path, { data: { port: 1 } });
  const record = JSON.parse(readFileSync(path, 'utf8'));
  assert.deepEqual([record.pid, record.port, record.holdfast.token], [process.pid, 1, lock.token]);
  lock.update({ port: 2 });
  assert.equal(JSON.parse(readFileSync(path, 'utf8')).port, 2);
  const peer = await startPeer();
  const status = await peer.ask('inspect', { path });
  assert.deepEqual([status.state, status.mode, status.waiters], ['unknown', null, []]);
  assert.deepEqual([status.record.pid, status.holders[0].source], [process.pid, 'record']);
  const probed = await peer.ask('inspect', { path, options: { probe: true } });
  assert.deepEqual([probed.state, probed.mode], ['held', 'exclusive']);
  lock.releaseSync();
  assert.deepEqual(Object.keys(JSON.parse(readFileSync(path, 'utf8'))), ['holdfast']);
  assert.equal((await inspect(path, { probe: true })).state, 'free');
  await peer.kill();
});

test('a pid record is the pid and a newline, and nothing after the release', async () => {
  const path = freshPath();
  const lock = await FileLock.acquire(path, { record: 'pid' });
  assert.equal(readFileSync(path, 'utf8'), `${process.pid}\n`);
  lock.releaseSync();
  assert.equal(statSync(path).size, 0);
});

test("somebody's file is locked and not touched", async () => {
  const path = freshPath('package.json');
  mkdirSync(dirname(path));
  writeFileSync(path, '{"name":"x"}');
  const lock = await FileLock.acquire(path);
  assert.equal(FileLock.tryAcquire(path), null);
  assert.equal(readFileSync(path, 'utf8'), '{"name":"x"}');
  lock.releaseSync();
  assert.equal(readFileSync(path, 'utf8'), '{"name":"x"}');
  const error = await errorOf(FileLock.acquire(path, { record: 'json' }));
  assert.equal(error.code, 'ERR_LOCK_STATE');
});

test('tokens grow from hold to hold, in whatever process', async () => {
  const path = freshPath();
  const peer = await startPeer();
  let last = 0;
  for (let round = 0; round < 5; round++) {
    const theirs = await peer.ask('acquire', { path });
    assert.ok(theirs.token > last);
    await peer.ask('release', theirs);
    const ours = await fileLocker().acquire(path);
    assert.ok(ours.token > theirs.token);
    last = ours.token;
    await ours.release();
  }
  await peer.kill();
});

test('a lock file may be renamed while it is held, and then it is not current', async () => {
  const path = freshPath();
  const lock = await FileLock.acquire(path);
  assert.equal(lock.isCurrent(), true);
  renameSync(path, `${path}.old`);
  assert.equal(lock.isCurrent(), false);
  const other = await FileLock.acquire(path, { timeout: 0 });
  assert.equal((await errorOf(() => lock.update({}))).code, 'ERR_LOCK_LOST');
  other.releaseSync();
  lock.releaseSync();
});

test('keepFile: false never harms the next holder, gone or not', async () => {
  const path = freshPath();
  const peer = await startPeer();
  for (let round = 0; round < 5; round++) {
    const lock = await FileLock.acquire(path, { keepFile: false });
    const theirs = peer.ask('acquire', { path, options: { keepFile: false, timeout: 10_000 } });
    lock.releaseSync();
    await peer.ask('release', await theirs);
  }
  FileLock.acquireSync(path).releaseSync();
  await peer.kill();
});

test('paths: file URLs, long ones, devices, folders', async () => {
  const path = freshPath();
  const lock = await FileLock.acquire(onWindows ? path.replaceAll('\\', '/') : path);
  assert.equal(lock.path, path);
  assert.equal(FileLock.tryAcquire(pathToFileURL(path)), null);
  lock.releaseSync();
  const folders = ['a'.repeat(100), 'b'.repeat(100)];
  const long = join(dirname(path), ...folders, `${'c'.repeat(100)}.lock`);
  const far = await FileLock.acquire(long);
  assert.equal(FileLock.tryAcquire(long), null);
  far.releaseSync();
  const device = await errorOf(FileLock.acquire(onWindows ? '\\\\.\\NUL' : '/dev/null'));
  assert.equal(device.code, 'ERR_LOCK_UNSUPPORTED');
  if (onWindows) {
    const error = await errorOf(FileLock.acquire(dirname(path)));
    assert.equal(error.code, 'ERR_LOCK_UNSUPPORTED');
  } else {
    const folder = await FileLock.acquire(dirname(path));
    assert.equal(FileLock.tryAcquire(dirname(path)), null);
    folder.releaseSync();
  }
});

test('locks and waits of a worker end with it', async () => {
  const path = freshPath();
  const module = JSON.stringify(new URL('../../../dist/index.js', import.meta.url).href);
  const code = `
    import(${module}).then(async ({ FileLock }) => {
      await FileLock.acquire(${JSON.stringify(path)});
      FileLock.acquire(${JSON.stringify(path)});
      require('node:worker_threads').parentPort.postMessage('held');
    });`;
  for (let round = 0; round < 3; round++) {
    const worker = new Worker(code, { eval: true });
    await once(worker, 'message');
    assert.equal(FileLock.tryAcquire(path), null);
    await worker.terminate();
    const lock = await FileLock.acquire(path, { timeout: 10_000 });
    assert.equal(lock.previous, null);
    lock.releaseSync();
  }
});

test('what only Linux has is refused with ERR_LOCK_UNSUPPORTED', async () => {
  const path = freshPath();
  const lock = await FileLock.acquire(path);
  const error = await errorOf(() => FileLock.adopt(onWindows ? 3 : lock.fd, path));
  assert.deepEqual([error.code, error.cause.code], ['ERR_LOCK_UNSUPPORTED', 'ENOTSUP']);
  if (onWindows) assert.equal(lock.fd, -1);
  lock.detach();
  FileLock.acquireSync(path).releaseSync();
});

test('a child that was given the descriptor keeps the lock', { skip: onWindows }, async () => {
  const path = freshPath();
  const lock = await FileLock.acquire(path);
  const child = spawn('cat', { stdio: ['pipe', 'ignore', 'inherit', lock.fd] });
  lock.detach();
  assert.equal(FileLock.tryAcquire(path), null);
  child.stdin.end();
  await once(child, 'exit');
  FileLock.acquireSync(path).releaseSync();
});
