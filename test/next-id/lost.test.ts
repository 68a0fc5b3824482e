import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fileLocker, type Locker } from '../../src/index.js';
import { type NextIdOptions, withNextId } from '../../src/next-id.js';
import { memoryLocker } from '../../src/testing.js';
import { until } from '../support/census.js';
import { testFolder } from '../support/folder.js';
import { losable } from '../support/losable.js';
import { LOCK, next } from '../support/next-id.js';
import { counterIn } from '../support/next-id-program.js';
import { errorOf } from '../support/refused.js';
import { expectWarning } from '../support/setup.js';

expectWarning('HOLDFAST_RELEASE_FAILED');

describe('a lock of a server that is lost while create runs', () => {
  test('aborts the signal, rejects with ERR_LOCK_LOST, and counts nothing', async () => {
    const folder = testFolder();
    const locker = losable();
    const seen: unknown[] = [];
    const call = withNextId(folder, { locker }, (_, { signal }) => {
      seen.push(signal.aborted);
      const reason = locker.lose(join(folder, LOCK));
      seen.push(signal.aborted, signal.reason === reason);
    });
    expect(await errorOf(() => call)).toMatchObject({
      code: 'ERR_LOCK_LOST',
      path: join(folder, LOCK),
    });
    expect(seen).toEqual([false, true, true]);
    expect(await next(folder, { locker })).toBe(1);
  });

  test('is found by a question to the server, too', async () => {
    const folder = testFolder();
    const inner = losable();
    // All that its lock says by itself is that it is still held.
    const locker: Locker = {
      async acquire(name, options) {
        const lock = await inner.acquire(name, options);
        return { ...lock, isCurrent: () => true, signal: new AbortController().signal };
      },
    };
    const create = (): void => void inner.lose(join(folder, LOCK), { silently: true });
    const error = await errorOf(() => withNextId(folder, { locker }, create));
    expect(error).toMatchObject({ code: 'ERR_LOCK_LOST' });
    expect((error as Error).cause).toMatchObject({ code: 'ERR_LOCK_LOST' });
    expect(await next(folder, { locker })).toBe(1);
  });

  test('the error of create wins', async () => {
    const folder = testFolder();
    const locker = losable();
    const failure = new Error('from create');
    const create = (): never => {
      locker.lose(join(folder, LOCK));
      throw failure;
    };
    // The release then tells the loss.
    const warned = new Promise((resolve) => process.once('warning', resolve));
    expect(await errorOf(() => withNextId(folder, { locker }, create))).toBe(failure);
    expect(await warned).toMatchObject({ code: 'HOLDFAST_RELEASE_FAILED' });
  });

  test('with several directories, each lock counts', async () => {
    const folders = [testFolder(), testFolder()].sort() as [string, string];
    for (const lost of folders) {
      const locker = losable();
      const options: NextIdOptions = { locker, with: [folders[1]] };
      const call = withNextId(folders[0], options, async (_, { signal }) => {
        locker.lose(join(lost, LOCK));
        await until(() => signal.aborted);
      });
      expect(await errorOf(() => call)).toMatchObject({
        code: 'ERR_LOCK_LOST',
        path: join(lost, LOCK),
      });
    }
  });
});

test('a server that does not answer after create: its error, and an entry that has the id counts', async () => {
  const folder = testFolder();
  const locker = losable();
  const failure = Object.assign(new Error('no answer'), { code: 'ECONNREFUSED' });
  const create = (id: number): void => {
    mkdirSync(join(folder, `task-${id}`));
    locker.fail(failure);
  };
  expect(await errorOf(() => withNextId(folder, { locker }, create))).toBe(failure);
  expect(counterIn(folder)).toBe('1\n');
  locker.fail(null);
  expect(await next(folder, { locker })).toBe(2);
});

describe('the signal of create', () => {
  test('is the caller’s alone if the locks have none', async () => {
    const { signal } = new AbortController();
    const options = { locker: memoryLocker(), signal };
    const { value } = await withNextId(testFolder(), options, (_, context) => context.signal);
    expect(value).toBe(signal);
  });

  test('has the caller’s reason, also from a polyfill', async () => {
    const listeners: ((event: { target: unknown }) => void)[] = [];
    const polyfill = {
      aborted: false,
      reason: undefined as unknown,
      addEventListener: (_: string, listener: (typeof listeners)[0]) => listeners.push(listener),
      removeEventListener: () => {},
    };
    const signal = polyfill as unknown as AbortSignal;
    const options = { locker: losable(), signal };
    await withNextId(testFolder(), options, (_, context) => {
      expect(context.signal.aborted).toBe(false);
      Object.assign(polyfill, { aborted: true, reason: 'enough' });
      for (const each of [...listeners]) each({ target: polyfill });
      expect(context.signal).toMatchObject({ aborted: true, reason: 'enough' });
    });
  });

  test.each([undefined, fileLocker()])('tells that the lock file is gone (%o)', async (locker) => {
    const folder = testFolder();
    const call = withNextId(folder, { locker }, async (_, { signal }) => {
      expect(signal.aborted).toBe(false);
      rmSync(join(folder, LOCK));
      await until(() => signal.aborted);
      throw signal.reason;
    });
    expect(await errorOf(() => call)).toMatchObject({ code: 'ERR_LOCK_LOST' });
  });
});
