import { readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { AlreadyRunningError } from '../../src/base/errors.js';
import { inspect } from '../../src/index.js';
import { InstanceLock } from '../../src/instance/instance-lock.js';
import { checkRequest } from '../../src/lock/options.js';
import { lockPath } from '../support/folder.js';
import { instanceProgram, isRunning, runningInstance } from '../support/instance.js';
import type { Program } from '../support/program.js';
import { errorOf } from '../support/refused.js';

const steal = { how: 'steal' } as const;

describe('steal', () => {
  test('takes the path of one that runs, with a larger token and its record as previous', async () => {
    const path = lockPath();
    const holder = await runningInstance(path, { data: { port: 80 } });
    const { record } = await inspect(path);
    using lock = await InstanceLock.acquire(path, { force: steal });
    expect(lock).toMatchObject({
      held: true,
      previous: { pid: holder.pid, data: { port: 80 }, running: true, token: record?.token },
    });
    expect(lock.token).toBeGreaterThan(record?.token ?? Infinity);
    expect(lock.isCurrent()).toBe(true);
    expect(await inspect(path)).toMatchObject({ holders: [{ self: true }] });
    expect(isRunning(holder)).toBe(true);
    await holder.end();
    expect(lock.isCurrent()).toBe(true);
  });

  test('asks to confirm with the holder, once, and a no is a refusal that changes nothing', async () => {
    const path = lockPath();
    const holder = await runningInstance(path, { data: { port: 80 } });
    const before = readFileSync(path, 'utf8');
    const asked: unknown[] = [];
    const confirm = async (each: unknown): Promise<boolean> => {
      asked.push(each);
      return false;
    };
    const error = await errorOf(() => InstanceLock.acquire(path, { force: { ...steal, confirm } }));
    expect(error).toBeInstanceOf(AlreadyRunningError);
    expect(error).toMatchObject({ code: 'ERR_LOCK_HELD', pid: holder.pid });
    expect(asked).toMatchObject([{ pid: holder.pid, verified: true, data: { port: 80 } }]);
    expect(readFileSync(path, 'utf8')).toBe(before);
    using lock = await InstanceLock.acquire(path, { force: { ...steal, confirm: () => true } });
    expect(lock.held).toBe(true);
  });

  test('asks again where another holds by then, and not where nobody does', async () => {
    const path = lockPath();
    const first = await runningInstance(path);
    let second: Program | undefined;
    const asked: (number | null)[] = [];
    const confirm = async ({ pid }: { pid: number | null }): Promise<boolean> => {
      asked.push(pid);
      if (second === undefined) {
        await first.end();
        second = await runningInstance(path);
      }
      return true;
    };
    const lock = await InstanceLock.acquire(path, { force: { ...steal, confirm } });
    expect(asked).toEqual([first.pid, second?.pid]);
    expect(lock.previous).toMatchObject({ pid: second?.pid });
    lock.releaseSync();

    const third = await runningInstance(path);
    asked.length = 0;
    using free = await InstanceLock.acquire(path, {
      force: { ...steal, confirm: ({ pid }) => third.end().then(() => asked.push(pid) > 0) },
    });
    expect(asked).toEqual([third.pid]);
    expect(free.previous).toBeNull();
  });

  test('a confirm that throws is thrown on, and the holder keeps its file', async () => {
    const path = lockPath();
    const holder = await runningInstance(path);
    const reason = new Error('no terminal');
    for (const how of ['steal', 'terminate'] as const) {
      const confirm = (): never => {
        throw reason;
      };
      await expect(InstanceLock.acquire(path, { force: { how, confirm } })).rejects.toBe(reason);
    }
    expect(await inspect(path)).toMatchObject({ holders: [{ pid: holder.pid }] });
  });

  test('a free lock is simply taken, without a question', async () => {
    for (const how of ['steal', 'terminate'] as const) {
      const confirm = (): never => {
        throw new Error('asked');
      };
      using lock = await InstanceLock.acquire(lockPath(), { force: { how, confirm } });
      expect(lock.previous).toBeNull();
    }
  });

  test("a file that is somebody's data is not replaced", async () => {
    const path = lockPath();
    writeFileSync(path, 'precious');
    const holder = instanceProgram(
      path,
      "const lock = FileLock.acquireSync(path); process.stdin.resume(); say('held');",
    );
    await holder.says('held');
    await expect(InstanceLock.acquire(path, { force: steal })).rejects.toMatchObject({
      code: 'ERR_LOCK_STATE',
      path,
    });
    expect(readFileSync(path, 'utf8')).toBe('precious');
  });

  test('is ERR_LOCK_UNSUPPORTED if it is not possible safely', async () => {
    const path = lockPath();
    await runningInstance(path);
    const before = readFileSync(path, 'utf8');
    const replace = vi.spyOn(checkRequest(path, {}, 0).native, 'replace');
    onTestFinished(() => replace.mockRestore());
    replace.mockReturnValue(-constants.errno.ENOTSUP);
    await expect(InstanceLock.acquire(path, { force: steal })).rejects.toMatchObject({
      code: 'ERR_LOCK_UNSUPPORTED',
      path,
    });
    expect(readFileSync(path, 'utf8')).toBe(before);
  });

  test('a holder that is this very process loses its file, and gets `lost`', async () => {
    const path = lockPath();
    using first = await InstanceLock.acquire(path);
    const lost = new Promise((resolve) => first.once('lost', resolve));
    using second = await InstanceLock.acquire(path, { force: steal });
    expect(second.token).toBeGreaterThan(first.token);
    expect(await lost).toMatchObject({ self: true });
    first.releaseSync();
    expect(second.isCurrent()).toBe(true);
  });

  test('of one that was killed in the meantime is a stale start like any other', async () => {
    const path = lockPath();
    const holder = await runningInstance(path);
    const confirm = (): Promise<boolean> => holder.kill().then(() => true);
    const onStale = vi.fn();
    using lock = await InstanceLock.acquire(path, { onStale, force: { ...steal, confirm } });
    expect(lock.previous).toMatchObject({ pid: holder.pid, running: false });
    expect(onStale.mock.calls).toMatchObject([[{ pid: holder.pid, running: false }]]);
  });

  test.each(['steal', 'terminate'] as const)(
    'an abort while somebody is asked: %s rejects with the reason, and the holder holds',
    async (how) => {
      const path = lockPath();
      const holder = await runningInstance(path);
      const controller = new AbortController();
      const reason = new Error('enough');
      const confirm = (): boolean => {
        controller.abort(reason);
        return true;
      };
      const { signal } = controller;
      const error = await InstanceLock.acquire(path, { signal, force: { how, confirm } }).then(
        (lock) => lock.release(),
        (each: unknown) => each,
      );
      expect(error).toBe(reason);
      expect(isRunning(holder)).toBe(true);
      expect(await inspect(path)).toMatchObject({ holders: [{ pid: holder.pid }] });
    },
  );
});
