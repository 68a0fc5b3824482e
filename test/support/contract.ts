import { existsSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { until } from './census.js';
import { none, patient, queueFor, type Subject } from './contract-subjects.js';
import { limit } from './limit.js';
import { errorOf } from './refused.js';
import { needs } from './tools.js';

/** The contract of every locker, as tests of `subject`. */
export function keepsContract(subject: Subject): void {
  const { title, instance, source, remote, crashes, inOrder, name, make } = subject;
  const test = needs(...subject.tools);
  // What two processes do is the same for both file lockers.
  const tags = remote && instance ? ['long'] : [];
  describe(title, { tags }, () => {
    const here = remote ? none : test;
    const dying = crashes ? test : none;

    const queue = queueFor(subject);

    test('one holds at a time, and the next is granted it on release', async () => {
      const sides = await make();
      const { one, other } = sides;
      const path = name();
      const first = await one.acquire(path);
      const { granted } = await queue(other, path, sides);
      let done = false;
      granted.then(() => (done = true));
      // Shows that nothing happens: a grant in error would come at once.
      await new Promise((resolve) => setTimeout(resolve, 60));
      expect(done).toBe(false);
      await first.release();
      const second = await granted;
      await expect(one.acquire(path, { timeout: 0 })).rejects.toMatchObject({
        code: 'ERR_LOCK_HELD',
      });
      await second.release();
      await (await one.acquire(path, { timeout: 0 })).release();
    });

    test('locks of two paths have nothing to do with each other', async () => {
      const { one, other } = await make();
      const locks = await Promise.all([one.acquire(name()), other.acquire(name())]);
      for (const each of locks) await each.release();
    });

    // The kernel reverses one pair in a hundred. And a wait for a file that its
    // holder removes starts again with the next file: nobody is left out.
    test('the first to wait is the first to be granted it', { retry: 3 }, async () => {
      const sides = await make();
      const { one, other } = sides;
      const path = name();
      const held = await one.acquire(path, patient);
      const order: number[] = [];
      const all: Promise<void>[] = [];
      for (const number of [1, 2, 3]) {
        const { granted } = await queue(number === 2 ? one : other, path, sides, number);
        all.push(
          granted.then((lock) => {
            order.push(number);
            return lock.release();
          }),
        );
      }
      await held.release();
      await Promise.all(all);
      expect(inOrder ? order : order.sort()).toEqual([1, 2, 3]);
    });

    test('timeout 0 is refused at once, with the code, the path and the holder', async () => {
      const { one, other } = await make();
      const path = name();
      const held = await one.acquire(path, { timeout: 0 });
      let waited = false;
      const began = performance.now();
      const options = { timeout: 0, onWait: () => (waited = true) };
      const error = await errorOf(() => other.acquire(path, options));
      expect(performance.now() - began).toBeLessThan(limit(1000));
      expect(error).toMatchObject({
        name: instance ? 'AlreadyRunningError' : 'LockHeldError',
        code: 'ERR_LOCK_HELD',
        path,
        holder: { pid: expect.any(Number), self: !remote, source, verified: true },
        ...(source === 'kernel' && { cause: { code: 'EWOULDBLOCK', syscall: 'flock' } }),
      });
      expect(waited).toBe(false);
      await held.release();
    });

    test('without a timeout it waits, or is refused as a second instance', async () => {
      const sides = await make();
      const { one, other } = sides;
      const path = name();
      const held = await one.acquire(path);
      if (instance) {
        const refused = other.acquire(path);
        await expect(refused).rejects.toMatchObject({ name: 'AlreadyRunningError' });
        await held.release();
        return;
      }
      const { granted } = await queue(other, path, sides, 1, { timeout: undefined });
      await held.release();
      await (await granted).release();
    });

    test('a timeout ends the wait, never early, with the holder', async () => {
      const { one, other } = await make();
      const path = name();
      const held = await one.acquire(path, patient);
      for (const timeout of [1, 80.5]) {
        const began = performance.now();
        const error = await errorOf(() => other.acquire(path, { timeout }));
        const elapsed = performance.now() - began;
        expect(elapsed).toBeGreaterThanOrEqual(timeout);
        // A server may take two seconds more to say that it is held.
        expect(elapsed).toBeLessThan(limit(timeout + (source === 'server' ? 3000 : 1000)));
        const holder = { pid: expect.any(Number), verified: true };
        if (instance) {
          expect(error).toMatchObject({
            name: 'AlreadyRunningError',
            code: 'ERR_LOCK_HELD',
            holder,
          });
          expect((error as { waited: number }).waited).toBeGreaterThanOrEqual(Math.floor(timeout));
        } else {
          expect(error).toMatchObject({ code: 'ERR_LOCK_TIMEOUT', path, timeout, holder });
        }
      }
      // The one that gave up is not granted it later.
      await held.release();
      await (await other.acquire(path, { timeout: 0 })).release();
    });

    test('an abort while it waits rejects with the reason, and leaves the queue', async () => {
      const sides = await make();
      const { one, other } = sides;
      const path = name();
      const held = await one.acquire(path, patient);
      const controller = new AbortController();
      const reason = new Error('enough');
      const first = await queue(other, path, sides, 1, { signal: controller.signal });
      const second = await queue(other, path, sides, 2);
      controller.abort(reason);
      await expect(first.granted).rejects.toBe(reason);
      await held.release();
      await (await second.granted).release();
    });

    here('an abort before the call rejects with the reason', async () => {
      const { one } = await make();
      const path = name();
      const reason = { any: 'thing' };
      const signal = AbortSignal.abort(reason);
      await expect(one.acquire(path, { signal })).rejects.toBe(reason);
      expect(existsSync(path)).toBe(false);
      await (await one.acquire(path, { timeout: 0 })).release();
    });

    test('an abort after the grant changes nothing', async () => {
      const { one, other } = await make();
      const path = name();
      const controller = new AbortController();
      const lock = await one.acquire(path, { signal: controller.signal });
      controller.abort();
      await expect(other.acquire(path, { timeout: 0 })).rejects.toMatchObject({
        code: 'ERR_LOCK_HELD',
      });
      await lock.release();
    });

    test('onWait is called once, with the holder, and not where there is no wait', async () => {
      const { one, other } = await make();
      const path = name();
      const seen: unknown[] = [];
      const onWait = (holder: unknown): void => void seen.push(holder);
      const held = await one.acquire(path, { ...patient, onWait });
      expect(seen).toEqual([]);
      const granted = other.acquire(path, { ...patient, onWait });
      await until(() => seen.length > 0);
      // Shows that nothing happens: a second call would come with the first.
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(seen).toMatchObject([{ pid: expect.any(Number), self: !remote, verified: true }]);
      await held.release();
      await (await granted).release();
      expect(seen).toHaveLength(1);
    });

    here('what onWait throws ends the wait', async () => {
      const { one } = await make();
      const path = name();
      const held = await one.acquire(path);
      const reason = new Error('no');
      const onWait = (): never => {
        throw reason;
      };
      await expect(one.acquire(path, { ...patient, onWait })).rejects.toBe(reason);
      await held.release();
      await (await one.acquire(path, { timeout: 0 })).release();
    });

    test('tokens grow strictly', async () => {
      const { one, other } = await make();
      const path = name();
      let last = 0;
      for (let round = 0; round < 10; round++) {
        const lock = await (round % 2 === 0 ? one : other).acquire(path, patient);
        expect(lock.token).toBeGreaterThan(last);
        expect(Number.isSafeInteger(lock.token)).toBe(true);
        last = lock.token;
        await lock.release();
      }
    });

    test('a second release does nothing, least of all to the next holder', async () => {
      const { one, other } = await make();
      const path = name();
      const first = await one.acquire(path, patient);
      await first.release();
      await first.release();
      await using _second = await other.acquire(path, patient);
      await first.release();
      await first[Symbol.asyncDispose]();
      await expect(one.acquire(path, { timeout: 0 })).rejects.toMatchObject({
        code: 'ERR_LOCK_HELD',
      });
    });

    here('wrong arguments are refused', async () => {
      const { one } = await make();
      const path = name();
      const wrong: [path: unknown, options: unknown, code: string][] = [
        ['', {}, 'ERR_INVALID_ARG_VALUE'],
        [4, {}, 'ERR_INVALID_ARG_TYPE'],
        [path, { timeout: -1 }, 'ERR_OUT_OF_RANGE'],
        [path, { timeout: '1' }, 'ERR_INVALID_ARG_TYPE'],
        [path, { timeout: Number.NaN }, 'ERR_OUT_OF_RANGE'],
        [path, { signal: {} }, 'ERR_INVALID_ARG_TYPE'],
        [path, { onWait: 1 }, 'ERR_INVALID_ARG_TYPE'],
        [path, { mode: 'write' }, 'ERR_INVALID_ARG_VALUE'],
        [path, { modus: 'shared' }, 'ERR_INVALID_ARG_VALUE'],
        ['a\0b', {}, 'ERR_INVALID_ARG_VALUE'],
        [path, 'options', 'ERR_INVALID_ARG_TYPE'],
      ];
      for (const [file, options, code] of wrong) {
        const error = await one.acquire(file as string, options as object).then(
          (lock) => lock.release(),
          (each: unknown) => each,
        );
        expect(error).toMatchObject({ code });
      }
      await (await one.acquire(path, { timeout: Infinity })).release();
    });

    dying('a holder that dies hands it on, and its release is nothing any more', async () => {
      const sides = await make();
      const { one, other, crash } = sides;
      const path = name();
      const dead = await one.acquire(path, patient);
      const { granted } = await queue(other, path, sides);
      await crash?.(path);
      const next = await granted;
      expect(next.token).toBeGreaterThan(dead.token);
      if (!remote) {
        // The server may be faster to tell the next than the one before.
        await until(() => dead.isCurrent?.() === false);
        // A server's does not release what is no longer held, and says so.
        if (source === 'kernel') await dead.release();
        else await expect(dead.release()).rejects.toMatchObject({ code: 'ERR_LOCK_LOST' });
        await expect(one.acquire(path, { timeout: 0 })).rejects.toMatchObject({
          code: 'ERR_LOCK_HELD',
        });
      }
      await next.release();
      await (await other.acquire(path, { timeout: 0 })).release();
    });
  });
}
