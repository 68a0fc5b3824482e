// What the program sees of a wait that goes on in callbacks: the stack of its
// error, its own asynchronous context, its own errors.
import { AsyncLocalStorage } from 'node:async_hooks';
import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { acquire } from '../../src/lock/acquire.js';
import { IS_REMOTE, type NativeBinding } from '../../src/native/binding.js';
import { lockPath } from '../support/folder.js';
import { Peer } from '../support/peer.js';
import { errorOf } from '../support/refused.js';
import { runScript } from '../support/script.js';
import { countingRequest } from '../support/wrapped-binding.js';

const remote = (native: NativeBinding): Partial<NativeBinding> => ({
  traits: (id) => native.traits(id) | IS_REMOTE,
});

describe('the error of a wait', () => {
  test.each([{ timeout: 20 }, { timeout: 0 }])('with %o shows who called', async (options) => {
    const path = lockPath();
    using _lock = FileLock.acquireSync(path);
    const whoCalls = () => FileLock.acquire(path, options);
    const { stack } = (await errorOf(whoCalls)) as Error;
    const lines = String(stack).split('\n    at ');
    expect(lines[0]).toContain(path);
    expect(lines[1]).toContain('acquire');
    expect(lines[2]).toContain('whoCalls');
  });

  test('is reported although the program cannot show stacks', async () => {
    const path = lockPath();
    const { reports, stderr } = await runScript(
      path,
      `
      const lock = FileLock.acquireSync(path);
      const refusals = async (count, timeout) => {
        const codes = Array.from({ length: count }, () =>
          FileLock.acquire(path, { timeout }).catch((error) => error.code));
        return [...new Set(await Promise.all(codes))];
      };
      Error.prepareStackTrace = () => { throw new Error('planted'); };
      const during = await refusals(50, 20);
      Error.prepareStackTrace = undefined;
      report([during, await refusals(2, 20)]);
      `,
    );
    expect(stderr).toBe('');
    expect(reports).toEqual([[['ERR_LOCK_TIMEOUT'], ['ERR_LOCK_TIMEOUT']]]);
  });

  test('that onWait threw is what it threw, here and on a network file system', async () => {
    const path = lockPath();
    using _lock = FileLock.acquireSync(path);
    for (const change of [remote, () => ({})]) {
      const planted = new Error('planted');
      const { stack } = planted;
      const onWait = () => {
        throw planted;
      };
      const { request } = countingRequest(path, { onWait }, change);
      await expect(acquire(request)).rejects.toBe(planted);
      expect(planted.stack).toBe(stack);
    }
  });
});

test('onWait runs in the context of the call, here and on a network file system', async () => {
  const path = lockPath();
  const storage = new AsyncLocalStorage<string>();
  using _lock = FileLock.acquireSync(path);
  for (const change of [remote, () => ({})]) {
    let seen: string | undefined;
    const controller = new AbortController();
    const onWait = () => {
      seen = storage.getStore();
      controller.abort();
    };
    const { request } = countingRequest(path, { signal: controller.signal, onWait }, change);
    await errorOf(() => storage.run('of the call', () => acquire(request)));
    expect(seen).toBe('of the call');
  }
});

test('previous is a property of its own, also of a lock that was waited for', async () => {
  const path = lockPath();
  const holder = await Peer.start();
  await holder.acquire('a', path, { data: { port: 80 } });
  const pending = FileLock.acquire(path);
  await holder.kill();
  using lock = await pending;
  expect(Object.keys(lock)).toEqual(['path', 'previous']);
  expect(lock.previous).toMatchObject({ pid: holder.pid, data: { port: 80 } });
  writeFileSync(`${path}.new`, '');
  using free = FileLock.acquireSync(`${path}.new`);
  expect(Object.keys(free)).toEqual(['path', 'previous']);
  expect(free.previous).toBeNull();
});
