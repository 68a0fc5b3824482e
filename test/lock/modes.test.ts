import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { descriptorsTo } from '../support/census.js';
import { lockPath, testFolder } from '../support/folder.js';
import { Peer } from '../support/peer.js';

describe('downgrade', () => {
  test('lets shared holders in and keeps exclusive ones out', async () => {
    const path = lockPath();
    const [reader, writer] = await Promise.all([Peer.start(), Peer.start()]);
    using lock = FileLock.acquireSync(path);
    const { granted } = await writer.waitFor('w', path);
    let exclusive = false;
    granted.then(() => {
      exclusive = true;
    });
    lock.downgrade();
    expect(lock.mode).toBe('shared');
    expect(lock.held).toBe(true);
    expect(await reader.acquire('r', path, { mode: 'shared', timeout: 5000 })).toMatchObject({
      mode: 'shared',
    });
    expect(await reader.tryAcquire('x', path)).toBeNull();
    expect(exclusive).toBe(false);
    await reader.release('r');
    lock.releaseSync();
    expect(await granted).toMatchObject({ mode: 'exclusive', previous: null });
  });

  test('takes its pid out of the record and leaves the token', () => {
    const path = lockPath();
    using lock = FileLock.acquireSync(path, { data: { task: 'deploy' } });
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pid: process.pid });
    lock.downgrade();
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ holdfast: { token: lock.token } });
    expect(() => lock.update({ task: 'other' })).toThrow(
      expect.objectContaining({ code: 'ERR_LOCK_STATE' }),
    );
  });

  test('of a shared lock does nothing, of a released one is an error', () => {
    const path = lockPath();
    const lock = FileLock.acquireSync(path, { mode: 'shared' });
    lock.downgrade();
    expect(lock.mode).toBe('shared');
    lock.releaseSync();
    expect(() => lock.downgrade()).toThrow(
      expect.objectContaining({ code: 'ERR_LOCK_STATE', path }),
    );
  });
});

describe('tryUpgrade', () => {
  test('of a lock on a folder raises the token and writes nothing', async () => {
    const path = testFolder();
    const peer = await Peer.start();
    using lock = FileLock.acquireSync(path, { mode: 'shared' });
    expect(lock.tryUpgrade()).toBe(true);
    expect(lock).toMatchObject({ held: true, mode: 'exclusive' });
    expect(lock.token).toBeGreaterThan(0);
    expect(await peer.tryAcquire('a', path)).toBeNull();
  });

  test('of the only shared holder succeeds, raises the token and writes the record', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    FileLock.acquireSync(path).releaseSync();
    using lock = FileLock.acquireSync<{ task?: string }>(path, {
      mode: 'shared',
      data: { task: 'deploy' },
    });
    const { token } = lock;
    expect(lock.tryUpgrade()).toBe(true);
    expect(lock.mode).toBe('exclusive');
    expect(lock.token).toBeGreaterThan(token);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({
      pid: process.pid,
      task: 'deploy',
      holdfast: { token: lock.token },
    });
    expect(await peer.tryAcquire('a', path, { mode: 'shared' })).toBeNull();
    expect(lock.tryUpgrade()).toBe(true);
  });

  test('refused, the lock is lost and its descriptor closed', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path, { mode: 'shared' });
    const lock = FileLock.acquireSync(path, { mode: 'shared' });
    expect(lock.tryUpgrade()).toBe(false);
    expect(lock.held).toBe(false);
    expect(lock.fd).toBe(-1);
    expect(descriptorsTo(path)).toBe(0);
    // Alone by now, the other one may be exclusive.
    expect(await peer.call('tryUpgrade', 'a')).toBe(true);
    expect(() => lock.tryUpgrade()).toThrow(expect.objectContaining({ code: 'ERR_LOCK_STATE' }));
    lock.releaseSync();
    expect(FileLock.tryAcquire(path)).toBeNull();
  });

  test('of two at once, at most one succeeds', async () => {
    const path = lockPath();
    const peers = await Promise.all([Peer.start(), Peer.start()]);
    for (let round = 0; round < 20; round++) {
      await Promise.all(peers.map((peer) => peer.acquire('a', path, { mode: 'shared' })));
      const upgraded = await Promise.all(peers.map((peer) => peer.call('tryUpgrade', 'a')));
      expect(upgraded.filter((each) => each === true).length).toBeLessThanOrEqual(1);
      await Promise.all(peers.map((peer) => peer.release('a')));
    }
  });

  test('where the path leads to another file, the lock is lost', () => {
    const path = lockPath();
    const lock = FileLock.acquireSync(path, { mode: 'shared' });
    writeFileSync(`${path}.new`, '');
    renameSync(`${path}.new`, path);
    expect(lock.isCurrent()).toBe(false);
    expect(() => lock.tryUpgrade()).toThrow(
      expect.objectContaining({ code: 'ERR_LOCK_LOST', path }),
    );
    expect(lock.held).toBe(false);
    expect(readFileSync(path, 'utf8')).toBe('');
  });

  test('after a downgrade the record is written anew, with a larger token', () => {
    const path = lockPath();
    using lock = FileLock.acquireSync<{ port?: number }>(path, { data: { port: 1 } });
    lock.update({ port: 2 });
    const { token } = lock;
    lock.downgrade();
    expect(lock.tryUpgrade()).toBe(true);
    expect(lock.token).toBeGreaterThan(token);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pid: process.pid, port: 2 });
    lock.releaseSync();
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ holdfast: { token: lock.token } });
  });
});
