import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { joinPath } from '../../src/base/paths.js';
import { giveNextId } from '../../src/next-id/next-id.js';
import { withNextId } from '../../src/next-id.js';
import { memoryLocker } from '../../src/testing.js';
import { testFolder } from '../support/folder.js';
import { errorOf } from '../support/refused.js';

const LOCK = '.next-id.lock';

/** `café` in Latin-1, in a folder where its look-alike is not. */
function cafe(): { base: string; folder: Buffer } {
  const base = testFolder();
  const folder = joinPath(base, Buffer.from('caf\xe9', 'latin1')) as Buffer;
  mkdirSync(folder);
  return { base, folder };
}

const onlyCafe = (base: string): void => {
  expect(readdirSync(base, 'buffer')).toEqual([Buffer.from('caf\xe9', 'latin1')]);
};

describe('names that are not UTF-8', () => {
  test.each<[string, number]>([
    ['7-caf\xe9', 7],
    ['caf\xe97', 7],
    ['\xe97\xe9', 7],
    ['\xc37', 7],
    ['\xf0\x9f7', 7],
  ])('have their digits: %j', async (name, id) => {
    const folder = testFolder();
    writeFileSync(joinPath(folder, Buffer.from(name, 'latin1')), '');
    expect((await withNextId(folder, () => {})).id).toBe(id + 1);
  });
});

describe('a folder whose name is not UTF-8', () => {
  test('has its own ids and its own counter, also beside others', async () => {
    const { base, folder } = cafe();
    writeFileSync(joinPath(folder, '0007-a'), '');
    const plain = testFolder();
    writeFileSync(join(plain, '0009-a'), '');
    const memory = memoryLocker();
    const locked: string[] = [];
    const acquire: NonNullable<Parameters<typeof giveNextId>[3]> = (path, options) => {
      const bytes = Buffer.from(path as string).toString('latin1');
      locked.push(bytes);
      return memory.acquire(`/${encodeURIComponent(bytes)}`, options);
    };
    const given = await giveNextId(folder, undefined, (_, { text }) => text, acquire);
    expect(given).toEqual({ id: 8, text: '0008', value: '0008' });
    expect(locked).toEqual([`${base}/caf\xe9/${LOCK}`]);
    expect(readFileSync(joinPath(folder, `${LOCK}.last`), 'utf8')).toBe('8\n');
    expect(await giveNextId(plain, { with: [folder] }, () => {}, acquire)).toMatchObject({
      id: 10,
    });
    expect(readFileSync(joinPath(folder, `${LOCK}.last`), 'utf8')).toBe('10\n');
    onlyCafe(base);
  });

  test('is refused with a locker, which takes text; nothing is created', async () => {
    const { base, folder } = cafe();
    const options = { locker: memoryLocker() };
    const refusal = { code: 'ERR_INVALID_ARG_VALUE' };
    expect(await errorOf(() => withNextId(folder, options, () => {}))).toMatchObject(refusal);
    const plain = testFolder();
    const others = { ...options, with: [folder] };
    expect(await errorOf(() => withNextId(plain, others, () => {}))).toMatchObject(refusal);
    expect(readdirSync(folder)).toEqual([]);
    expect(readdirSync(plain)).toEqual([]);
    onlyCafe(base);
  });
});
