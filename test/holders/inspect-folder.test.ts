import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileLock, inspectFolder, type LockStatus } from '../../src/index.js';
import { lockPath, testFolder } from '../support/folder.js';
import { Peer } from '../support/peer.js';
import { Program } from '../support/program.js';

describe('inspectFolder', () => {
  const namesOf = async (folder: string): Promise<string[]> => {
    const names: string[] = [];
    for await (const { path } of inspectFolder(folder)) names.push(basename(path));
    return names;
  };

  test('picks what is locked, has a record, or is named like a lock; by name', async () => {
    const folder = testFolder();
    const at = (name: string): string => join(folder, name);
    for (const name of ['b.lock', 'a.pid', 'c.lck', 'd.txt', 'lock', 'package.json']) {
      writeFileSync(at(name), name === 'package.json' ? '{}' : '');
    }
    FileLock.acquireSync(at('released.dat')).releaseSync();
    mkdirSync(at('folder.lock'));
    symlinkSync(at('b.lock'), at('link.lock'));
    await Program.start('mkfifo', [at('pipe.lock')]).exited;
    using _data = FileLock.acquireSync(at('package.json'));
    using _shared = FileLock.acquireSync(at('z'), { mode: 'shared' });
    const statuses: LockStatus[] = [];
    for await (const status of inspectFolder(folder)) statuses.push(status);
    expect(statuses.map(({ path, state }) => [basename(path), state])).toEqual([
      ['a.pid', 'free'],
      ['b.lock', 'free'],
      ['c.lck', 'free'],
      ['package.json', 'held'],
      ['released.dat', 'free'],
      ['z', 'held'],
    ]);
    expect(statuses[3]?.holders).toMatchObject([{ self: true }]);
  });

  test('of nothing is nothing, and what is not a folder is the system’s error', async () => {
    const path = lockPath('file');
    expect(await namesOf(dirname(path))).toEqual([]);
    await expect(namesOf(path)).rejects.toMatchObject({ code: 'ENOENT' });
    writeFileSync(path, '');
    await expect(namesOf(path)).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  test('held up by its reader, names nobody who has let go', async () => {
    const folder = testFolder();
    const [a, b] = [join(folder, 'a.lock'), join(folder, 'b.lock')];
    FileLock.acquireSync(a).releaseSync();
    const [first, second] = await Promise.all([Peer.start(), Peer.start()]);
    await first.acquire('b', b);
    const statuses = inspectFolder(folder);
    expect((await statuses.next()).value?.path).toBe(a);
    await first.release('b');
    await second.acquire('b', b);
    const status = (await statuses.next()).value;
    expect(status?.holders.map(({ pid }) => pid)).toEqual([second.pid]);
  });
});
