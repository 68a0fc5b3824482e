import { chmodSync, chownSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect } from 'vitest';
import { FileLock } from '../../src/index.js';
import { InstanceLock } from '../../src/instance.js';
import { lockPath } from '../support/folder.js';
import { Peer } from '../support/peer.js';
import { errorOf } from '../support/refused.js';
import { needs } from '../support/tools.js';

const NOBODY = 65534;
const data = { url: 'http://localhost/?secret' };
const refusal = { code: 'ERR_LOCK_STATE', message: expect.stringContaining(`${NOBODY}`) };

/** As in /tmp, a file that another user has made for all to write. */
function foreign(): string {
  const path = lockPath();
  chmodSync(dirname(path), 0o1777);
  writeFileSync(path, '');
  chmodSync(path, 0o666);
  chownSync(path, NOBODY, NOBODY);
  return path;
}

describe('in a file of another user', () => {
  needs('root')('no data is written, the lock is given back, and the error says why', async () => {
    for (const call of [
      (path: string) => FileLock.acquire(path, { data }),
      (path: string) => FileLock.acquireSync(path, { data, keepFile: false }),
      (path: string) => FileLock.tryAcquire(path, { data, permissions: 0o640 }),
      (path: string) => InstanceLock.acquire(path, { data, keepFile: true }),
      (path: string) => InstanceLock.acquireSync(path, { data, keepFile: true }),
    ]) {
      const path = foreign();
      expect(await errorOf(() => call(path))).toMatchObject({ ...refusal, path });
      const free = FileLock.tryAcquire(path, { record: false });
      expect(free?.held).toBe(true);
      expect(readFileSync(path, 'utf8')).toBe('');
      free?.releaseSync();
    }
  });

  needs('root')('the record without data is written, and update adds none', async () => {
    const path = foreign();
    const lock = FileLock.acquireSync(path, { record: 'json' });
    const record = readFileSync(path, 'utf8');
    expect(JSON.parse(record)).toMatchObject({ pid: process.pid });
    expect(await errorOf(() => lock.update(data))).toMatchObject(refusal);
    expect(lock.held).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe(record);
    lock.releaseSync();
    using pid = FileLock.acquireSync(path, { record: 'pid', data });
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`);
    expect(pid.held).toBe(true);
  });

  needs('root')('an upgrade writes none', async () => {
    const path = foreign();
    const shared = FileLock.acquireSync(path, { mode: 'shared', data });
    expect(await errorOf(() => shared.tryUpgrade())).toMatchObject(refusal);
    expect(shared.held).toBe(false);
    expect(readFileSync(path, 'utf8')).toBe('');
  });

  needs('root')('data that anybody may read is written', () => {
    const path = foreign();
    using lock = FileLock.acquireSync(path, { data, permissions: 0o644 });
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject(data);
    lock.update({ url: 'http://other' });
  });

  needs('root')('of root, a user writes data, and in his own', async () => {
    const path = lockPath();
    chmodSync(dirname(path), 0o1777);
    writeFileSync(path, '');
    chmodSync(path, 0o666);
    const peer = await Peer.start({ uid: NOBODY, gid: NOBODY });
    await peer.acquire('of root', path, { data });
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject(data);
    await peer.acquire('own', `${path}.own`, { data });
    await peer.release('own');
    await peer.acquire('again', `${path}.own`, { data });
    expect(JSON.parse(readFileSync(`${path}.own`, 'utf8'))).toMatchObject(data);
    const other = await Peer.start({ uid: NOBODY - 1, gid: NOBODY - 1 });
    await peer.release('again');
    chmodSync(`${path}.own`, 0o666);
    await expect(other.acquire('a', `${path}.own`, { data })).rejects.toMatchObject(refusal);
  });
});

needs('root')('a refusal leaves the file as it was', () => {
  const path = lockPath();
  writeFileSync(path, '', { mode: 0o666 });
  chownSync(path, 65534, 65534);
  const options = { keepFile: false, data: { secret: 1 } };
  expect(() => FileLock.acquireSync(path, options)).toThrow(
    expect.objectContaining({ code: 'ERR_LOCK_STATE' }),
  );
  expect(readFileSync(path, 'utf8')).toBe('');
});
