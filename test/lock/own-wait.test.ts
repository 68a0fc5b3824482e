import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { Callers } from '../../src/base/callers.js';
import type { LockFile } from '../../src/holders/lock-file.js';
import { FileLock } from '../../src/index.js';
import { takeFree } from '../../src/lock/hold.js';
import { checkRequest, type Request } from '../../src/lock/options.js';
import { watchForOwn } from '../../src/lock/self-wait.js';
import { EXCLUSIVE } from '../../src/native/binding.js';
import { lockPath } from '../support/folder.js';
import { Peer } from '../support/peer.js';
import { expectWarning } from '../support/setup.js';

expectWarning('HOLDFAST_WAITS_FOR_ITSELF');

const MILLISECONDS = 20;

/** A wait for a lock that is held, watched as if the ten seconds were 20 ms. */
function watchedWait(
  path: string,
  options: Partial<Request> = {},
): { stop: () => void; isWatched: boolean } {
  const file = takeFree(checkRequest(path, {}, Number.POSITIVE_INFINITY)) as LockFile;
  const request = { timeout: Number.POSITIVE_INFINITY, signal: undefined, onWait: undefined };
  const wait = { file, mode: EXCLUSIVE } as const;
  const stop = watchForOwn(
    { ...request, ...options },
    wait,
    new Callers(watchedWait),
    MILLISECONDS,
  );
  return {
    stop: () => {
      stop?.();
      file.close();
    },
    isWatched: stop !== null,
  };
}

async function warningsWhile(milliseconds: number): Promise<(Error & { detail?: string })[]> {
  const seen: Error[] = [];
  const note = (warning: Error): void => void seen.push(warning);
  process.on('warning', note);
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  process.off('warning', note);
  return seen;
}

describe('a wait without end for a lock that this process has held all the time', () => {
  test('is warned of, once for each path', async () => {
    const path = lockPath();
    using _held = FileLock.acquireSync(path);
    const wait = watchedWait(path);
    const [warning] = (await once(process, 'warning')) as [Error & { detail: string }];
    expect(warning).toMatchObject({ name: 'HoldfastWarning', code: 'HOLDFAST_WAITS_FOR_ITSELF' });
    expect(warning.message).toContain(path);
    expect(warning.detail).toMatch(/own-wait\.test\.ts/);
    wait.stop();
    const again = watchedWait(path);
    expect(again.isWatched).toBe(false);
    again.stop();
  });

  test.each([
    ['timeout', { timeout: 60_000 }],
    ['signal', { signal: new AbortController().signal }],
    ['onWait', { onWait: () => {} }],
  ])('is not warned of with %s', (_, options) => {
    const path = lockPath();
    using _held = FileLock.acquireSync(path);
    const wait = watchedWait(path, options);
    expect(wait.isWatched).toBe(false);
    wait.stop();
  });

  // The second has the lock now, and got it after the third began to wait.
  test('is distinguished from waits that take turns', async () => {
    const path = lockPath();
    const first = FileLock.acquireSync(path);
    // In another millisecond: the record has no finer time.
    const third = watchedWait(path);
    await new Promise((resolve) => setTimeout(resolve, 2));
    first.releaseSync();
    using _second = FileLock.acquireSync(path);
    expect(await warningsWhile(3 * MILLISECONDS)).toEqual([]);
    third.stop();
  });

  test('is distinguished from a wait for another process', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('lock', path);
    const wait = watchedWait(path);
    expect(await warningsWhile(3 * MILLISECONDS)).toEqual([]);
    wait.stop();
  });

  test('leaves the path to the next wait once it has ended', () => {
    const path = lockPath();
    using _held = FileLock.acquireSync(path);
    const one = watchedWait(path);
    const beside = watchedWait(path);
    expect([one.isWatched, beside.isWatched]).toEqual([true, false]);
    one.stop();
    const next = watchedWait(path);
    expect(next.isWatched).toBe(true);
    next.stop();
    beside.stop();
  });

  test('of FileLock.acquire is warned of after ten seconds', { tags: ['long'] }, async () => {
    const path = lockPath();
    const held = await FileLock.acquire(path);
    const waiting = FileLock.acquire(path);
    const began = performance.now();
    const [warning] = (await once(process, 'warning')) as [Error];
    expect(performance.now() - began).toBeGreaterThan(9900);
    expect(warning).toMatchObject({ code: 'HOLDFAST_WAITS_FOR_ITSELF' });
    await held.release();
    await (await waiting).release();
  });
});
