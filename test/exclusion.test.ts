import { describe, expect, test } from 'vitest';
import { FileLock } from '../src/index.js';
import { lockPath } from './support/folder.js';
import { Peer } from './support/peer.js';

describe('between processes', () => {
  test('an exclusive lock refuses another process and names its holder', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    expect(FileLock.tryAcquire(path)).toBeNull();
    await expect(FileLock.acquire(path, { timeout: 0 })).rejects.toMatchObject({
      code: 'ERR_LOCK_HELD',
      path,
      holder: { pid: peer.pid, self: false, verified: true, source: 'kernel' },
      cause: { code: 'EWOULDBLOCK', syscall: 'flock' },
    });
  });

  test('a waiter is granted the lock when the holder is killed', async () => {
    const path = lockPath();
    const [holder, waiter] = await Promise.all([Peer.start(), Peer.start()]);
    await holder.acquire('a', path);
    const { holder: named, granted } = await waiter.waitFor('b', path);
    expect(named?.pid).toBe(holder.pid);
    await holder.kill();
    expect(await granted).toMatchObject({
      held: true,
      previous: { pid: holder.pid, running: false },
    });
  });
});
