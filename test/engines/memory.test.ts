import { mock } from 'node:test';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { memoryLocker } from '../../src/testing.js';

afterEach(() => {
  vi.useRealTimers();
  mock.timers.reset();
});

interface Clock {
  start(): void;
  tick(milliseconds: number): void;
}

const nodeTest = (apis: ('setTimeout' | 'Date' | 'setInterval')[]): Clock => ({
  start: () => mock.timers.enable({ apis }),
  tick: (milliseconds) => mock.timers.tick(milliseconds),
});

const vitest = (toFake?: 'setTimeout'[]): Clock => ({
  start: () => void vi.useFakeTimers(toFake === undefined ? {} : { toFake }),
  tick: (milliseconds) => void vi.advanceTimersByTime(milliseconds),
});

const CLOCKS: [string, Clock][] = [
  ['node:test, setTimeout alone', nodeTest(['setTimeout'])],
  ['node:test, Date as well', nodeTest(['setTimeout', 'Date'])],
  ['vitest, setTimeout alone', vitest(['setTimeout'])],
  ['vitest, all', vitest()],
];

describe.each(CLOCKS)('with the timers of %s', (_, clock) => {
  test.each([1, 80.5, 1000, 3_600_000])('a wait of %d ms ends by them', async (timeout) => {
    clock.start();
    const locker = memoryLocker();
    const held = await locker.acquire('/a.lock');
    const seen: unknown[] = [];
    const waiting = locker.acquire('/a.lock', { timeout }).catch((error: unknown) => {
      seen.push(error);
    });
    clock.tick(Math.ceil(timeout) - 1);
    await Promise.resolve();
    await Promise.resolve();
    expect(seen).toEqual([]);
    clock.tick(1);
    await waiting;
    expect(seen).toMatchObject([{ code: 'ERR_LOCK_TIMEOUT', timeout }]);
    await held.release();
    await (await locker.acquire('/a.lock', { timeout: 0 })).release();
  });

  test('an instance says how long it waited', async () => {
    clock.start();
    const locker = memoryLocker({ instance: true });
    await locker.acquire('/a.lock');
    const waiting = locker.acquire('/a.lock', { timeout: 5000 });
    const refused = expect(waiting).rejects.toMatchObject({
      name: 'AlreadyRunningError',
      waited: 5000,
    });
    clock.tick(5000);
    await refused;
  });

  test('a grant comes without them, and leaves no timer', async () => {
    clock.start();
    const locker = memoryLocker();
    const held = await locker.acquire('/a.lock');
    const waiting = locker.acquire('/a.lock', { timeout: 1000 });
    await held.release();
    const next = await waiting;
    clock.tick(2000);
    await next.release();
  });
});

test('an abort in onWait rejects with the reason', async () => {
  const locker = memoryLocker();
  await locker.acquire('m');
  const controller = new AbortController();
  const reason = new Error('enough');
  const waiting = locker.acquire('m', {
    signal: controller.signal,
    onWait: () => controller.abort(reason),
  });
  await expect(waiting).rejects.toBe(reason);
});
