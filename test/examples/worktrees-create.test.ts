// @module-tag long
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Locker } from '../../src/index.js';
import { memoryLocker } from '../../src/testing.js';
import { testFolder } from '../support/folder.js';
import { oneTo } from '../support/next-id-program.js';
import { example, LOCK, names, type Trees } from '../support/next-id-worktrees.js';
import { Peer } from '../support/peer.js';
import { errorOf } from '../support/refused.js';

/** Worktrees that are nothing but folders. */
function folders(change: Partial<Trees> = {}): Trees {
  return {
    base: join(testFolder(), 'base'),
    add: (path) => mkdir(path),
    discard: (path) => rm(path, { recursive: true, force: true }),
    ...change,
  };
}

describe('its create, with a fake lock', () => {
  test('gives ids one after the other, without a lock file', async () => {
    const { create, list } = await example();
    const trees = folders();
    const locker = memoryLocker();
    const made = await Promise.all(names.map((name) => create(trees, name, { locker })));
    expect(made.map(({ id }) => id)).toEqual(oneTo(30));
    expect(await list(trees)).toEqual(made.map(({ id, name }) => ({ id, name })));
    expect(existsSync(join(trees.base, LOCK))).toBe(false);
  });

  test('asks for .wt-create.lock in the base directory, for 30 seconds', async () => {
    const { create } = await example();
    const trees = folders();
    const asked: unknown[] = [];
    const memory = memoryLocker();
    const locker: Locker = {
      acquire(path, options) {
        asked.push([path, options?.timeout]);
        return memory.acquire(path, options);
      },
    };
    await create(trees, 'one', { locker });
    expect(asked).toEqual([[join(trees.base, LOCK), 30_000]]);
  });

  test('when the time is up nothing is created, and no id is used up', async () => {
    const { create, list } = await example();
    const trees = folders();
    const locker = memoryLocker();
    const held = await locker.acquire(join(trees.base, LOCK));
    const error = await errorOf(() => create(trees, 'one', { locker, timeout: 20 }));
    expect(error).toMatchObject({ code: 'ERR_LOCK_TIMEOUT', holder: { pid: process.pid } });
    expect(await list(trees)).toEqual([]);
    await held.release();
    expect(await create(trees, 'one', { locker })).toMatchObject({ id: 1 });
  });

  test('the name of one that crashes half-way is created again', async () => {
    const { create, list } = await example();
    const locker = memoryLocker();
    let stop = (): void => {};
    const stuck = new Promise<void>((resolve) => {
      stop = resolve;
    });
    const trees = folders({
      add: async (path) => {
        await mkdir(path);
        stop();
        // Never resolves: it is dead.
        return new Promise(() => {});
      },
    });
    void create(trees, 'one', { locker });
    await stuck;
    expect(await list(trees)).toEqual([{ id: null, name: 'one' }]);
    expect(locker.crash(join(trees.base, LOCK))).toBe(true);
    const alive = { ...folders(), base: trees.base };
    expect(await create(alive, 'two', { locker })).toMatchObject({ id: 1 });
    expect(await create(alive, 'one', { locker })).toMatchObject({ id: 2 });
    expect(await list(trees)).toEqual([
      { id: 1, name: 'two' },
      { id: 2, name: 'one' },
    ]);
  });

  test('what add throws comes through, and its id is the next one’s', async () => {
    const { create } = await example();
    const failure = new Error('from git');
    const trees = folders({ add: () => Promise.reject(failure) });
    const locker = memoryLocker();
    expect(await errorOf(() => create(trees, 'one', { locker }))).toBe(failure);
    expect(readdirSync(join(trees.base, '.wt'))).toEqual([]);
    const good = { ...folders(), base: trees.base };
    expect(await create(good, 'two', { locker })).toMatchObject({ id: 1 });
  });

  test('where a record cannot be read, no id is given', async () => {
    const { create } = await example();
    const trees = folders();
    const locker = memoryLocker();
    await create(trees, 'one', { locker });
    const record = join(trees.base, '.wt', 'one.json');
    writeFileSync(record, '{"id":');
    const error = await errorOf(() => create(trees, 'two', { locker }));
    expect(error).toMatchObject({ message: expect.stringContaining(record) });
    expect(existsSync(join(trees.base, 'two'))).toBe(false);
  });

  test('a time that is up names the process that holds the real lock', async () => {
    const { create } = await example();
    const trees = folders();
    mkdirSync(trees.base);
    const peer = await Peer.start();
    await peer.acquire('lock', join(trees.base, LOCK));
    const error = await errorOf(() => create(trees, 'one', { timeout: 30 }));
    expect(error).toMatchObject({ code: 'ERR_LOCK_TIMEOUT', holder: { pid: peer.pid } });
    expect((error as Error).message).toContain(`pid ${peer.pid} `);
  });
});
