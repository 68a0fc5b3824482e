import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { AlreadyRunningError, InstanceLock } from '../../src/instance.js';
import { memoryLocker } from '../../src/testing.js';
import { lockPath } from '../support/folder.js';
import { firstProgram } from '../support/messages.js';
import { errorOf } from '../support/refused.js';

describe('AlreadyRunningError.send', () => {
  test('sends to the instance that refused it', async () => {
    const path = lockPath();
    const first = await firstProgram(path);
    for (const refused of [
      await errorOf(() => InstanceLock.acquire(path)),
      await errorOf(() => InstanceLock.acquire(path, { timeout: 10 })),
      await errorOf(() => InstanceLock.acquireSync(path)),
    ]) {
      expect(refused).toBeInstanceOf(AlreadyRunningError);
      expect(await (refused as AlreadyRunningError).send(['x'])).toEqual({
        answer: { message: ['x'], pid: process.pid },
        pid: first.pid,
      });
    }
  });

  test('does not become the first, and gives up', async () => {
    const path = lockPath();
    const lock = await InstanceLock.acquire(path);
    const refused = (await errorOf(() => InstanceLock.acquire(path))) as AlreadyRunningError;
    lock.releaseSync();
    const error = await errorOf(() => refused.send(1, { timeout: 60 }));
    expect(error).toMatchObject({ code: 'ERR_INSTANCE_NO_ANSWER', holder: null, timeout: 60 });
    expect(existsSync(path)).toBe(false);
    const reason = new Error('enough');
    await expect(refused.send(1, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    for (const [options, code] of [
      [{ timeout: -1 }, 'ERR_OUT_OF_RANGE'],
      [{ timeuot: 1 }, 'ERR_INVALID_ARG_VALUE'],
      [{ signal: 1 }, 'ERR_INVALID_ARG_TYPE'],
    ] as const) {
      expect(await errorOf(() => refused.send(1, options as never))).toMatchObject({ code });
    }
  });

  test('of a lock that is not a file is unsupported', async () => {
    const locker = memoryLocker({ instance: true });
    await locker.acquire('x');
    const refused = (await errorOf(() => locker.acquire('x'))) as AlreadyRunningError;
    expect(await errorOf(() => refused.send(1))).toMatchObject({ code: 'ERR_LOCK_UNSUPPORTED' });
  });
});
