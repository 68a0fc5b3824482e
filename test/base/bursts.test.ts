import { expect, test, vi } from 'vitest';
import { afterBurst, inBurst } from '../../src/base/bursts.js';

const turns: (() => void)[] = [];

vi.mock('node:timers', async (original) => ({
  ...(await original<typeof import('node:timers')>()),
  setImmediate: (callback: () => void) => void turns.push(callback),
}));

let clock = 0;
vi.mock('../../src/base/timers.js', async (original) => ({
  ...(await original<typeof import('../../src/base/timers.js')>()),
  monotonicTime: () => clock,
}));

/** The next turn of the event loop. */
const turn = (): void => turns.shift()?.();

const take = (milliseconds: number): void => {
  clock += milliseconds;
};

test('each turn has its share, in order, and what comes after the burst waits for all', () => {
  const done: unknown[] = [];
  for (let work = 0; work < 6; work++) {
    inBurst(() => {
      take(6);
      done.push(work);
    });
  }
  afterBurst(() => done.push('after'));
  const seen: number[] = [done.length];
  while (turns.length > 0) {
    turn();
    seen.push(done.length);
  }
  expect(done).toEqual([0, 1, 2, 3, 4, 5, 'after']);
  // Two of 6 ms begin within 10 ms; after the last two, what was to come after them.
  expect(seen).toEqual([2, 4, 7]);
});

test('work that throws does not stop the rest', () => {
  const done: number[] = [];
  inBurst(() => take(11));
  for (let work = 0; work < 3; work++) {
    inBurst(() => {
      if (work === 0) throw new Error('planted');
      done.push(work);
    });
  }
  expect(turn).toThrow('planted');
  turn();
  expect(done).toEqual([1, 2]);
  while (turns.length > 0) turn();
  inBurst(() => done.push(3));
  expect(done).toEqual([1, 2, 3]);
});
