import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileLock, fileLocker, type HeldLock, type Locker, withLock } from '../../src/index.js';
import { instanceLocker } from '../../src/instance.js';
import { memoryLocker } from '../../src/testing.js';
import { lockPath, testFolder } from '../support/folder.js';
import { losable } from '../support/losable.js';
import { errorOf } from '../support/refused.js';
import { expectWarning } from '../support/setup.js';

expectWarning('HOLDFAST_RELEASE_FAILED');

const warnings: string[] = [];
process.on('warning', ({ message }) => warnings.push(message));

/** The warnings of `call`, which are emitted in the next tick. */
async function warningsOf(call: () => Promise<unknown>): Promise<number> {
  await new Promise(setImmediate);
  const before = warnings.length;
  await call();
  await new Promise(setImmediate);
  return warnings.length - before;
}

describe('withLock with a locker', () => {
  test('runs the body with a lock of that name, and releases it', async () => {
    const locker = memoryLocker();
    const result = await withLock('deploy', { locker, timeout: 5 }, async ({ token }) => {
      await expect(locker.acquire('deploy', { timeout: 0 })).rejects.toMatchObject({
        code: 'ERR_LOCK_HELD',
      });
      return token;
    });
    expect(result).toBeGreaterThan(0);
    await (await locker.acquire('deploy', { timeout: 0 })).release();
  });

  test('hands the name and the options of the call on, and nothing else', async () => {
    const calls: unknown[] = [];
    const memory = memoryLocker();
    const locker: Locker = {
      acquire(name, options) {
        calls.push([name, options]);
        return memory.acquire(name, options);
      },
    };
    const { signal } = new AbortController();
    const onWait = (): void => {};
    await withLock('a', { locker }, () => {});
    const all = { timeout: 7, signal, onWait, pollInterval: 9, mode: 'shared' } as const;
    await withLock('b', { locker, ...all }, () => {});
    await withLock('c', { locker, timeout: undefined }, () => {});
    expect(calls).toEqual([
      ['a', {}],
      ['b', all],
      ['c', {}],
    ]);
  });

  test('a refusal is the one of the locker, and the body does not run', async () => {
    const locker = memoryLocker();
    await using _held = await locker.acquire('a');
    const body = (): never => {
      throw new Error('it ran');
    };
    await expect(withLock('a', { locker, timeout: 0 }, body)).rejects.toMatchObject({
      code: 'ERR_LOCK_HELD',
    });
    await expect(withLock('a', { locker, timeout: 5 }, body)).rejects.toMatchObject({
      code: 'ERR_LOCK_TIMEOUT',
    });
  });

  test.each(['record', 'permissions', 'keepFile', 'data', 'timout'])(
    '%s is not an option then',
    async (option) => {
      const locker = memoryLocker();
      const error = await errorOf(() =>
        withLock('a', { locker, [option]: undefined } as never, () => {}),
      );
      expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
      await (await locker.acquire('a', { timeout: 0 })).release();
    },
  );

  test.each([null, 'file', {}, { acquire: 1 }])('%o is no locker', async (locker) => {
    const folder = testFolder();
    const path = join(folder, 'a.lock');
    const error = await errorOf(() => withLock(path, { locker } as never, () => {}));
    expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('one that is undefined counts as left out', async () => {
    const path = lockPath();
    const options = { locker: undefined, record: false, timeout: 0 } as object;
    const lock = await withLock(path, options, async (each) => each);
    expect(lock).toBeInstanceOf(FileLock);
    await expect(
      withLock(path, { ...options, timout: 1 } as object, () => {}),
    ).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
  });

  test('the locks of fileLocker() and instanceLocker() are the real ones', async () => {
    for (const locker of [fileLocker(), instanceLocker()]) {
      const path = lockPath();
      await withLock(path, { locker, timeout: 0 }, ({ fd }) => {
        expect(fd).toBeGreaterThan(2);
        expect(FileLock.tryAcquire(path)).toBeNull();
      });
      FileLock.acquireSync(path).releaseSync();
    }
  });
});

describe('a lock that is lost while the body runs', () => {
  const losses: [string, (locker: ReturnType<typeof losable>) => Error][] = [
    ['and its signal tells it', (locker) => locker.lose('a')],
    ['and only its release tells it', (locker) => locker.lose('a', { silently: true })],
  ];
  test.each(losses)('%s: ERR_LOCK_LOST, with the result', async (_, lose) => {
    const locker = losable();
    let reason: Error | undefined;
    const error = await errorOf(() =>
      withLock('a', { locker }, () => {
        reason = lose(locker);
        return { effect: 'done' };
      }),
    );
    expect(error).toMatchObject({
      name: 'LockLostError',
      code: 'ERR_LOCK_LOST',
      path: 'a',
      result: { effect: 'done' },
    });
    expect((error as Error).cause).toBe(reason);
  });

  test('of a locker in memory: by a crash', async () => {
    const locker = memoryLocker();
    const body = (): number => {
      locker.crash('/a');
      return 1;
    };
    await expect(withLock('/a', { locker }, body)).rejects.toMatchObject({
      code: 'ERR_LOCK_LOST',
      result: 1,
    });
  });

  test('the error of the body wins, without a warning if it is the loss', async () => {
    const locker = losable();
    const own = new Error('of the body');
    const failing = (lost: (reason: Error) => Error) => () =>
      withLock('a', { locker }, () => {
        throw lost(locker.lose('a'));
      });
    expect(await warningsOf(async () => expect(await errorOf(failing(() => own))).toBe(own))).toBe(
      1,
    );
    const same = failing((reason) => reason);
    const seen = await warningsOf(() => expect(same()).rejects.toMatchObject({ path: 'a' }));
    expect(seen).toBe(0);
  });

  test('a body that releases by itself has lost nothing', async () => {
    for (const locker of [memoryLocker(), losable(), fileLocker(), instanceLocker()]) {
      const path = lockPath();
      expect(await withLock(path, { locker }, (lock) => lock.release())).toBeUndefined();
    }
  });

  test('where the loss is known and the release fails in another way, that is a warning', async () => {
    const release = (): Promise<void> => Promise.reject(new Error('the server is gone'));
    const lock: HeldLock = {
      token: 1,
      isCurrent: () => false,
      release,
      [Symbol.asyncDispose]: release,
    };
    const locker: Locker = { acquire: async () => lock };
    const call = () => withLock('a', { locker }, () => 5);
    const seen = await warningsOf(() =>
      expect(call()).rejects.toMatchObject({ code: 'ERR_LOCK_LOST', result: 5 }),
    );
    expect(seen).toBe(1);
  });

  const ways: [string, (path: string) => void][] = [
    ['its file is removed', (path) => rmSync(path)],
    [
      'its file is replaced',
      (path) => {
        writeFileSync(`${path}.new`, '');
        renameSync(`${path}.new`, path);
      },
    ],
    ['the body removes its folder', (path) => rmSync(dirname(path), { recursive: true })],
  ];
  test.each(ways)('of a file, %s: the same', async (_, act) => {
    const path = join(testFolder(), 'inner', 'a.lock');
    mkdirSync(dirname(path));
    const body = (): number => {
      act(path);
      return 5;
    };
    const lost = { code: 'ERR_LOCK_LOST', path, result: 5 };
    await expect(withLock(path, body)).rejects.toMatchObject(lost);
    mkdirSync(dirname(path), { recursive: true });
    await expect(withLock(path, { locker: fileLocker() }, body)).rejects.toMatchObject(lost);
    const own = new Error('of the body');
    mkdirSync(dirname(path), { recursive: true });
    const failing = (): never => {
      act(path);
      throw own;
    };
    await expect(withLock(path, failing)).rejects.toBe(own);
  });

  test('of a file, by a failed upgrade, is the error that the body got', async () => {
    const path = lockPath();
    using _reader = FileLock.acquireSync(path, { mode: 'shared' });
    expect(await withLock(path, { mode: 'shared' }, (lock) => lock.tryUpgrade())).toBe(false);
  });
});
