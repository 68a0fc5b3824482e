import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type NextIdOptions, withNextId } from '../../src/next-id.js';
import { testFolder } from '../support/folder.js';
import { folderWith, LOCK, next } from '../support/next-id.js';
import { counterIn } from '../support/next-id-program.js';
import { ARGUMENT_CODES, errorOf } from '../support/refused.js';
import { isFree } from '../support/several.js';

const [, , RANGE] = ARGUMENT_CODES;

describe('start', () => {
  test.each<[string, number, string[], number]>([
    ['is the first', 100, [], 100],
    ['may be 0', 0, [], 0],
    ['is skipped where a larger one is there', 5, ['9'], 10],
    ['wins where all are smaller', 5, ['2'], 5],
    ['itself is taken', 5, ['5'], 6],
  ])('%s', async (_, start, names, id) => {
    expect(await next(folderWith(...names), { start })).toBe(id);
  });

  test('0 is followed by 1', async () => {
    const folder = testFolder();
    expect([await next(folder, { start: 0 }), await next(folder, { start: 0 })]).toEqual([0, 1]);
  });

  test('with reuse, none below it is given', async () => {
    expect(await next(folderWith('5', '6', '9'), { start: 5, reuse: true })).toBe(7);
  });
});

describe('the last safe integer', () => {
  const LAST = Number.MAX_SAFE_INTEGER;
  test('is given, and then there is none', async () => {
    const folder = testFolder();
    expect(await next(folder, { start: LAST })).toBe(LAST);
    let created = false;
    const create = (): void => {
      created = true;
    };
    const error = await errorOf(() => withNextId(folder, create));
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ code: RANGE });
    expect(created).toBe(false);
    expect(counterIn(folder)).toBe(`${LAST}\n`);
    expect(isFree(join(folder, LOCK))).toBe(true);
  });

  test.each<[string, (folder: string) => NextIdOptions]>([
    [
      'in a name',
      (folder) => {
        writeFileSync(join(folder, String(LAST)), '');
        return {};
      },
    ],
    ['from scan', () => ({ scan: () => [LAST] })],
    ['with reuse', () => ({ reuse: true, start: LAST, scan: () => [LAST] })],
  ])('used up %s', async (_, make) => {
    const folder = testFolder();
    expect(await errorOf(() => next(folder, make(folder)))).toMatchObject({ code: RANGE });
  });

  test('with reuse, there are others', async () => {
    expect(await next(folderWith(String(LAST), '1'), { reuse: true })).toBe(2);
  });
});
