// What is built on the core, where it polls: see locks.mjs.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Claims } from '../../../dist/claims.js';
import { Election } from '../../../dist/election.js';
import { FileLock } from '../../../dist/index.js';
import { InstanceLock } from '../../../dist/instance.js';
import { errorOf, freshPath, onWindows, startPeer } from './support.mjs';

test('a second instance is told of the first', async () => {
  const path = freshPath();
  const peer = await startPeer();
  await peer.ask('instance', { path, options: { name: 'server', data: { port: 4000 } } });
  const error = await errorOf(InstanceLock.acquire(path, { name: 'server' }));
  assert.deepEqual([error.code, error.name], ['ERR_LOCK_HELD', 'AlreadyRunningError']);
  assert.deepEqual([error.holder.pid, error.holder.data], [peer.pid, { port: 4000 }]);
  await peer.kill();
  let stale = null;
  const next = await InstanceLock.acquire(path, {
    timeout: 10_000,
    onStale: (previous) => (stale = previous),
  });
  assert.equal(stale.pid, peer.pid);
  next.releaseSync();
});

test('force is refused, and nothing has been changed', async () => {
  const path = freshPath();
  const peer = await startPeer();
  await peer.ask('instance', { path });
  const steal = await errorOf(InstanceLock.acquire(path, { force: { how: 'steal' } }));
  assert.equal(steal.code, 'ERR_LOCK_UNSUPPORTED');
  const end = await errorOf(InstanceLock.acquire(path, { force: { how: 'terminate' } }));
  assert.equal(end.code, 'ERR_LOCK_FORCE');
  assert.equal(FileLock.tryAcquire(path), null);
  await peer.kill();
});

test('claims that overlap are refused in another process, others are not', async () => {
  const root = dirname(freshPath());
  mkdirSync(root);
  const folder = join(root, '.locks');
  const claims = new Claims(folder, { root });
  const peer = await startPeer();
  const ask = (agent, files, claim = {}) =>
    peer.ask('claim', { folder, agent, files, options: { root, claim } });
  const ours = await claims.claim({ agent: 'a', files: ['src/**'] });
  assert.equal((await ask('b', ['src/x.ts'])).conflict, 'ERR_CLAIM_CONFLICT');
  const theirs = await ask('b', ['docs/x.md']);
  assert.deepEqual(theirs.active, ['docs/x.md']);
  assert.equal(ours.covers(join(root, 'src', 'x.ts')), true);
  assert.equal(ours.covers(join(root, 'docs', 'x.ts')), false);
  await ours.renew();
  assert.equal(await peer.ask('releaseClaim', theirs), true);
  assert.equal(await ours.release(), true);
  await peer.kill();
});

test('a bound claim is free when its process is killed', async () => {
  const root = dirname(freshPath());
  mkdirSync(root);
  const folder = join(root, '.locks');
  const claims = new Claims(folder, { root });
  const peer = await startPeer();
  const options = { root, claim: { bind: true } };
  await peer.ask('claim', { folder, agent: 'b', files: ['x.ts'], options });
  await errorOf(claims.claim({ agent: 'a', files: ['x.ts'] }));
  await peer.kill();
  const ours = await claims.claim({ agent: 'a', files: ['x.ts'], bind: true });
  await ours.renew();
  assert.equal(await ours.release(), true);
});

test('one member leads, and when it is killed the next one does', async () => {
  const folder = dirname(freshPath());
  const peer = await startPeer();
  await peer.ask('join', { folder, member: 'first' });
  await peer.elected();
  const election = await Election.join(folder, { id: 'second' });
  assert.equal((await election.primary()).id, 'first');
  assert.deepEqual(
    (await election.members()).map(({ id }) => id),
    ['first', 'second'],
  );
  assert.equal(election.isPrimary, false);
  await peer.kill();
  await election.whenPrimary();
  assert.ok(election.term > peer.primary[0].term);
  assert.deepEqual(
    (await election.members()).map(({ id }) => id),
    ['second'],
  );
  await election.leave();
});

test('the command: run, status, and the exit code of a refusal', async () => {
  const path = freshPath();
  mkdirSync(dirname(path));
  const command = fileURLToPath(new URL('../../../dist/cli/holdfast.js', import.meta.url));
  const output = join(dirname(path), 'output.txt');
  const holdfast = (...words) => {
    const fd = openSync(output, 'w');
    const { status } = spawnSync(process.execPath, [command, ...words], {
      stdio: ['ignore', fd, fd],
    });
    closeSync(fd);
    return { status, text: readFileSync(output, 'utf8') };
  };
  const seven = [process.execPath, '-e', 'process.exit(7)'];
  const free = holdfast('run', path, ...seven);
  assert.equal(free.status, 7, free.text);
  const lock = await FileLock.acquire(path);
  const refused = holdfast('run', '-n', path, ...seven);
  const status = holdfast('status', path);
  lock.releaseSync();
  assert.equal(refused.status, 75, refused.text);
  assert.match(refused.text, new RegExp(`pid ${process.pid}`));
  assert.match(status.text, /unknown/);
  const inPlace = holdfast('run', '--no-fork', path, ...seven);
  assert.equal(inPlace.status, onWindows ? 69 : 7, inPlace.text);
  assert.ok(existsSync(path));
});
