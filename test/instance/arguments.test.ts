import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { AlreadyRunningError } from '../../src/base/errors.js';
import { inspect } from '../../src/index.js';
import { InstanceLock, instanceLocker } from '../../src/instance.js';
import { lockPath } from '../support/folder.js';
import { runningInstance } from '../support/instance.js';
import { errorOf } from '../support/refused.js';

const firstLine = (error: unknown): string => (error as Error).message.split('\n')[0] ?? '';

describe('acquireSync', () => {
  test('holds, or throws AlreadyRunningError at once', async () => {
    const path = lockPath();
    const holder = await runningInstance(path, { data: { port: 80 } });
    const error = await errorOf(() => InstanceLock.acquireSync(path));
    expect(error).toMatchObject({
      name: 'AlreadyRunningError',
      code: 'ERR_LOCK_HELD',
      path,
      pid: holder.pid,
      data: { port: 80 },
    });
    expect(firstLine(error)).toBe(`another instance is already running (pid ${holder.pid})`);
    await holder.end();
    using lock = InstanceLock.acquireSync(path, { data: { port: 81 } });
    expect(await inspect(path)).toMatchObject({ state: 'held', record: { data: { port: 81 } } });
    expect(lock.held).toBe(true);
  });
});

describe('instanceLocker', () => {
  test('has its options as defaults, which the options of the call override', async () => {
    const path = lockPath();
    const locker = instanceLocker({ name: 'watcher', record: 'pid', keepFile: true });
    const lock = await locker.acquire(path);
    expect(lock).toBeInstanceOf(InstanceLock);
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`);
    const error = await errorOf(() => locker.acquire(path, { timeout: 20 }));
    expect(firstLine(error)).toBe(`another watcher is already running (pid ${process.pid})`);
    expect((error as AlreadyRunningError).waited).toBeGreaterThanOrEqual(20);
    await lock.release();
    expect(existsSync(path)).toBe(true);
  });
});

describe('wrong arguments', () => {
  const cases: [options: unknown, code: string][] = [
    ['text', 'ERR_INVALID_ARG_TYPE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
    [{ name: 4 }, 'ERR_INVALID_ARG_TYPE'],
    [{ data: 'x' }, 'ERR_INVALID_ARG_TYPE'],
    [{ data: { pid: 4 } }, 'ERR_INVALID_ARG_VALUE'],
    [{ record: false }, 'ERR_INVALID_ARG_VALUE'],
    [{ record: 'xml' }, 'ERR_INVALID_ARG_VALUE'],
    [{ permissions: '600' }, 'ERR_INVALID_ARG_TYPE'],
    [{ permissions: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ timeout: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ timeout: '1' }, 'ERR_INVALID_ARG_TYPE'],
    [{ signal: {} }, 'ERR_INVALID_ARG_TYPE'],
    [{ onWait: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ keepFile: 'no' }, 'ERR_INVALID_ARG_TYPE'],
    [{ onStale: {} }, 'ERR_INVALID_ARG_TYPE'],
    [{ onMessage: 'x' }, 'ERR_INVALID_ARG_TYPE'],
    [{ force: true }, 'ERR_INVALID_ARG_TYPE'],
    [{ force: {} }, 'ERR_INVALID_ARG_VALUE'],
    [{ force: { how: 'kill' } }, 'ERR_INVALID_ARG_VALUE'],
    [{ force: { how: 'terminate', grace: -1 } }, 'ERR_OUT_OF_RANGE'],
    [{ force: { how: 'terminate', grace: 'x' } }, 'ERR_INVALID_ARG_TYPE'],
    [{ force: { how: 'steal', confirm: true } }, 'ERR_INVALID_ARG_TYPE'],
  ];

  test.each(cases)('%j: %s, and nothing has happened', async (options, code) => {
    const path = lockPath();
    for (const call of ['acquire', 'acquireSync'] as const) {
      const error = await errorOf(() => InstanceLock[call](path, options as object));
      expect(error).toMatchObject({ code });
      expect(error).toBeInstanceOf(code === 'ERR_OUT_OF_RANGE' ? RangeError : TypeError);
    }
    expect(existsSync(path)).toBe(false);
  });

  test('a shared instance is none', async () => {
    const path = lockPath();
    const options = { mode: 'shared' } as object;
    await expect(InstanceLock.acquire(path, options)).rejects.toThrow();
    expect(() => InstanceLock.acquireSync(path, options)).toThrow();
    expect(existsSync(path)).toBe(false);
  });

  test('acquireSync with force or a timeout is refused', async () => {
    const path = lockPath();
    for (const options of [{ timeout: 1 }, { force: { how: 'steal' } }]) {
      const error = await errorOf(() => InstanceLock.acquireSync(path, options as object));
      expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
    }
    InstanceLock.acquireSync(path, { timeout: 0 } as object).releaseSync();
    for (const wrong of ['', 4, undefined, 'a\0b']) {
      const error = await errorOf(() => InstanceLock.acquire(wrong as string));
      expect((error as { code: string }).code).toMatch(/^ERR_INVALID_ARG_/);
    }
  });
});
