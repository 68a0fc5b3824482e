import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { AlreadyRunningError } from '../../src/base/errors.js';
import { FileLock, isLockError, LockHeldError } from '../../src/index.js';
import { InstanceLock, type InstanceLockOptions } from '../../src/instance.js';
import { descriptorsTo, until } from '../support/census.js';
import { lockPath, testFolder } from '../support/folder.js';
import { instanceProgram, runningInstance, told } from '../support/instance.js';
import { isStopped } from '../support/kernel.js';
import { limit } from '../support/limit.js';
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
  test('is refused at once, with who runs, since when, and its data', async () => {
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
    expect(error.waited).toBeLessThan(limit(1000));
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

  test('says (pid unknown) where the pid is unknown', () => {
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

  test('permissions apply to a new file', async () => {
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

test('a holder that is stopped still holds', async () => {
  const path = lockPath();
  const holder = await runningInstance(path);
  holder.process.kill('SIGSTOP');
  await until(() => isStopped(holder.pid));
  expect(await refusal(path, { timeout: 100 })).toMatchObject({ pid: holder.pid });
  holder.process.kill('SIGCONT');
  expect(await holder.end()).toMatchObject({ code: 0 });
  expect(existsSync(path)).toBe(false);
});
