import { expect, test, vi } from 'vitest';
import { afterBurst, inBurst } from '../../src/base/bursts.js';

const turns: (() => void)[] = [];

vi.mock('node:timers', async (original) => ({
  ...(await original<typeof import('node:timers')>()),
  setImmediate: (callback: () => void) => void turns.push(callback),
}));

/** The next turn of the event loop. */
const turn = (): void => turns.shift()?.();

const spin = (milliseconds: number): void => {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
};

test('each turn has its share, in order, and what comes after the burst waits for all', () => {
  const done: unknown[] = [];
  for (let work = 0; work < 6; work++) {
    inBurst(() => {
      spin(6);
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
  // Two of 6 ms begin within 10 ms.
  for (const [index, count] of seen.entries()) {
    expect(count - (seen[index - 1] ?? 0)).toBeLessThanOrEqual(3);
  }
});

test('work that throws does not stop the rest', () => {
  const done: number[] = [];
  inBurst(() => spin(11));
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
