import { closeSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileLock, withLocks } from '../../src/index.js';
import { Peer } from '../support/peer.js';
import { ARGUMENT_CODES, errorOf } from '../support/refused.js';
import { expectWarning } from '../support/setup.js';
import { isFree, lockPaths as paths } from '../support/several.js';

expectWarning('HOLDFAST_RELEASE_FAILED');

describe('the end', () => {
  test('an error of the body comes through unchanged, and all are released', async () => {
    const [a, b] = paths('a', 'b') as [string, string];
    const reason = { why: 'any value' };
    for (const body of [() => Promise.reject(reason), throwing(reason)]) {
      expect(await errorOf(() => withLocks([a, b], body))).toBe(reason);
      expect([a, b].map(isFree)).toEqual([true, true]);
    }
  });

  const throwing = (reason: unknown) => (): void => {
    throw reason;
  };

  test('releases in reverse', async () => {
    const [a, b, c] = paths('a', 'b', 'c') as [string, string, string];
    const order: string[] = [];
    await withLocks([b, c, a], (locks) => {
      for (const lock of locks) {
        const release = lock.release.bind(lock);
        lock.release = () => {
          order.push(lock.path);
          return release();
        };
      }
    });
    expect(order).toEqual([c, b, a]);
  });

  test('the body may release some of them, and downgrade others', async () => {
    const [a, b] = paths('a', 'b') as [string, string];
    await withLocks([a, b], async ([first, second]) => {
      await first.release();
      second.downgrade();
      expect(isFree(a)).toBe(true);
    });
    expect(isFree(b)).toBe(true);
  });

  test.each([[['a']], [['b']], [['b', 'c']]])(
    'where %j were lost, ERR_LOCK_LOST with the result; the others are released',
    async (gone) => {
      const all = paths('a', 'b', 'c');
      const lost = all.filter((path) => gone.includes(path.slice(-1)));
      const error = await errorOf(() =>
        withLocks(all, () => {
          for (const path of lost) rmSync(path);
          return 'done';
        }),
      );
      expect(error).toMatchObject({ code: 'ERR_LOCK_LOST', path: lost[0], result: 'done' });
      for (const path of lost) expect((error as Error).message).toContain(path);
      expect(all.map(isFree)).toEqual([true, true, true]);
    },
  );

  test('one that is lost during the wait for another: ERR_LOCK_LOST, and the body does not run', async () => {
    const [a, b] = paths('a', 'b') as [string, string];
    const other = FileLock.acquireSync(b);
    const onWait = (): void => {
      rmSync(a);
      other.releaseSync();
    };
    let ran = false;
    const error = await errorOf(() =>
      withLocks([a, b], { onWait }, () => {
        ran = true;
      }),
    );
    expect(error).toMatchObject({ code: 'ERR_LOCK_LOST', path: a });
    expect({ ran, result: 'result' in (error as object) }).toEqual({ ran: false, result: false });
    expect([a, b].map(isFree)).toEqual([true, true]);
  });

  test('a worker that is terminated inside frees them all', async () => {
    const [a, b] = paths('a', 'b') as [string, string];
    const thread = await Peer.startThread();
    thread.call('stayInside', 'both', [b, a]);
    await thread.event('inside', 'both');
    expect([a, b].map(isFree)).toEqual([false, false]);
    await thread.end();
    expect([a, b].map(isFree)).toEqual([true, true]);
  });

  test('where only a release fails, rejects with that; where two do, warns of the second', async () => {
    const [a, b] = paths('a', 'b') as [string, string];
    const close = ({ fd }: FileLock): void => closeSync(fd);
    expect(await errorOf(() => withLocks([a, b], ([first]) => close(first)))).toMatchObject({
      code: 'EBADF',
      path: a,
    });
    expect([a, b].map(isFree)).toEqual([true, true]);
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    expect(await errorOf(() => withLocks([a, b], (locks) => locks.forEach(close)))).toMatchObject({
      code: 'EBADF',
      path: b,
    });
    expect((await warned).message).toContain(a);
  });
});

describe('arguments', () => {
  const [TYPE, VALUE, RANGE] = ARGUMENT_CODES;

  test.each<[string, unknown, string]>([
    ['a string', 'a.lock', TYPE],
    ['undefined', undefined, TYPE],
    ['a Set', new Set(['a.lock']), TYPE],
    ['an empty list', [], VALUE],
    ['a number in it', ['a.lock', 5], TYPE],
    ['a hole in it', Array(2), TYPE],
    ['an empty path in it', ['a.lock', ''], VALUE],
    ['NUL in it', ['a.lock', 'b\0'], VALUE],
    ['a list in it', [['a.lock']], TYPE],
  ])('paths that are %s are refused with %s', async (_, given, code) => {
    const before = readdirSync('.');
    const error = await errorOf(() => withLocks(given as string[], () => {}));
    expect(error).toMatchObject({ code });
    expect((error as Error).message).toMatch(/"paths(\[\d\])?"/);
    expect(readdirSync('.')).toEqual(before);
  });

  test.each<[string, unknown, string]>([
    ['timeout', -1, RANGE],
    ['mode', 'ex', VALUE],
    ['onWait', 5, TYPE],
    ['locker', {}, VALUE],
    ['data', { pid: 1 }, VALUE],
  ])('options.%s: %o is refused, and nothing has happened', async (name, value, code) => {
    const [a, b] = paths('x/a', 'x/b') as [string, string];
    const error = await errorOf(() => withLocks([a, b], { [name]: value } as never, () => {}));
    expect(error).toMatchObject({ code });
    for (const fn of [undefined, {}, 'body']) {
      const call = () => withLocks([a, b], {}, fn as never);
      expect(await errorOf(call)).toMatchObject({ code: TYPE });
    }
    expect(existsSync(dirname(a))).toBe(false);
  });
});
