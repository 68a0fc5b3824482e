import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import { AlreadyRunningError } from '../../src/base/errors.js';
import { FileLock, inspect, isLockError, LockHeldError } from '../../src/index.js';
import { InstanceLock, type InstanceLockOptions, instanceLocker } from '../../src/instance.js';
import { descriptorsTo, until } from '../support/census.js';
import { lockPath, testFolder } from '../support/folder.js';
import { instanceProgram, runningInstance, told } from '../support/instance.js';
import { errorOf } from '../support/refused.js';

const firstLine = (error: unknown): string => (error as Error).message.split('\n')[0] ?? '';

async function refusal(
  path: string,
  options?: InstanceLockOptions<object>,
): Promise<AlreadyRunningError<Record<string, unknown>>> {
  const error = await errorOf(() => InstanceLock.acquire(path, options));
  expect(error).toBeInstanceOf(AlreadyRunningError);
  return error as AlreadyRunningError<Record<string, unknown>>;
}

describe('the second instance', () => {
  test('is refused at once, told who runs, since when and what it says of itself', async () => {
    const path = lockPath();
    const before = Date.now();
    const holder = await runningInstance(path, { data: { url: 'http://localhost:80', port: 80 } });
    const error = await refusal(path);
    expect(firstLine(error)).toBe(`another instance is already running (pid ${holder.pid})`);
    expect(error).toBeInstanceOf(LockHeldError);
    expect(isLockError(error, 'ERR_LOCK_HELD')).toBe(true);
    expect(error).toMatchObject({
      name: 'AlreadyRunningError',
      code: 'ERR_LOCK_HELD',
      path,
      pid: holder.pid,
      data: { url: 'http://localhost:80', port: 80 },
      holder: { pid: holder.pid, self: false, source: 'kernel', verified: true },
      cause: { code: 'EWOULDBLOCK', syscall: 'flock' },
    });
    expect(error.since?.getTime()).toBeGreaterThanOrEqual(before);
    expect(error.since?.getTime()).toBeLessThanOrEqual(Date.now());
    expect(error.since).toEqual(error.holder?.since);
    expect(error.waited).toBeLessThan(1000);
    expect(descriptorsTo(path)).toBe(0);
  });

  test('has the name of the program in the message', async () => {
    const path = lockPath();
    const holder = await runningInstance(path);
    const line = `another watcher is already running (pid ${holder.pid})`;
    expect(firstLine(await refusal(path, { name: 'watcher' }))).toBe(line);
    expect(
      firstLine(await errorOf(() => InstanceLock.acquireSync(path, { name: 'watcher' }))),
    ).toBe(line);
    expect(firstLine(await refusal(path, { name: 'watcher', timeout: 20 }))).toBe(line);
  });

  test('in the same process is one as well', async () => {
    const path = lockPath();
    using _lock = await InstanceLock.acquire(path);
    expect(await refusal(path)).toMatchObject({ pid: process.pid, holder: { self: true } });
  });

  test('is told (pid unknown) where it cannot be told', () => {
    const unknown = new AlreadyRunningError('/run/x.lock', null);
    expect(firstLine(unknown)).toBe('another instance is already running (pid unknown)');
    expect(unknown).toMatchObject({ pid: null, since: null, data: {}, holder: null, waited: 0 });
    const named = new AlreadyRunningError('/run/x.lock', null, 'job');
    expect(firstLine(named)).toBe('another job is already running (pid unknown)');
  });

  test('after a timeout is refused with the same class, and what it waited', async () => {
    const path = lockPath();
    const holder = await runningInstance(path);
    const seen: unknown[] = [];
    const began = performance.now();
    const error = await refusal(path, { timeout: 150, onWait: (each) => void seen.push(each) });
    const elapsed = performance.now() - began;
    expect(error).toMatchObject({ code: 'ERR_LOCK_HELD', pid: holder.pid });
    expect(firstLine(error)).toBe(`another instance is already running (pid ${holder.pid})`);
    expect(error.waited).toBeGreaterThanOrEqual(150);
    expect(error.waited).toBeLessThanOrEqual(Math.ceil(elapsed));
    expect(seen).toMatchObject([{ pid: holder.pid }]);
  });

  test('is the first as soon as that ends within the timeout', async () => {
    const path = lockPath();
    const holder = await runningInstance(path);
    const onWait = (): void => void holder.process.kill('SIGTERM');
    using lock = await InstanceLock.acquire(path, { timeout: 8000, onWait });
    expect(lock.previous).toBeNull();
    expect(lock.isCurrent()).toBe(true);
  });

  test('rejects with the reason of an abort, unchanged', async () => {
    const path = lockPath();
    const reason = { any: 'thing' };
    const signal = AbortSignal.abort(reason);
    await expect(InstanceLock.acquire(path, { signal })).rejects.toBe(reason);
    expect(existsSync(path)).toBe(false);
    using _lock = await InstanceLock.acquire(path);
    const controller = new AbortController();
    const waiting = InstanceLock.acquire(path, {
      timeout: 8000,
      signal: controller.signal,
      onWait: () => controller.abort(reason),
    });
    await expect(waiting).rejects.toBe(reason);
    const force = { how: 'steal' } as const;
    await expect(InstanceLock.acquire(path, { signal, force })).rejects.toBe(reason);
  });
});

describe('the first instance', () => {
  test('has the shape of a FileLock, in a folder that did not exist', async () => {
    const path = join(testFolder(), 'prompts', 'deeper', '.watcher.lock');
    const lock = await InstanceLock.acquire(path, { data: { features: ['a', 'b'] } });
    expect(lock).toMatchObject({ path, held: true, previous: null });
    expect(lock.signal).toBeInstanceOf(AbortSignal);
    expect(lock.signal.aborted).toBe(false);
    expect(lock.fd).toBeGreaterThan(2);
    expect(Number.isSafeInteger(lock.token)).toBe(true);
    expect(lock.isCurrent()).toBe(true);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({
      pid: process.pid,
      startedAt: expect.stringMatching(/^\d{4}-.*Z$/),
      features: ['a', 'b'],
      holdfast: { token: lock.token },
    });
    expect(FileLock.tryAcquire(path)).toBeNull();
    await lock.release();
    expect(lock).toMatchObject({ held: false, fd: -1 });
    expect(lock.isCurrent()).toBe(false);
    expect(existsSync(path)).toBe(false);
    await lock.release();
    lock.releaseSync();
  });

  test("record 'pid': the file holds the pid alone", async () => {
    const path = lockPath();
    using lock = await InstanceLock.acquire(path, { record: 'pid' });
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`);
    const other = await instanceProgram(path, 'await hold().catch(tell);').exited;
    expect(told(other)).toMatchObject([{ name: 'AlreadyRunningError', pid: process.pid }]);
    lock.releaseSync();
    expect(existsSync(path)).toBe(false);
  });

  test('keepFile: the file stays, without a pid', async () => {
    const path = lockPath();
    const lock = await InstanceLock.acquire(path, { keepFile: true });
    const { token } = lock;
    await lock.release();
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ holdfast: { token } });
    using next = await InstanceLock.acquire(path, { keepFile: true });
    expect(next.token).toBeGreaterThan(token);
    expect(next.previous).toBeNull();
  });

  test('permissions are those of a new file', async () => {
    const path = lockPath();
    using _lock = await InstanceLock.acquire(path, { permissions: 0o640 });
    expect(statSync(path).mode & 0o777).toBe(0o640 & ~process.umask());
    using _default = await InstanceLock.acquire(`${path}.2`);
    expect(statSync(`${path}.2`).mode & 0o777).toBe(0o600);
  });

  test('tells the second what it has found out in the meantime', async () => {
    const path = lockPath();
    using lock = await InstanceLock.acquire<{ name: string; url?: string; port?: number }>(path, {
      data: { name: 'dev' },
    });
    expect((await refusal(path)).data).toEqual({ name: 'dev' });
    lock.update({ url: 'http://localhost:5173', port: 5173 });
    expect((await refusal(path)).data).toEqual({
      name: 'dev',
      url: 'http://localhost:5173',
      port: 5173,
    });
    lock.releaseSync();
    expect(await errorOf(() => lock.update({ port: 1 }))).toMatchObject({ code: 'ERR_LOCK_STATE' });
  });

  test('is released at the end of a scope, with using and with await using', async () => {
    const path = lockPath();
    {
      using _lock = InstanceLock.acquireSync(path);
      expect(existsSync(path)).toBe(true);
    }
    expect(existsSync(path)).toBe(false);
    {
      await using _lock = await InstanceLock.acquire(pathToFileURL(path));
      expect(existsSync(path)).toBe(true);
    }
    expect(existsSync(path)).toBe(false);
  });
});

describe('onStale', () => {
  test('is told of one that was killed, with running false, and the start goes on', async () => {
    const path = lockPath();
    const dead = await runningInstance(path, { data: { port: 80 } });
    await dead.kill();
    const onStale = vi.fn();
    using lock = await InstanceLock.acquire(path, { onStale });
    const record = { pid: dead.pid, running: false, data: { port: 80 }, since: expect.any(Date) };
    expect(onStale.mock.calls).toMatchObject([[record]]);
    expect(lock.previous).toEqual(onStale.mock.calls[0]?.[0]);
  });

  test("is told of an old program's pid file, whose program still runs without a flock", async () => {
    const path = lockPath();
    writeFileSync(path, `${process.pid}\n`);
    const onStale = vi.fn();
    using lock = await InstanceLock.acquire(path, { onStale });
    expect(onStale).toHaveBeenCalledOnce();
    expect(lock.previous?.pid).toBe(process.pid);
    expect(lock.previous?.running).not.toBe(false);
  });

  test('is not called after a release, nor for a new file', async () => {
    const path = lockPath();
    const onStale = vi.fn();
    (await InstanceLock.acquire(path, { onStale, keepFile: true })).releaseSync();
    InstanceLock.acquireSync(path, { onStale }).releaseSync();
    expect(onStale).not.toHaveBeenCalled();
  });

  test('that throws gives the lock back', async () => {
    const reason = new Error('no');
    const onStale = (): never => {
      throw reason;
    };
    for (const call of ['acquire', 'acquireSync'] as const) {
      const path = lockPath();
      await (await runningInstance(path)).kill();
      expect(await errorOf(() => InstanceLock[call](path, { onStale }))).toBe(reason);
      expect(descriptorsTo(path)).toBe(0);
      expect(process.listenerCount('SIGTERM')).toBe(0);
      InstanceLock.acquireSync(path).releaseSync();
    }
  });
});

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
  test('has its options as defaults, and those of the call before them', async () => {
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

test('a holder that is stopped still holds', async () => {
  const path = lockPath();
  const holder = await runningInstance(path);
  holder.process.kill('SIGSTOP');
  await until(() => readFileSync(`/proc/${holder.pid}/stat`, 'utf8').includes(') T '));
  expect(await refusal(path, { timeout: 100 })).toMatchObject({ pid: holder.pid });
  holder.process.kill('SIGCONT');
  expect(await holder.end()).toMatchObject({ code: 0 });
  expect(existsSync(path)).toBe(false);
});
