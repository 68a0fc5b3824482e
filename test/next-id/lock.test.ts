import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Locker } from '../../src/index.js';
import { withNextId } from '../../src/next-id.js';
import { memoryLocker } from '../../src/testing.js';
import { testFolder } from '../support/folder.js';
import { creating, LOCK, next, nothing } from '../support/next-id.js';
import { counterIn, oneTo } from '../support/next-id-program.js';
import { errorOf } from '../support/refused.js';

describe('the lock', () => {
  test('has the name that was asked for, and so has the counter', async () => {
    const folder = testFolder();
    await next(folder, { lockName: '.wt-create.lock' });
    expect(readdirSync(folder).sort()).toEqual(['.wt-create.lock', '.wt-create.lock.last']);
  });

  test.each(['a'.repeat(249), 'a'.repeat(250), 'é'.repeat(125)])(
    'may have the longest name that is accepted (%#)',
    async (lockName) => {
      const folder = testFolder();
      expect([await next(folder, { lockName }), await next(folder, { lockName })]).toEqual([1, 2]);
    },
  );

  test('names do not exclude each other, and have counters of their own', async () => {
    const folder = testFolder();
    const { finish, done } = await creating(folder, { lockName: 'one' });
    expect(await next(folder, { lockName: 'other', timeout: 0 })).toBe(1);
    finish();
    await done;
    expect([counterIn(folder, 'one'), counterIn(folder, 'other')]).toEqual(['1\n', '1\n']);
  });

  test('a time that is up names the holder', async () => {
    const folder = testFolder();
    await creating(folder);
    const error = await errorOf(() => next(folder, { timeout: 30 }));
    expect(error).toMatchObject({
      code: 'ERR_LOCK_TIMEOUT',
      path: join(folder, LOCK),
      holder: { pid: process.pid, self: true },
    });
  });

  test('timeout 0 does not wait, and names the holder', async () => {
    const folder = testFolder();
    await creating(folder);
    const error = await errorOf(() => next(folder, { timeout: 0 }));
    expect(error).toMatchObject({ code: 'ERR_LOCK_HELD', holder: { pid: process.pid } });
  });

  test('timeout Infinity waits', async () => {
    const folder = testFolder();
    const { finish } = await creating(folder);
    const second = next(folder, { timeout: Number.POSITIVE_INFINITY });
    finish();
    expect(await second).toBe(2);
  });

  test('its file removed while create runs: the id may have been given twice', async () => {
    const folder = testFolder();
    const first = await creating(folder);
    rmSync(join(folder, LOCK));
    expect(await next(folder)).toBe(first.id);
    first.finish();
    expect(await errorOf(() => first.done)).toMatchObject({
      code: 'ERR_LOCK_LOST',
      path: join(folder, LOCK),
    });
    expect(await next(folder)).toBe(2);
  });

  test('its folder removed while create runs is a lost lock as well', async () => {
    const folder = join(testFolder(), 'inner');
    const { finish, done } = await creating(folder);
    rmSync(folder, { recursive: true });
    finish();
    expect(await errorOf(() => done)).toMatchObject({ code: 'ERR_LOCK_LOST' });
    expect(existsSync(folder)).toBe(false);
  });

  test('lost or not, the error of create is the one that is passed on', async () => {
    const folder = testFolder();
    const failure = new Error('from create');
    const create = (): void => {
      rmSync(join(folder, LOCK));
      throw failure;
    };
    expect(await errorOf(() => withNextId(folder, create))).toBe(failure);
  });

  test('a file in its place that is not ours is left alone', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, LOCK), 'precious\n');
    await next(folder).catch(nothing);
    expect(readFileSync(join(folder, LOCK), 'utf8')).toContain('precious');
  });
});

describe('an injected locker', () => {
  test('gets the path, the timeout and the signal; the default is 30 seconds', async () => {
    const folder = testFolder();
    const calls: unknown[] = [];
    const memory = memoryLocker();
    const locker: Locker = {
      acquire(path, options) {
        calls.push([path, options]);
        return memory.acquire(path, options);
      },
    };
    const { signal } = new AbortController();
    await next(folder, { locker });
    await next(folder, { locker, lockName: 'x', timeout: 7, signal });
    expect(calls).toEqual([
      [join(folder, LOCK), { timeout: 30_000, signal: undefined }],
      [join(folder, 'x'), { timeout: 7, signal }],
    ]);
  });

  test('in memory: no lock file, no descriptor, the same exclusion', async () => {
    const folder = testFolder();
    const locker = memoryLocker();
    const { value } = await withNextId(folder, { locker }, (_, context) => context);
    expect(value).not.toHaveProperty('fd');
    expect(readdirSync(folder)).toEqual([`${LOCK}.last`]);
    const ids = await Promise.all(oneTo(20).map(() => next(folder, { locker })));
    expect(ids).toEqual(oneTo(20).map((id) => id + 1));
  });

  test('in memory: a holder that crashes has used up no id', async () => {
    const folder = testFolder();
    const locker = memoryLocker();
    const { id } = await creating(folder, { locker });
    const second = next(folder, { locker });
    expect(locker.crash(join(folder, LOCK))).toBe(true);
    expect(await second).toBe(id);
  });

  test('in memory: the times that are up have the same errors', async () => {
    const folder = testFolder();
    const locker = memoryLocker();
    await creating(folder, { locker });
    const holder = { pid: process.pid };
    for (const [timeout, code] of [
      [0, 'ERR_LOCK_HELD'],
      [20, 'ERR_LOCK_TIMEOUT'],
    ] as const) {
      expect(await errorOf(() => next(folder, { locker, timeout }))).toMatchObject({
        code,
        holder,
      });
    }
  });

  test('that fails: its error comes through, nothing is created', async () => {
    const failure = new Error('from the locker');
    const locker: Locker = { acquire: () => Promise.reject(failure) };
    expect(await errorOf(() => next(testFolder(), { locker }))).toBe(failure);
  });

  test('create has the locked descriptor of a file lock', async () => {
    const folder = testFolder();
    const { value } = await withNextId(folder, (_, { fd }) => {
      expect(statSync(`/proc/self/fd/${fd}`).ino).toBe(statSync(join(folder, LOCK)).ino);
      return fd;
    });
    expect(value).toBeGreaterThan(2);
  });
});
