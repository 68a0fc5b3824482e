import { existsSync, lstatSync, readdirSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { InstanceLock } from '../../src/instance.js';
import { until } from '../support/census.js';
import { lockPath } from '../support/folder.js';
import { instanceProgram } from '../support/instance.js';
import { limit } from '../support/limit.js';
import { echo, firstHere, firstProgram, send, sendingProgram } from '../support/messages.js';

/** A promise, and what settles it. */
function deferred<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

describe('release', () => {
  test('waits for the handlers, holds meanwhile, and receives nothing new', async () => {
    const path = lockPath();
    const called = deferred();
    const goOn = deferred<string>();
    const seen: unknown[] = [];
    const lock = await firstHere(path, (message) => {
      seen.push(message);
      called.resolve();
      return goOn.promise;
    });
    const answered = send(path, 'one');
    await called.promise;
    const released = lock.release();
    expect(lock.held).toBe(true);
    expect(existsSync(`${path}.sock`)).toBe(false);
    await expect(InstanceLock.acquire(path, { timeout: 20 })).rejects.toMatchObject({
      code: 'ERR_LOCK_HELD',
    });
    const next = InstanceLock.acquireOrSend(path, 'two', { onMessage: echo });
    goOn.resolve('done');
    expect(await answered).toEqual({ answer: 'done', pid: process.pid });
    await released;
    expect(lock.held).toBe(false);
    // Whose message was not received becomes the first.
    await (await next).lock?.release();
    expect(seen).toEqual(['one']);
    expect(readdirSync(dirname(path))).toEqual([]);
    await lock.release();
  });

  test('waits for 5 seconds at most', { tags: ['long'] }, async () => {
    const path = lockPath();
    const called = deferred();
    const aborted = deferred();
    const lock = await firstHere(path, (_, { signal }) => {
      called.resolve();
      signal.addEventListener('abort', () => aborted.resolve());
      return new Promise(() => {});
    });
    const next = InstanceLock.acquireOrSend(path, 1, { onMessage: echo, timeout: 20_000 });
    await called.promise;
    const began = performance.now();
    await lock.release();
    const waited = performance.now() - began;
    expect(waited).toBeGreaterThan(4990);
    expect(waited).toBeLessThan(limit(9000));
    await aborted.promise;
    await (await next).lock?.release();
  });

  test('by the handler, not awaited, waits for its answer as well', async () => {
    const path = lockPath();
    const called = deferred();
    const goOn = deferred<string>();
    let released: Promise<void> | undefined;
    const lock = await firstHere(path, () => {
      released = lock.release();
      called.resolve();
      return goOn.promise;
    });
    const answered = send(path, 'quit');
    await called.promise;
    await expect(InstanceLock.acquire(path, { timeout: 20 })).rejects.toMatchObject({
      code: 'ERR_LOCK_HELD',
    });
    goOn.resolve('bye');
    expect((await answered).answer).toBe('bye');
    await released;
    expect(lock.held).toBe(false);
  });

  test('by releaseSync and using waits for none, and the answer still comes', async () => {
    const path = lockPath();
    const called = deferred();
    const goOn = deferred<string>();
    let answered: Promise<unknown>;
    {
      using _lock = await InstanceLock.acquire(path, {
        onMessage: () => {
          called.resolve();
          return goOn.promise;
        },
      });
      answered = send(path, 1);
      await called.promise;
    }
    expect(readdirSync(dirname(path))).toEqual([]);
    goOn.resolve('late');
    expect(await answered).toEqual({ answer: 'late', pid: process.pid });
  });
});

describe('the process of the first', () => {
  test('does not live on because it listens', async () => {
    const path = lockPath();
    const program = instanceProgram(path, 'await hold({ onMessage() {} }); process.stdin.pause();');
    expect(await program.exited).toMatchObject({ code: 0, stdout: 'held\n', stderr: '' });
    // No code runs at an exit: the lock file goes, the socket stays.
    expect(readdirSync(dirname(path))).toEqual(['test.lock.sock']);
    const lock = await firstHere(path);
    expect((await send(path, 1)).answer).toEqual({ message: 1, pid: process.pid });
    await lock.release();
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test('lives on until it has answered, and ends then', async () => {
    const path = lockPath();
    const first = instanceProgram(
      path,
      `await hold({ onMessage: (message) => {
        process.stdin.pause();
        return new Promise((resolve) => setTimeout(resolve, 50, message).unref());
      } });
      say('listens');`,
    );
    await first.says('listens');
    expect((await send(path, 'x')).answer).toBe('x');
    expect(await first.exited).toMatchObject({ code: 0, stderr: '' });
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('removes the socket at %s', async (signal) => {
    const path = lockPath();
    const first = await firstProgram(path);
    expect(await first.kill(signal)).toMatchObject({ signal });
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test.each([
    ['is killed', "process.kill(process.pid, 'SIGKILL')"],
    ['exits', 'process.exit(0)'],
    ['dies of an error', "setImmediate(() => { throw new Error('on purpose'); })"],
  ])('%s while it handles: the sender becomes the first', async (_, end) => {
    const path = lockPath();
    await firstProgram(path, `() => { ${end}; return new Promise(() => {}); }`);
    const { lock } = await InstanceLock.acquireOrSend(path, 1, { onMessage: echo });
    expect(lock?.held).toBe(true);
    expect((await send(path, 2)).answer).toEqual({ message: 2, pid: process.pid });
    await lock?.release();
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test('ends before it listens: the sender is next at once', async () => {
    const path = lockPath();
    const first = await InstanceLock.acquire(path);
    const sending = InstanceLock.acquireOrSend(path, 1, { onMessage: echo });
    first.releaseSync();
    const { lock } = await sending;
    expect(lock?.held).toBe(true);
    lock?.releaseSync();
  });
});

test('a pending send keeps its process alive', async () => {
  const path = lockPath();
  const goOn = deferred<string>();
  const called = deferred();
  await firstHere(path, () => {
    called.resolve();
    return goOn.promise;
  });
  const sender = sendingProgram(path, 1);
  sender.process.stdin?.end();
  await called.promise;
  goOn.resolve('here');
  const { stdout, stderr } = await sender.exited;
  expect({ answer: JSON.parse(stdout).answer, stderr }).toEqual({ answer: 'here', stderr: '' });
});

describe('force', () => {
  test('steal: messages go to the new one, and the old one leaves its socket alone', async () => {
    const path = lockPath();
    const seen: unknown[] = [];
    const old = await firstHere(path, (message) => void seen.push(message));
    const { signal } = old;
    const thief = instanceProgram(
      path,
      `await hold({ onMessage: (message) => ({ thief: message }), force: { how: 'steal' } });`,
    );
    await thief.says('held');
    // Perhaps before the old one knows.
    expect((await send(path, 1)).answer).toEqual({ thief: 1 });
    const { ino } = lstatSync(`${path}.sock`);
    await until(() => signal.aborted);
    await old.release();
    expect(lstatSync(`${path}.sock`).ino).toBe(ino);
    expect((await send(path, 2)).answer).toEqual({ thief: 2 });
    expect(seen).toEqual([]);
    expect((await thief.end()).code).toBe(0);
  });

  test('steal: one that still has the connection passes the message on, unheard', async () => {
    const path = lockPath();
    const seen: unknown[] = [];
    const old = await firstHere(path, (message) => void seen.push(message));
    // Somebody listens, so there is no warning.
    old.on('lost', () => {});
    const file = await InstanceLock.acquire(path, { force: { how: 'steal' } });
    // Nobody else listens: it is still the old socket.
    const error = await send(path, 1, { timeout: 100 }).catch((reason) => reason);
    expect(error).toMatchObject({ code: 'ERR_INSTANCE_NO_ANSWER' });
    expect(seen).toEqual([]);
    file.releaseSync();
  });

  test('before a sender that became the first listens: it tries again', async () => {
    const path = lockPath();
    await (await firstProgram(path)).kill();
    let calls = 0;
    const { lock } = await InstanceLock.acquireOrSend(path, 1, {
      onMessage: echo,
      onStale: () => {
        if (calls++ === 0) unlinkSync(path);
      },
    });
    expect(calls).toBe(1);
    expect((await send(path, 2)).answer).toEqual({ message: 2, pid: process.pid });
    await lock?.release();
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test('terminate: the new one listens', async () => {
    const path = lockPath();
    const first = await firstProgram(path);
    const lock = await InstanceLock.acquire(path, {
      onMessage: echo,
      force: { how: 'terminate' },
    });
    expect(await first.exited).toMatchObject({ signal: 'SIGTERM' });
    expect((await send(path, 1)).pid).toBe(process.pid);
    await lock.release();
  });
});
