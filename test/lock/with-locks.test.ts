import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { sleepSync } from '../../src/base/timers.js';
import { FileLock, type WithLocksOptions, withLocks } from '../../src/index.js';
import { descriptorsTo } from '../support/census.js';
import { testFolder } from '../support/folder.js';
import { errorOf } from '../support/refused.js';
import { isFree, lockPaths as paths } from '../support/several.js';

describe('withLocks', () => {
  test('runs the body with all locks held, in the order of the paths, and releases', async () => {
    const [b, a, c] = paths('b', 'a', 'c') as [string, string, string];
    let seen: readonly FileLock[] = [];
    const result = await withLocks([b, a, c], async (locks) => {
      seen = locks;
      expect(locks.map(({ path }) => path)).toEqual([b, a, c]);
      expect(locks.map(({ held }) => held)).toEqual([true, true, true]);
      expect([a, b, c].map(isFree)).toEqual([false, false, false]);
      return 42;
    });
    expect(result).toBe(42);
    expect(seen.map(({ held }) => held)).toEqual([false, false, false]);
    expect([a, b, c].map(isFree)).toEqual([true, true, true]);
    expect(descriptorsTo(dirname(a))).toBe(0);
  });

  test('one path is a list of one', async () => {
    const [a] = paths('a') as [string];
    expect(await withLocks([a], ([lock]) => lock.path)).toBe(a);
  });

  test('a shared lock is shared by all', async () => {
    const [a, b] = paths('a', 'b') as [string, string];
    await withLocks([b, a], { mode: 'shared' }, async (locks) => {
      expect(locks.map(({ mode }) => mode)).toEqual(['shared', 'shared']);
      await withLocks([a, b], { mode: 'shared', timeout: 0 }, () => {});
      expect([a, b].map(isFree)).toEqual([false, false]);
    });
  });

  test('options apply to each: data, record, permissions, keepFile', async () => {
    const [a, b] = paths('a', 'b') as [string, string];
    await withLocks<{ url: string }>(
      [a, b],
      { data: { url: 'x' }, permissions: 0o640 },
      (locks) => {
        for (const path of [a, b]) {
          expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ url: 'x' });
          expect(statSync(path).mode & 0o777).toBe(0o640 & ~process.umask());
        }
        locks[0]?.update({ url: 'y' });
        expect(JSON.parse(readFileSync(b, 'utf8'))).toMatchObject({ url: 'x' });
      },
    );
    await withLocks([a, b], { keepFile: false }, () => {});
    expect([a, b].map(existsSync)).toEqual([false, false]);
    await withLocks([a, b], { record: 'pid' }, () => {
      expect(readFileSync(b, 'utf8')).toBe(`${process.pid}\n`);
    });
  });

  test('missing folders are created', async () => {
    const [a, b] = paths('x/y/a', 'x/z/b') as [string, string];
    await withLocks([b, a], () => {});
    expect([a, b].map(existsSync)).toEqual([true, true]);
  });

  test('what cannot be locked is the error of FileLock.acquire, and the others are free', async () => {
    const [a, link, z] = paths('a', 'link', 'z') as [string, string, string];
    symlinkSync(a, link);
    expect(await errorOf(() => withLocks([z, a, link], () => {}))).toMatchObject({
      code: 'ELOOP',
      path: link,
    });
    expect(isFree(a)).toBe(true);
    expect(existsSync(z)).toBe(false);
    const below = join(a, 'below');
    expect(await errorOf(() => withLocks([below, z], () => {}))).toMatchObject({ code: 'ENOTDIR' });
    symlinkSync('nowhere', join(dirname(a), 'dangling'));
    const dangling = join(dirname(a), 'dangling', 'd');
    expect(await errorOf(() => withLocks([dangling, a], () => {}))).toMatchObject({
      code: 'ENOTDIR',
    });
    expect(isFree(a)).toBe(true);
  });
});

describe('equal paths', () => {
  test.each<[string, (path: string) => unknown[]]>([
    ['the same', (path) => [path, path]],
    ['relative ones', (path) => [path, `./${relativeOf(path)}`, relativeOf(path)]],
    ['by a longer way', (path) => [path, join(dirname(path), '..', 'x', 'y', '..', 'a')]],
    ['in a folder that is a link', (path) => [join(dirname(path), '..', 'link', 'a'), path]],
    ['bytes and a URL', (path) => [Buffer.from(path), pathToFileURL(path), path]],
  ])('are locked once and get the same lock: %s', async (_, spell) => {
    const folder = testFolder();
    mkdirSync(join(folder, 'x', 'y'), { recursive: true });
    symlinkSync('x', join(folder, 'link'));
    const given = spell(join(folder, 'x', 'a')) as string[];
    await withLocks(given, { timeout: 0 }, (locks) => {
      expect(locks).toHaveLength(given.length);
      expect(new Set(locks).size).toBe(1);
      expect(descriptorsTo(folder)).toBe(1);
    });
  });

  function relativeOf(path: string): string {
    return `${'../'.repeat(process.cwd().split('/').length - 1)}${path.slice(1)}`;
  }

  test.each([[Number.POSITIVE_INFINITY], [0]])(
    'of one file under two names, with timeout %s: ERR_LOCK_STATE at once',
    async (timeout) => {
      const [a, b, hard] = paths('a', 'b', 'hard') as [string, string, string];
      FileLock.acquireSync(a).releaseSync();
      linkSync(a, hard);
      const error = await errorOf(() => withLocks([hard, b, a], { timeout }, () => {}));
      expect(error).toMatchObject({ code: 'ERR_LOCK_STATE', path: hard });
      expect((error as Error).message).toContain(a);
      expect([a, b].map(isFree)).toEqual([true, true]);
      // Shared locks do not exclude each other.
      const modes = await withLocks([hard, a], { mode: 'shared', timeout }, (locks) =>
        locks.map(({ mode }) => mode),
      );
      expect(modes).toEqual(['shared', 'shared']);
    },
  );

  test('that becomes so during the wait is noticed before the next one', async () => {
    const [a, b] = paths('a', 'b') as [string, string];
    using _other = FileLock.acquireSync(b);
    const onWait = (_: unknown, path: string): void => {
      linkSync(a, `${path}.new`);
      renameSync(`${path}.new`, path);
    };
    expect(await errorOf(() => withLocks([a, b], { onWait }, () => {}))).toMatchObject({
      code: 'ERR_LOCK_STATE',
      path: b,
    });
    expect(isFree(a)).toBe(true);
  });
});

describe('the order of locking', () => {
  /** The names that are waited for, in that order; each is released then. */
  async function waitedFor(given: readonly (string | Buffer)[]): Promise<string[]> {
    const order: string[] = [];
    const held = given.map((path) => FileLock.acquireSync(path));
    const onWait = (_: unknown, path: string): void => {
      order.push(path);
      held.find((lock) => lock.path === path)?.releaseSync();
    };
    await withLocks(given, { onWait }, () => {});
    return order;
  }

  test('is that of the canonical paths, however they are named', async () => {
    const [a, b, c] = paths('a', 'b', 'c') as [string, string, string];
    for (const given of [
      [a, b, c],
      [c, b, a],
      [b, c, a],
    ]) {
      expect(await waitedFor(given)).toEqual([a, b, c]);
    }
  });

  test('goes by bytes, not by characters or the rules of a language', async () => {
    // In UTF-16 the last would come before the one before it.
    const given = paths('B', 'a', 'b', 'é', '\uffc2', '😀');
    expect(await waitedFor(given.toReversed())).toEqual(given);
    const odd = Buffer.concat([Buffer.from(`${given[0]}-`), Buffer.from([0xff])]);
    const [plain = ''] = given;
    expect(await waitedFor([odd, plain])).toEqual([plain, odd.toString()]);
  });

  test('goes by the real path of the folder', async () => {
    const folder = testFolder();
    for (const name of ['1', '2', '1-x']) mkdirSync(join(folder, name));
    symlinkSync('1', join(folder, '3'));
    const given = [join(folder, '3', 'a'), join(folder, '2', 'a'), join(folder, '1-x', 'a')];
    // `-` comes before the slash.
    expect(await waitedFor(given)).toEqual([given[2], given[0], given[1]]);
  });
});

describe('a lock that is held by another', () => {
  test.each([
    [0, 'ERR_LOCK_HELD', undefined],
    [40, 'ERR_LOCK_TIMEOUT', 40],
  ])('for %i ms: %s names it, and the others are free', async (timeout, code, told) => {
    const [a, b, c] = paths('a', 'b', 'c') as [string, string, string];
    using _held = FileLock.acquireSync(b);
    let ran = false;
    const began = performance.now();
    const error = await errorOf(() =>
      withLocks([c, b, a], { timeout }, () => {
        ran = true;
      }),
    );
    expect(performance.now() - began).toBeGreaterThanOrEqual(timeout);
    expect(error).toMatchObject({ code, path: b, holder: { pid: process.pid, self: true } });
    expect((error as { timeout?: number }).timeout).toBe(told);
    expect({ ran, a: isFree(a), c: existsSync(c) }).toEqual({ ran: false, a: true, c: false });
  });

  test('one deadline serves all: the second gets what the first has left', async () => {
    const [a, b] = paths('a', 'b') as [string, string];
    const first = FileLock.acquireSync(a);
    using _second = FileLock.acquireSync(b);
    const timeout = 600;
    const began = performance.now();
    let secondBegan = Number.NaN;
    const onWait = (_: unknown, path: string): void => {
      if (path === b) secondBegan = performance.now();
      else sleepSync(timeout / 2);
      if (path === a) first.releaseSync();
    };
    const error = await errorOf(() => withLocks([a, b], { timeout, onWait }, () => {}));
    const end = performance.now();
    expect(error).toMatchObject({ code: 'ERR_LOCK_TIMEOUT', path: b, timeout });
    expect(end - began).toBeGreaterThanOrEqual(timeout);
    // With a deadline of its own it would be all of it.
    expect(end - secondBegan).toBeLessThan(timeout);
  });

  test('onWait gets holder and path; an error that it throws ends the call', async () => {
    const [a, b] = paths('a', 'b') as [string, string];
    using _held = FileLock.acquireSync(b);
    const failure = new Error('from onWait');
    const seen: unknown[] = [];
    const onWait: WithLocksOptions['onWait'] = (holder, path) => {
      seen.push([holder?.pid, path]);
      throw failure;
    };
    expect(await errorOf(() => withLocks([a, b], { onWait }, () => {}))).toBe(failure);
    expect(seen).toEqual([[process.pid, b]]);
    expect(isFree(a)).toBe(true);
  });

  test('a signal ends the wait with its reason; one that is aborted, before anything', async () => {
    const [a, b, c] = paths('a', 'b', 'c/d') as [string, string, string];
    using _held = FileLock.acquireSync(b);
    const reason = { why: 'any value' };
    const controller = new AbortController();
    const { signal } = controller;
    const onWait = (): void => controller.abort(reason);
    expect(await errorOf(() => withLocks([a, b], { signal, onWait }, () => {}))).toBe(reason);
    expect(isFree(a)).toBe(true);
    expect(await errorOf(() => withLocks([a, c], { signal }, () => {}))).toBe(reason);
    expect(existsSync(dirname(c))).toBe(false);
  });
});
