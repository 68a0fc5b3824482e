import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isLockError } from '../../src/index.js';
import { InstanceLock, type OnMessage } from '../../src/instance.js';
import { descriptorsTo } from '../support/census.js';
import { lockPath } from '../support/folder.js';
import { runningInstance } from '../support/instance.js';
import { echo, firstHere, firstProgram, send, sendingProgram } from '../support/messages.js';
import { errorOf } from '../support/refused.js';

describe('acquireOrSend', () => {
  test('the first becomes that, and is not called with its own message', async () => {
    const path = lockPath();
    const seen: unknown[] = [];
    const onMessage: OnMessage = (message) => void seen.push(message);
    const result = await InstanceLock.acquireOrSend(path, 'mine', { onMessage });
    expect(Object.keys(result)).toEqual(['lock']);
    expect(result.lock).toBeInstanceOf(InstanceLock);
    expect(seen).toEqual([]);
    expect(statSync(`${path}.sock`).mode & 0o777).toBe(0o600);
    expect(readdirSync(dirname(path)).sort()).toEqual(['test.lock', 'test.lock.sock']);
    await result.lock?.release();
    expect(readdirSync(dirname(path))).toEqual([]);
    expect(descriptorsTo(dirname(path))).toBe(0);
  });

  test('the second gets the answer of the first, with its pid', async () => {
    const path = lockPath();
    const first = await firstProgram(path);
    const message = { argv: ['a b', '\n', '\u2028', ''], deep: [[[null, 1.5, true]]] };
    expect(await send(path, message)).toEqual({
      answer: { message, pid: process.pid },
      pid: first.pid,
    });
    const other = sendingProgram(path, 'x');
    const { stdout } = await other.exited;
    expect(JSON.parse(stdout)).toEqual({
      answer: { message: 'x', pid: other.pid },
      pid: first.pid,
    });
    expect(descriptorsTo(dirname(path))).toBe(0);
  });

  test('the answer may be any JSON value, nothing, or a promise of it', async () => {
    const path = lockPath();
    const answers = [null, 0, '', false, [], undefined, new Date(0), Promise.resolve({ a: 1 })];
    await firstHere(path, (index) => answers[index as number]);
    const got = [];
    for (const index of answers.keys()) got.push((await send(path, index)).answer);
    expect(got).toEqual([null, 0, '', false, [], undefined, '1970-01-01T00:00:00.000Z', { a: 1 }]);
  });

  test('1 MiB goes both ways, and a byte more does not', async () => {
    const path = lockPath();
    await firstHere(path, (message) => (message === 'more' ? 'x'.repeat(2 ** 20 - 1) : message));
    const most = 'x'.repeat(2 ** 20 - 2);
    expect((await send(path, most)).answer).toBe(most);
    const error = await errorOf(() => send(path, `${most}x`));
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    expect(await errorOf(() => send(path, 'more'))).toMatchObject({
      code: 'ERR_INSTANCE_HANDLER',
      cause: { code: 'ERR_OUT_OF_RANGE' },
    });
  });

  test.each<[unknown, string]>([
    [undefined, 'ERR_INVALID_ARG_TYPE'],
    [() => {}, 'ERR_INVALID_ARG_TYPE'],
    [Symbol('x'), 'ERR_INVALID_ARG_TYPE'],
    [{ toJSON: () => undefined }, 'ERR_INVALID_ARG_TYPE'],
    [1n, 'ERR_INVALID_ARG_VALUE'],
    [Number.NaN, 'ERR_INVALID_ARG_VALUE'],
    [{ deep: { f() {} } }, 'ERR_INVALID_ARG_VALUE'],
    [new Map(), 'ERR_INVALID_ARG_VALUE'],
    [
      {
        toJSON() {
          throw new Error('x');
        },
      },
      'ERR_INVALID_ARG_VALUE',
    ],
  ])('%o is no message, and nothing happens', async (message, code) => {
    const path = lockPath();
    expect(await errorOf(() => send(path, message))).toMatchObject({ code });
    expect(existsSync(path)).toBe(false);
  });

  test('nor is what refers to itself', async () => {
    const circle: unknown[] = [];
    circle.push(circle);
    const code = 'ERR_INVALID_ARG_VALUE';
    expect(await errorOf(() => send(lockPath(), circle))).toMatchObject({ code });
  });

  test('wrong options are refused, and nothing happens', async () => {
    const path = lockPath();
    const cases: [object | undefined, string][] = [
      [undefined, 'ERR_INVALID_ARG_TYPE'],
      [{}, 'ERR_INVALID_ARG_TYPE'],
      [{ onMessage: 'x' }, 'ERR_INVALID_ARG_TYPE'],
      [{ onMessage: echo, timeout: -1 }, 'ERR_OUT_OF_RANGE'],
      [{ onMessage: echo, timeout: '1' }, 'ERR_INVALID_ARG_TYPE'],
      [{ onMessage: echo, signal: {} }, 'ERR_INVALID_ARG_TYPE'],
      [{ onMessage: echo, force: { how: 'steal' } }, 'ERR_INVALID_ARG_VALUE'],
      [{ onMessage: echo, onWait() {} }, 'ERR_INVALID_ARG_VALUE'],
      [{ onMessage: echo, record: false }, 'ERR_INVALID_ARG_VALUE'],
    ];
    for (const [options, code] of cases) {
      const error = await errorOf(() => InstanceLock.acquireOrSend(path, 1, options as never));
      expect([options, (error as NodeJS.ErrnoException).code]).toEqual([options, code]);
    }
    expect(existsSync(path)).toBe(false);
  });
});

describe('a handler that fails', () => {
  test('answers with its error, once', async () => {
    const path = lockPath();
    let calls = 0;
    await firstHere(path, async () => {
      calls++;
      throw Object.assign(new RangeError('no such route'), { code: 'E_ROUTE' });
    });
    const error = await errorOf(() => send(path, 1));
    expect(error).toMatchObject({
      name: 'InstanceHandlerError',
      code: 'ERR_INSTANCE_HANDLER',
      path,
      pid: process.pid,
      cause: { name: 'RangeError', message: 'no such route', code: 'E_ROUTE' },
    });
    expect(isLockError(error, 'ERR_INSTANCE_HANDLER')).toBe(true);
    expect(calls).toBe(1);
  });

  test.each<[string, OnMessage]>([
    [
      'throws no error',
      () => {
        throw 'text';
      },
    ],
    ['throws nothing', () => Promise.reject()],
    [
      'throws what cannot be read',
      () => {
        throw {
          get message() {
            throw new Error();
          },
        };
      },
    ],
    [
      'throws a long text',
      () => {
        throw new Error('x'.repeat(2 ** 21));
      },
    ],
    ['answers what is not JSON', () => 1n],
    ['answers a function', () => () => {}],
  ])('%s: the first goes on', async (_, onMessage) => {
    const path = lockPath();
    await firstHere(path, (message, context) =>
      message === 1 ? 'fine' : onMessage(message, context),
    );
    expect(await errorOf(() => send(path, 0))).toMatchObject({ code: 'ERR_INSTANCE_HANDLER' });
    expect((await send(path, 1)).answer).toBe('fine');
  });
});

describe('without an answer', () => {
  test('a handler that never ends: the sender gives up, and the handler learns of it', async () => {
    const path = lockPath();
    let heard: (reason: unknown) => void = () => {};
    const gone = new Promise((resolve) => {
      heard = resolve;
    });
    const lock = await firstHere(path, (_, { signal }) => {
      signal.addEventListener('abort', () => heard(signal.reason));
      return new Promise(() => {});
    });
    const began = performance.now();
    const error = await errorOf(() => send(path, 1, { timeout: 100 }));
    expect(performance.now() - began).toBeGreaterThanOrEqual(99);
    expect(error).toMatchObject({
      name: 'InstanceNoAnswerError',
      code: 'ERR_INSTANCE_NO_ANSWER',
      path,
      timeout: 100,
      holder: { pid: process.pid, self: true },
    });
    expect(await gone).toBeInstanceOf(Error);
    lock.releaseSync();
  });

  test('a first one that does not listen is named', async () => {
    const path = lockPath();
    const holder = await runningInstance(path);
    const error = await errorOf(() => send(path, 1, { timeout: 120 }));
    expect(error).toMatchObject({ code: 'ERR_INSTANCE_NO_ANSWER', holder: { pid: holder.pid } });
    expect(await errorOf(() => send(path, 1, { timeout: 0 }))).toMatchObject({
      code: 'ERR_INSTANCE_NO_ANSWER',
      timeout: 0,
    });
  });

  test('one that is stopped, too', async () => {
    const path = lockPath();
    const first = await firstProgram(path);
    first.process.kill('SIGSTOP');
    const error = await errorOf(() => send(path, 1, { timeout: 120 }));
    expect(error).toMatchObject({ code: 'ERR_INSTANCE_NO_ANSWER', holder: { pid: first.pid } });
  });

  test('an abort rejects with its reason, before and in the middle', async () => {
    const path = lockPath();
    const reason = { any: 'thing' };
    const aborted = send(path, 1, { signal: AbortSignal.abort(reason) });
    await expect(aborted).rejects.toBe(reason);
    expect(existsSync(path)).toBe(false);
    const controller = new AbortController();
    await firstHere(path, () => {
      controller.abort(reason);
      return new Promise(() => {});
    });
    await expect(send(path, 1, { signal: controller.signal })).rejects.toBe(reason);
    const holder = lockPath();
    using _lock = await InstanceLock.acquire(holder);
    const signal = AbortSignal.timeout(30);
    await expect(send(holder, 1, { signal })).rejects.toMatchObject({ name: 'TimeoutError' });
  });
});

test('acquireSync takes no onMessage', async () => {
  const path = lockPath();
  const error = await errorOf(() => InstanceLock.acquireSync(path, { onMessage: echo } as object));
  expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
  expect(existsSync(path)).toBe(false);
});

test('no message comes before the caller has the lock', async () => {
  const path = lockPath();
  let lock: InstanceLock | undefined;
  const seen: unknown[] = [];
  const acquiring = InstanceLock.acquire(path, { onMessage: () => void seen.push(lock?.held) });
  // They try from the moment at which the lock is held.
  const sending = Array.from({ length: 20 }, (_, index) => send(path, index).catch(() => {}));
  lock = await acquiring;
  await Promise.all(sending);
  expect(seen).toEqual(seen.map(() => true));
  expect(seen.length).toBeGreaterThan(0);
  await lock.release();
});
