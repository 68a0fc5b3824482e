import { describe, expect, test } from 'vitest';
import { clock, parseTime } from '../../src/cli/time.js';

describe('times', () => {
  test.each([
    ['30', 30_000],
    ['1.5', 1500],
    ['.5', 500],
    ['5.', 5000],
    ['0', 0],
    ['500ms', 500],
    ['2s', 2000],
    ['10m', 600_000],
    ['1h', 3_600_000],
    ['1d', 86_400_000],
  ])('the time %s', (text, milliseconds) => {
    expect(parseTime(text, '--timeout', 'run')).toBe(milliseconds);
  });

  test.each(['', '.', '-1', '1.5.2', '1 s', '1w', 'ms', 'Infinity', '1e3', '1,5'])(
    'no time: %j',
    (text) => {
      expect(() => parseTime(text, '--timeout', 'run')).toThrow(
        expect.objectContaining({ code: 64 }),
      );
    },
  );

  test.each([
    [0, '0:00'],
    [7999, '0:07'],
    [754_000, '12:34'],
    [3_723_000, '1:02:03'],
    [360_000_000, '100:00:00'],
  ])('%i ms on the clock', (milliseconds, text) => {
    expect(clock(milliseconds)).toBe(text);
  });
});
