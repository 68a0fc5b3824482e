import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fileLocker } from '../../src/index.js';
import { type Create, type NextIdOptions, withNextId } from '../../src/next-id.js';
import { testFolder } from '../support/folder.js';
import { next, nothing } from '../support/next-id.js';
import { ARGUMENT_CODES, errorOf } from '../support/refused.js';

const [TYPE, VALUE, RANGE] = ARGUMENT_CODES;

const wrong: [title: string, options: unknown, code: string][] = [
  ['options null', null, TYPE],
  ['options a number', 7, TYPE],
  ['options an array', [], TYPE],
  ['options a function', nothing, TYPE],
  ['pattern a string', { pattern: '\\d+' }, TYPE],
  ['pattern null', { pattern: null }, TYPE],
  ['pattern like a RegExp', { pattern: { exec: () => null } }, TYPE],
  ['scan no function', { scan: [1] }, TYPE],
  ['scan null', { scan: null }, TYPE],
  ['lockName a number', { lockName: 7 }, TYPE],
  ['lockName null', { lockName: null }, TYPE],
  ['lockName empty', { lockName: '' }, VALUE],
  ['lockName .', { lockName: '.' }, VALUE],
  ['lockName ..', { lockName: '..' }, VALUE],
  ['lockName with a slash', { lockName: 'a/b' }, VALUE],
  ['lockName that climbs', { lockName: '../lock' }, VALUE],
  ['lockName with NUL', { lockName: 'a\0b' }, VALUE],
  ['lockName with half a character', { lockName: 'caf\udce9' }, VALUE],
  ['lockName too long', { lockName: 'a'.repeat(251) }, VALUE],
  ['lockName too long in bytes', { lockName: 'é'.repeat(126) }, VALUE],
  ['lockName huge', { lockName: 'a'.repeat(1_000_000) }, VALUE],
  ['timeout a string', { timeout: '30' }, TYPE],
  ['timeout null', { timeout: null }, TYPE],
  ['timeout NaN', { timeout: Number.NaN }, RANGE],
  ['timeout negative', { timeout: -1 }, RANGE],
  ['reuse a string', { reuse: 'yes' }, TYPE],
  ['reuse 1', { reuse: 1 }, TYPE],
  ['reuse null', { reuse: null }, TYPE],
  ['start a string', { start: '1' }, TYPE],
  ['start a bigint', { start: 1n }, TYPE],
  ['start null', { start: null }, TYPE],
  ['start NaN', { start: Number.NaN }, RANGE],
  ['start negative', { start: -1 }, RANGE],
  ['start a fraction', { start: 1.5 }, RANGE],
  ['start Infinity', { start: Number.POSITIVE_INFINITY }, RANGE],
  ['start unsafe', { start: Number.MAX_SAFE_INTEGER + 1 }, RANGE],
  ['with a string', { with: 'other' }, TYPE],
  ['with null', { with: null }, TYPE],
  ['with a number in it', { with: [7] }, TYPE],
  ['with an empty path in it', { with: [''] }, VALUE],
  ['pad a string', { pad: '4' }, TYPE],
  ['pad null', { pad: null }, TYPE],
  ['pad NaN', { pad: Number.NaN }, RANGE],
  ['pad 0', { pad: 0 }, RANGE],
  ['pad a fraction', { pad: 1.5 }, RANGE],
  ['pad too large', { pad: 17 }, RANGE],
  ['locker null', { locker: null }, TYPE],
  ['locker without acquire', { locker: {} }, TYPE],
  ['locker a function', { locker: fileLocker }, TYPE],
  ['signal null', { signal: null }, TYPE],
  ['signal no signal', { signal: { aborted: false } }, TYPE],
];

describe('what is refused, before anything is created', () => {
  test.each(wrong)('%s', async (_, options, code) => {
    const folder = testFolder();
    let created = false;
    const error = await errorOf(() =>
      withNextId(join(folder, 'ids'), options as NextIdOptions, () => {
        created = true;
      }),
    );
    expect(error).toMatchObject({ code });
    expect(error).toBeInstanceOf(code === RANGE ? RangeError : TypeError);
    expect(created).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each<[unknown, string]>([
    [undefined, TYPE],
    [null, TYPE],
    [7, TYPE],
    [new Uint8Array([97]), TYPE],
    [new URL('https://example.org/a'), TYPE],
    ['', VALUE],
    ['a\0b', VALUE],
  ])('the folder %s', async (directory, code) => {
    expect(await errorOf(() => next(directory as string))).toMatchObject({ code });
  });

  test.each([[undefined], [null], ['text'], [{}]])('create %s', async (create) => {
    const folder = testFolder();
    const wrongCreate = create as unknown as Create<void>;
    for (const call of [
      () => withNextId(join(folder, 'ids'), wrongCreate),
      () => withNextId(join(folder, 'ids'), {}, wrongCreate),
    ]) {
      expect(await errorOf(call)).toMatchObject({ code: TYPE });
    }
    const bare = withNextId as (directory: string) => Promise<unknown>;
    expect(await errorOf(() => bare(join(folder, 'ids')))).toMatchObject({ code: TYPE });
    expect(readdirSync(folder)).toEqual([]);
  });
});
