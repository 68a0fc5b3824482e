import { describe, expect, test } from 'vitest';
import { errnoOf } from '../../src/base/errno.js';
import { FileLock } from '../../src/index.js';
import { acquire, acquireSync, tryAcquire } from '../../src/lock/acquire.js';
import { IS_REMOTE, type NativeBinding } from '../../src/native/binding.js';
import { descriptorsTo, until } from '../support/census.js';
import { lockPath } from '../support/folder.js';
import { limit } from '../support/limit.js';
import { Peer } from '../support/peer.js';
import { countingRequest } from '../support/wrapped-binding.js';

const errno =
  (name: Parameters<typeof errnoOf>[0]): (() => number) =>
  () =>
    errnoOf(name);

describe('where the system lends no thread', () => {
  const noThread = (): Partial<NativeBinding> => ({
    startWaiting: errno('EAGAIN'),
    waitHere: errno('EAGAIN'),
  });

  test('a wait polls, and is granted', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    const { request, calls } = countingRequest(path, {}, noThread);
    const pending = acquire(request);
    expect(calls('startWaiting')).toBe(1);
    await peer.release('a');
    const { file } = await pending;
    expect(calls('tryLock')).toBeGreaterThan(1);
    expect(await peer.tryAcquire('b', path)).toBeNull();
    file.close();
  });

  test('a wait polls, and ends at its deadline or by an abort', async () => {
    const path = lockPath();
    using _held = FileLock.acquireSync(path);
    const timed = countingRequest(path, { timeout: 200 }, noThread);
    await expect(acquire(timed.request)).rejects.toMatchObject({ code: 'ERR_LOCK_TIMEOUT' });
    expect(timed.calls('tryLock')).toBeLessThan(25);
    const reason = new Error('enough');
    const controller = new AbortController();
    const aborted = countingRequest(path, { signal: controller.signal }, noThread);
    const pending = acquire(aborted.request);
    controller.abort(reason);
    await expect(pending).rejects.toBe(reason);
    expect(descriptorsTo(path)).toBe(1);
  });

  test('a synchronous wait polls as well', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    const told = [peer.call('busy', 50), peer.release('a')];
    const { request, calls } = countingRequest(path, { timeout: 10_000 }, noThread);
    const { file } = acquireSync(request);
    expect(calls('waitHere')).toBe(1);
    file.close();
    await Promise.all(told);
  });
});

describe('a file system that cannot lock', () => {
  test.each(['ENOLCK', 'ENOSYS', 'ENOTSUP'] as const)(
    'with %s is neither held nor acquired: ERR_LOCK_UNSUPPORTED',
    async (name) => {
      const path = lockPath();
      const request = () => countingRequest(path, {}, () => ({ tryLock: errno(name) })).request;
      const expected = { code: 'ERR_LOCK_UNSUPPORTED', path, cause: { syscall: 'flock' } };
      await expect(acquire(request())).rejects.toMatchObject(expected);
      for (const call of [acquireSync, tryAcquire]) {
        expect(() => call(request())).toThrow(expect.objectContaining({ code: expected.code }));
      }
      expect(descriptorsTo(path)).toBe(0);
    },
  );

  test.each(['EIO', 'EINVAL', 'EBADF'] as const)(
    'with %s throws that, as node:fs would',
    async (name) => {
      const path = lockPath();
      const { request } = countingRequest(path, {}, () => ({ tryLock: errno(name) }));
      await expect(acquire(request)).rejects.toMatchObject({
        code: name,
        errno: -errnoOf(name),
        syscall: 'flock',
        path,
      });
      expect(descriptorsTo(path)).toBe(0);
    },
  );

  test('that shows so only during the wait ends the wait', async () => {
    const path = lockPath();
    const held = FileLock.acquireSync(path);
    const { request } = countingRequest(path, {}, (native) => ({
      finishWaiting: (id, mode) => native.finishWaiting(id, mode) || errnoOf('ENOLCK'),
    }));
    const pending = acquire(request);
    held.releaseSync();
    await expect(pending).rejects.toMatchObject({ code: 'ERR_LOCK_UNSUPPORTED' });
    expect(descriptorsTo(path)).toBe(0);
  });

  test('that fails while it is polled ends the wait', async () => {
    const path = lockPath();
    using _held = FileLock.acquireSync(path);
    let tries = 0;
    const { request } = countingRequest(path, { pollInterval: 1 }, (native) => ({
      tryLock: (id, mode) => (++tries < 4 ? native.tryLock(id, mode) : errnoOf('ENOLCK')),
    }));
    await expect(acquire(request)).rejects.toMatchObject({ code: 'ERR_LOCK_UNSUPPORTED' });
    expect(descriptorsTo(path)).toBe(1);
  });
});

describe('on a network file system', () => {
  const remote = (native: NativeBinding): Partial<NativeBinding> => ({
    traits: (id) => native.traits(id) | IS_REMOTE,
  });

  test('no attempt is made on the thread of the caller', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    const free = countingRequest(path, {}, remote);
    (await acquire(free.request)).file.close();
    expect(free.calls('tryLock')).toBe(0);
    await peer.acquire('a', path);
    const modes: boolean[] = [];
    const { request, calls } = countingRequest(path, {}, (each) => ({
      ...remote(each),
      startWaiting: (id, mode, singleAttempt) => {
        modes.push(singleAttempt);
        return each.startWaiting(id, mode, singleAttempt);
      },
    }));
    const pending = acquire(request);
    await until(() => modes.length > 2);
    await peer.release('a');
    const { file } = await pending;
    expect(calls('tryLock')).toBe(0);
    // A blocked flock may not be cancellable there, so each is an attempt.
    expect(modes.every((single) => single)).toBe(true);
    expect(await peer.tryAcquire('b', path)).toBeNull();
    file.close();
  });

  test('nor synchronously', async () => {
    const path = lockPath();
    const { request, calls } = countingRequest(path, { timeout: 20 }, remote);
    const { file } = acquireSync(request);
    expect(calls('tryLock')).toBe(0);
    expect(() => acquireSync(request)).toThrow();
    file.close();
    expect(descriptorsTo(path)).toBe(0);
  });

  test('a refusal is a refusal', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    await expect(
      acquire(countingRequest(path, { timeout: 0 }, remote).request),
    ).rejects.toMatchObject({ code: 'ERR_LOCK_HELD', holder: { pid: peer.pid } });
    expect(tryAcquire(countingRequest(path, { timeout: 0 }, remote).request)).toBeNull();
    await expect(
      acquire(countingRequest(path, { timeout: 40 }, remote).request),
    ).rejects.toMatchObject({ code: 'ERR_LOCK_TIMEOUT' });
    expect(descriptorsTo(path)).toBe(0);
  });

  // The server does not answer: the attempt is under way and never settles.
  const hanging = (native: NativeBinding): Partial<NativeBinding> => ({
    ...remote(native),
    startWaiting: () => 0,
    waitHere: (_id, _mode, _singleAttempt, milliseconds) => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
      return -1;
    },
  });

  test('a server that does not answer does not hold up an abort', async () => {
    const path = lockPath();
    const reason = new Error('enough');
    const controller = new AbortController();
    const { request } = countingRequest(path, { signal: controller.signal }, hanging);
    const pending = acquire(request);
    controller.abort(reason);
    await expect(pending).rejects.toBe(reason);
    expect(descriptorsTo(path)).toBe(0);
  });

  test('a server that does not answer does not hold up a deadline', async () => {
    const path = lockPath();
    const started = performance.now();
    await expect(
      acquire(countingRequest(path, { timeout: 100 }, hanging).request),
    ).rejects.toMatchObject({ code: 'ERR_LOCK_TIMEOUT' });
    expect(() => acquireSync(countingRequest(path, { timeout: 100 }, hanging).request)).toThrow(
      expect.objectContaining({ code: 'ERR_LOCK_TIMEOUT' }),
    );
    expect(performance.now() - started).toBeLessThan(limit(1200));
    expect(descriptorsTo(path)).toBe(0);
  });
});

describe('a file that is replaced at every look', () => {
  const replaced = (native: NativeBinding): Partial<NativeBinding> => ({
    compare: (id) => {
      native.compare(id);
      return -errnoOf('ESTALE');
    },
  });

  test('is tried until the deadline, without spinning', async () => {
    const path = lockPath();
    const { request, calls } = countingRequest(path, { timeout: 300 }, replaced);
    await expect(acquire(request)).rejects.toMatchObject({ code: 'ERR_LOCK_TIMEOUT' });
    expect(calls('open')).toBeLessThan(40);
    const sync = countingRequest(path, { timeout: 300 }, replaced);
    expect(() => acquireSync(sync.request)).toThrow(
      expect.objectContaining({ code: 'ERR_LOCK_TIMEOUT' }),
    );
    expect(sync.calls('open')).toBeLessThan(40);
    expect(descriptorsTo(path)).toBe(0);
  });

  test('is refused at once by what does not wait', async () => {
    const path = lockPath();
    const request = () => countingRequest(path, { timeout: 0 }, replaced).request;
    await expect(acquire(request())).rejects.toMatchObject({ code: 'ERR_LOCK_HELD' });
    expect(tryAcquire(request())).toBeNull();
    expect(descriptorsTo(path)).toBe(0);
  });
});
