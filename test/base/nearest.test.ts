import { describe, expect, test } from 'vitest';
import { nearest } from '../../src/base/argument-errors.js';
import { checkFields } from '../../src/base/arguments.js';
import { limit } from '../support/limit.js';

describe('the name that was probably meant', () => {
  test.each([
    ['wiat', 'wait'],
    ['waits', 'wait'],
    ['timout', 'timeout'],
    ['TIMEOUT', 'timeout'],
    ['con', 'conflict-exit-code'],
    ['bn', undefined],
    ['no', undefined],
    ['wart', 'wait'],
    ['mist', undefined],
    ['a'.repeat(1000), undefined],
  ])('%s: %s', (word, meant) => {
    expect(nearest(word, ['wait', 'nb', 'timeout', 'conflict-exit-code'])).toBe(meant);
  });

  test('of a word as long as a command line can have is found at once', () => {
    const names = Array.from({ length: 100 }, (_, at) => `name-${at}`);
    const began = performance.now();
    expect(nearest('a'.repeat(128 * 1024), names)).toBeUndefined();
    // Letter by letter it is a second.
    expect(performance.now() - began).toBeLessThan(limit(100));
  });

  test('a field of the caller is a mistake if it is misspelt, not if it is shorter', () => {
    const known = new Set(['taskDescription', 'directories']);
    const own = { task: 1, dir: 2, id: 3 };
    expect(checkFields(own, known, 'request')).toBe(own);
    const misspelt = () => checkFields({ directorys: 1 }, known, 'request');
    expect(misspelt).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
  });
});
