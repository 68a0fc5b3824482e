import { expect, test, vi } from 'vitest';
import { elapsedSince, moment } from '../../../src/engines/etcd/clock.js';
import { limit } from '../../support/limit.js';

const { uptime } = vi.hoisted(() => ({ uptime: vi.fn<() => number>() }));
vi.mock('node:os', async (original) => ({ ...(await original<object>()), uptime }));

test('a suspend counts: the uptime goes on where the monotonic clock stands still', () => {
  uptime.mockReturnValue(1000);
  const then = moment();
  expect(elapsedSince(then)).toBeLessThan(limit(1000));
  uptime.mockReturnValue(1060);
  expect(elapsedSince(then)).toBe(60_000);
});

test('an uptime that goes back, or cannot be read, leaves the other clock', () => {
  uptime.mockReturnValue(1000);
  const then = moment();
  uptime.mockReturnValue(10);
  expect(elapsedSince(then)).toBeGreaterThanOrEqual(0);
  uptime.mockImplementation(() => {
    throw new Error('no /proc');
  });
  expect(elapsedSince(then)).toBeLessThan(limit(1000));
  const without = moment();
  uptime.mockReturnValue(5000);
  expect(elapsedSince(without)).toBeLessThan(limit(1000));
});
