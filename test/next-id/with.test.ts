import { linkSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { FileLock, isLockError, type Locker } from '../../src/index.js';
import { withNextId } from '../../src/next-id.js';
import { memoryLocker } from '../../src/testing.js';
import { descriptorsTo } from '../support/census.js';
import { testFolder } from '../support/folder.js';
import { LOCK, next } from '../support/next-id.js';
import { counterIn, nextIdProgram, tell } from '../support/next-id-program.js';
import type { Program } from '../support/program.js';
import { errorOf } from '../support/refused.js';
import { isFree } from '../support/several.js';

/** Folders `a`, `b` and `c` in one, with these entries. */
function folders(entries: { a?: string[]; b?: string[]; c?: string[] } = {}): {
  base: string;
  a: string;
  b: string;
  c: string;
} {
  const base = testFolder();
  for (const each of ['a', 'b', 'c'] as const) {
    mkdirSync(join(base, each));
    for (const name of entries[each] ?? []) writeFileSync(join(base, each, name), '');
  }
  return { base, a: join(base, 'a'), b: join(base, 'b'), c: join(base, 'c') };
}

const holds = (folder: string): boolean => !isFree(join(folder, LOCK));

describe('several directories', () => {
  test('all ids count, and the new one is counted in each', async () => {
    const { a, b, c } = folders({ a: ['0001-x'], b: ['0001-x', '0004-y'], c: ['0002-z'] });
    const given = await withNextId(a, { with: [b, c] }, () => {});
    expect(given).toMatchObject({ id: 5, text: '0005' });
    expect([a, b, c].map((folder) => counterIn(folder))).toEqual(['5\n', '5\n', '5\n']);
    expect(await next(c)).toBe(6);
    expect(await next(b, { with: [c] })).toBe(7);
  });

  test('all counters count', async () => {
    const { a, b } = folders();
    writeFileSync(join(b, `${LOCK}.last`), '40\n');
    expect(await next(a, { with: [b] })).toBe(41);
  });

  test('with reuse, the smallest that none of them has; no counter is lowered', async () => {
    const { a, b } = folders({ a: ['1'], b: ['2'] });
    writeFileSync(join(b, `${LOCK}.last`), '40\n');
    expect(await next(a, { with: [b], reuse: true })).toBe(3);
    expect([counterIn(a), counterIn(b)]).toEqual(['3\n', '40\n']);
  });

  test('are locked while it creates, each, and none afterwards', async () => {
    const { base, a, b, c } = folders();
    const all = [a, b, c];
    const { value } = await withNextId(b, { with: [c, a] }, (_, { fd, fds }) => {
      expect(all.map(holds)).toEqual([true, true, true]);
      return { fd, fds };
    });
    expect(value.fds).toHaveLength(3);
    expect(value.fds).toContain(value.fd);
    expect(all.map(holds)).toEqual([false, false, false]);
    expect(descriptorsTo(base)).toBe(0);
  });

  const link = (a: string, base: string): string[] => {
    symlinkSync(a, join(base, 'link'));
    return [join(base, 'link')];
  };
  test.each<[string, (a: string, base: string) => (string | Buffer | URL)[]]>([
    ['the directory itself', (a) => [a]],
    ['by a link', link],
    ['by a longer path', (a) => [join(a, '..', 'a', '.')]],
    ['as a URL and as bytes', (a) => [pathToFileURL(a), Buffer.from(a)]],
  ])('the same folder twice is one: %s', async (_, others) => {
    const { base, a, b } = folders({ a: ['3'] });
    expect(await next(a, { with: [...others(a, base), b], timeout: 0 })).toBe(4);
    expect([counterIn(a), counterIn(b)]).toEqual(['4\n', '4\n']);
  });

  test('two whose lock files are one file: ERR_LOCK_STATE at once, and both are free', async () => {
    const { a, b } = folders();
    await next(a);
    linkSync(join(a, LOCK), join(b, LOCK));
    expect(await errorOf(() => next(a, { with: [b] }))).toMatchObject({
      code: 'ERR_LOCK_STATE',
      path: join(b, LOCK),
    });
    expect([a, b].map(holds)).toEqual([false, false]);
  });

  test('names are judged together', async () => {
    const { a, b } = folders({ a: ['0001-x'], b: ['notes-2024'] });
    expect(await errorOf(() => next(a, { with: [b] }))).toMatchObject({
      code: 'ERR_ID_AMBIGUOUS',
      names: ['0001-x', 'notes-2024'],
    });
  });

  test('scan tells the ids of all', async () => {
    const { a, b } = folders({ b: ['9'] });
    expect(await next(a, { with: [b], scan: () => [3] })).toBe(4);
    expect(counterIn(b)).toBe('4\n');
  });

  test('one that is missing is an error, and is not created', async () => {
    const { base, a } = folders();
    const missing = join(base, 'missing');
    expect(await errorOf(() => next(a, { with: [missing] }))).toMatchObject({ code: 'ENOENT' });
    expect(readdirSync(base).sort()).toEqual(['a', 'b', 'c']);
    expect(readdirSync(a)).toEqual([]);
  });

  test('one whose counter is something else: refused, and nothing is counted', async () => {
    const { a, b } = folders();
    const path = join(b, `${LOCK}.last`);
    writeFileSync(path, 'notes\n');
    expect(await errorOf(() => next(a, { with: [b] }))).toMatchObject({
      code: 'ERR_ID_COUNTER',
      path,
    });
    expect(counterIn(a)).toBe(null);
    expect([a, b].map(holds)).toEqual([false, false]);
  });

  test('create that fails after an entry appeared in one of them: counted in each', async () => {
    const { a, b } = folders();
    const failure = new Error('from create');
    const create = (id: number): void => {
      mkdirSync(join(b, `task-${id}`));
      throw failure;
    };
    expect(await errorOf(() => withNextId(a, { with: [b] }, create))).toBe(failure);
    expect([counterIn(a), counterIn(b)]).toEqual(['1\n', '1\n']);
  });

  test('a lock file that was replaced is noticed, whichever it is', async () => {
    const { a, b } = folders();
    const call = withNextId(a, { with: [b] }, () => rmSync(join(b, LOCK)));
    expect(await errorOf(() => call)).toMatchObject({
      code: 'ERR_LOCK_LOST',
      path: join(b, LOCK),
    });
    expect([counterIn(a), counterIn(b)]).toEqual([null, null]);
  });
});

describe('the locks of several directories', () => {
  /** What a locker is asked for, and what it does then. */
  function listening(before: (path: string, timeout: number) => Promise<void> | void): Locker {
    const inner = memoryLocker();
    return {
      async acquire(path, options) {
        await before(path, options?.timeout ?? Number.NaN);
        return inner.acquire(path, options);
      },
    };
  }

  test('are taken in the same order, however they are named', async () => {
    const { a, b, c } = folders();
    const orders: string[][] = [];
    for (const [first = '', ...rest] of [
      [a, b, c],
      [c, b, a],
      [b, c, a],
    ]) {
      const order: string[] = [];
      await next(first, { with: rest, locker: listening((path) => void order.push(path)) });
      orders.push(order);
    }
    const sorted = [a, b, c].map((folder) => join(folder, LOCK));
    expect(orders).toEqual([sorted, sorted, sorted]);
  });

  test('share one timeout; 0 does not wait for any of them', async () => {
    const { a, b } = folders();
    const timeouts: number[] = [];
    vi.useFakeTimers({ toFake: ['hrtime'] });
    onTestFinished(() => void vi.useRealTimers());
    const locker = listening((_, timeout) => {
      timeouts.push(timeout);
      vi.advanceTimersByTime(20);
    });
    await next(a, { with: [b], timeout: 10_000, locker });
    expect(timeouts).toEqual([10_000, 9980]);
    timeouts.length = 0;
    await next(a, { with: [b], timeout: 0, locker });
    await next(a, { with: [b], timeout: Number.POSITIVE_INFINITY, locker });
    expect(timeouts).toEqual([0, 0, Infinity, Infinity]);
  });

  test.each([
    [0, 'ERR_LOCK_HELD', undefined],
    [40, 'ERR_LOCK_TIMEOUT', 40],
  ])(
    'a later one that is held, after %i ms: %s, and the others are free',
    async (timeout, code, told) => {
      const { a, b } = folders();
      const lock = await FileLock.acquire(join(b, LOCK));
      const error = await errorOf(() => next(a, { with: [b], timeout }));
      expect(error).toMatchObject({ code, path: join(b, LOCK), holder: { pid: process.pid } });
      if (isLockError(error, 'ERR_LOCK_TIMEOUT')) expect(error.timeout).toBe(told);
      expect(holds(a)).toBe(false);
      await lock.release();
      expect(await next(a, { with: [b] })).toBe(1);
    },
  );

  test('a wait for a later one that is aborted: the reason, and the others are free', async () => {
    const { a, b } = folders();
    const reason = { why: 'any value' };
    const controller = new AbortController();
    const locker = memoryLocker();
    const held = await locker.acquire(join(b, LOCK));
    const noticing: Locker = {
      acquire: (path, options) =>
        locker.acquire(path, { ...options, onWait: () => controller.abort(reason) }),
    };
    const options = { with: [b], locker: noticing, signal: controller.signal };
    expect(await errorOf(() => next(a, options))).toBe(reason);
    await held.release();
    expect(await next(a, { with: [b], locker, timeout: 0 })).toBe(1);
  });
});

async function idOf(program: Program): Promise<number> {
  const { code, stdout, stderr } = await program.end();
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return Number(/^id (\d+)$/m.exec(stdout)?.[1]);
}

describe('processes that name them in other orders', () => {
  // Each makes its entry in the folder that it names first, ten times.
  const CREATOR = `
    const [first, ...rest] = words;
    say('up');
    await line();
    const ids = [];
    for (let each = 0; each < 10; each++) {
      const { id } = await withNextId(first, { with: rest }, (id) =>
        mkdirSync(first + '/task-' + id));
      ids.push(id);
    }
    say('ids ' + ids.join());`;

  test('never wait for each other, and share the numbers', async () => {
    const { base, a, b, c } = folders();
    const orders = [
      [a, b, c],
      [c, b, a],
      [b, a],
      [a, b],
      [c, a],
      [b, c, a],
    ];
    const programs = orders.map((order) => nextIdProgram(base, CREATOR, {}, order));
    for (const program of programs) await program.says('up\n');
    for (const program of programs) tell(program);
    const ends = await Promise.all(programs.map((program) => program.end()));
    expect(ends.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
      ends.map(() => ({ code: 0, stderr: '' })),
    );
    // Those that have a folder in common have no id in common.
    const given = ends.map(({ stdout }) => (/^ids (.*)$/m.exec(stdout)?.[1] ?? '').split(','));
    for (const [at, order] of orders.entries()) {
      expect(new Set(given[at]).size).toBe(10);
      for (const [other, names] of orders.entries()) {
        if (other === at || !names.some((name) => order.includes(name))) continue;
        expect(given[at]?.filter((id) => given[other]?.includes(id))).toEqual([]);
      }
    }
    expect([a, b, c].flatMap((folder) => readdirSync(folder)).filter(isEntry)).toHaveLength(60);
  });

  const isEntry = (name: string): boolean => name.startsWith('task-');

  test('one that is killed frees them all', async () => {
    const { base, a, b } = folders();
    const program = nextIdProgram(
      base,
      `await withNextId(words[0], { with: words.slice(1) }, (id) => {
        say('create ' + id);
        return line();
      });`,
      {},
      [b, a],
    );
    await program.says('create 1\n');
    expect([a, b].map(holds)).toEqual([true, true]);
    await program.kill();
    expect(await next(a, { with: [b] })).toBe(1);
    expect(await idOf(nextIdProgram(b, `say('id ' + (await withNextId(dir, make)).id)`))).toBe(2);
    expect(counterIn(b)).toBe('2\n');
  });
});
