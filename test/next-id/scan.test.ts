import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type NextIdOptions, withNextId } from '../../src/next-id.js';
import { testFolder } from '../support/folder.js';
import { folderWith, LOCK, next } from '../support/next-id.js';
import { counterIn } from '../support/next-id-program.js';
import { ARGUMENT_CODES, errorOf } from '../support/refused.js';
import { isFree } from '../support/several.js';

const [TYPE, , RANGE] = ARGUMENT_CODES;

describe('scan', () => {
  async function* later(...ids: number[]): AsyncGenerator<number> {
    for (const id of ids) {
      await new Promise(setImmediate);
      yield id;
    }
  }
  function* oneByOne(...ids: number[]): Generator<number> {
    yield* ids;
  }
  test.each<[string, NextIdOptions['scan'], number]>([
    ['an array', () => [3, 8, 5], 9],
    ['a set', () => new Set([3, 8]), 9],
    ['a generator', () => oneByOne(3, 8), 9],
    ['an async generator', () => later(3, 8), 9],
    ['a promise of an array', async () => [3, 8], 9],
    ['nothing in it', () => [], 1],
    ['zero', () => [0], 1],
  ])('tells the ids instead of the names: %s', async (_, scan, id) => {
    expect(await next(folderWith('task-100'), { scan })).toBe(id);
  });

  test('is called under the lock', async () => {
    const folder = testFolder();
    const free: boolean[] = [];
    const scan = (): number[] => {
      free.push(isFree(join(folder, LOCK)));
      return [];
    };
    await next(folder, { scan });
    expect(free).toEqual([false]);
  });

  test('the counter counts beside it', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, `${LOCK}.last`), '20\n');
    expect(await next(folder, { scan: () => [3] })).toBe(21);
  });

  const failure = new Error('from scan');
  test.each<[string, NextIdOptions['scan']]>([
    [
      'throws',
      () => {
        throw failure;
      },
    ],
    ['rejects', () => Promise.reject(failure)],
    [
      'throws in the middle',
      async function* () {
        yield 1;
        throw failure;
      },
    ],
  ])('that %s: its error unchanged, nothing created, the lock released', async (_, scan) => {
    const folder = testFolder();
    let created = false;
    const create = (): void => {
      created = true;
    };
    expect(await errorOf(() => withNextId(folder, { scan }, create))).toBe(failure);
    expect(created).toBe(false);
    expect(counterIn(folder)).toBe(null);
    expect(isFree(join(folder, LOCK))).toBe(true);
  });

  test.each<[unknown, string]>([
    [-1, RANGE],
    [1.5, RANGE],
    [Number.NaN, RANGE],
    [Number.POSITIVE_INFINITY, RANGE],
    [Number.MAX_SAFE_INTEGER + 1, RANGE],
    ['7', TYPE],
    [7n, TYPE],
    [null, TYPE],
    [undefined, TYPE],
    [{}, TYPE],
  ])('that tells %s is refused, and the lock is released', async (id, code) => {
    const folder = testFolder();
    const error = await errorOf(() => next(folder, { scan: () => [1, id as number] }));
    expect(error).toMatchObject({ code });
    expect(isFree(join(folder, LOCK))).toBe(true);
  });

  test.each([undefined, null, 7, {}])('that answers %s fails as a TypeError', async (answer) => {
    const folder = testFolder();
    const error = await errorOf(() => next(folder, { scan: () => answer as number[] }));
    expect(error).toBeInstanceOf(TypeError);
    expect(isFree(join(folder, LOCK))).toBe(true);
  });
});
