import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { lockPath } from '../support/folder.js';
import { Peer } from '../support/peer.js';
import { Program } from '../support/program.js';

describe('the end of a holder', () => {
  test.each([
    ['process.exit()', 'exit', { code: 7, signal: null }, true],
    ['an uncaught exception', 'throwUncaught', { code: 1, signal: null }, true],
    ['SIGTERM', 'SIGTERM', { code: null, signal: 'SIGTERM' }, false],
    ['SIGKILL', 'SIGKILL', { code: null, signal: 'SIGKILL' }, false],
  ] as const)('%s releases', async (_, way, end, orderly) => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    if (way === 'SIGKILL' || way === 'SIGTERM') await peer.kill(way);
    else peer.call(way, 7).catch(() => {});
    expect(await peer.exited).toEqual(end);
    const lock = FileLock.tryAcquire(path);
    expect(lock).toMatchObject({
      held: true,
      previous: orderly ? null : { pid: peer.pid, running: false },
    });
    lock?.releaseSync();
  });

  test('releases while a child that it started lives on', async () => {
    const path = lockPath();
    const holder = Program.module(
      `
      import { spawn } from 'node:child_process';
      const lock = await FileLock.acquire(args[0]);
      const child = spawn('sleep', ['30'], { stdio: 'ignore' });
      child.once('spawn', () => say('child ' + child.pid + ' runs'));`,
      [path],
    );
    await holder.says('runs');
    const child = Number(/child (\d+)/.exec(holder.stdout)?.[1]);
    await holder.kill();
    using lock = FileLock.acquireSync(path);
    expect(lock.held).toBe(true);
    // Empty for a zombie.
    expect(readFileSync(`/proc/${child}/cmdline`, 'utf8')).toContain('sleep');
  });
});

describe('a holder keeps its lock', () => {
  test('over the start and the end of children', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    using lock = FileLock.acquireSync(path);
    const descriptors = execFileSync('ls', ['-l', '/proc/self/fd'], { encoding: 'utf8' });
    expect(descriptors).not.toContain(path);
    execFileSync('true', { stdio: ['ignore', 'ignore', 'ignore', lock.fd] });
    expect(await peer.tryAcquire('a', path)).toBeNull();
  });

  test('when another descriptor of the file is closed', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    using lock = FileLock.acquireSync(path);
    closeSync(openSync(path, 'r+'));
    readFileSync(path);
    expect(lock.held).toBe(true);
    expect(await peer.tryAcquire('a', path)).toBeNull();
  });

  test('while it is stopped', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    peer.process.kill('SIGSTOP');
    expect(FileLock.tryAcquire(path)).toBeNull();
    await expect(FileLock.acquire(path, { timeout: 50 })).rejects.toMatchObject({
      code: 'ERR_LOCK_TIMEOUT',
      holder: { pid: peer.pid },
    });
  });

  test('while its event loop is busy for two seconds', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    let done = false;
    const busy = peer.call('busy', 2000).then(() => {
      done = true;
    });
    await expect(FileLock.acquire(path, { timeout: 1000 })).rejects.toMatchObject({
      code: 'ERR_LOCK_TIMEOUT',
    });
    expect(FileLock.tryAcquire(path)).toBeNull();
    expect(done).toBe(false);
    await busy;
  });
});
