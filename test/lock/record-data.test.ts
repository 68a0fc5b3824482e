import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkData } from '../../src/holders/owner-record.js';
import { FileLock, inspect } from '../../src/index.js';
import { lockPath, testFolder } from '../support/folder.js';
import { ARGUMENT_CODES, errorOf, refused } from '../support/refused.js';

const [TYPE, VALUE, RANGE] = ARGUMENT_CODES;

describe('data', () => {
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  const wrong: [title: string, data: unknown, code: string][] = [
    ['a string', 'port 80', TYPE],
    ['a number', 80, TYPE],
    ['null', null, TYPE],
    ['an array', ['a'], TYPE],
    ['a function', () => {}, TYPE],
    ['what turns into a string', { toJSON: () => 'text' }, TYPE],
    ['what turns into nothing', { toJSON: () => undefined }, TYPE],
    ['what turns into an array', { toJSON: () => ['a'] }, TYPE],
    ['the reserved name pid', { pid: 1 }, VALUE],
    ['the reserved name startedAt', { startedAt: 'now' }, VALUE],
    ['the reserved name holdfast', { holdfast: {} }, VALUE],
    ['a reserved name made by toJSON', { toJSON: () => ({ pid: 1 }) }, VALUE],
    ['a function inside', { a: { b: () => {} } }, VALUE],
    ['a symbol inside', { a: Symbol('s') }, VALUE],
    ['a BigInt', { a: 5n }, VALUE],
    ['a cycle', cycle, VALUE],
    ['NaN', { a: Number.NaN }, VALUE],
    ['an infinite number', { a: [Number.POSITIVE_INFINITY] }, VALUE],
    ['more than a record holds', { a: 'x'.repeat(64 * 1024) }, RANGE],
    ['more bytes than a record holds', { a: 'ä'.repeat(33 * 1024) }, RANGE],
    ['what grows by its escapes', { a: '\u0001'.repeat(11 * 1024) }, RANGE],
  ];

  test.each(wrong)('%s is refused before anything is opened', async (_, data, code) => {
    const folder = testFolder();
    await refused(join(folder, 'test.lock'), { data }, code, folder);
  });

  test.each([
    ['a function', { onExit: function longSource() {} }, /'onExit' is a function$/],
    ['an element', { list: [1, Number.NaN] }, /element 1 is NaN$/],
    ['a date', { at: new Date(Number.NaN) }, /'at' is an invalid Date$/],
    ['a map', { at: new Map() }, /'at' is an instance of Map$/],
    ['a cycle', cycle, /^[^\n]+$/],
    ['a reserved name', { pid: 1 }, /"options\.data\.pid"/],
  ])('the error of %s names what is wrong, in one line', async (_, data, named) => {
    const error = await errorOf(() => FileLock.acquire(lockPath(), { data: data as object }));
    expect((error as Error).message).toMatch(named);
  });

  test.each(wrong.slice(4))('update refuses %s and leaves the record', async (_, data, code) => {
    const path = lockPath();
    using lock = FileLock.acquireSync<Record<string, unknown>>(path, { data: { a: 1 } });
    const before = readFileSync(path, 'utf8');
    expect(await errorOf(() => lock.update(data as object))).toMatchObject({ code });
    expect(readFileSync(path, 'utf8')).toBe(before);
    expect(lock.held).toBe(true);
  });

  test.each([['text'], [5], [null], [undefined], [['a']]])('update(%o) is no patch', (patch) => {
    const path = lockPath();
    using lock = FileLock.acquireSync(path);
    const before = readFileSync(path, 'utf8');
    expect(() => lock.update(patch as never)).toThrow(expect.objectContaining({ code: TYPE }));
    expect(readFileSync(path, 'utf8')).toBe(before);
  });

  test('undefined fields, dates and awkward names are data', async () => {
    const path = lockPath();
    const data = JSON.parse('{"__proto__":{"pid":1},"":1,"\\u2028":"\\ud83d\\ude00"}');
    const at = new Date(0);
    const lock = FileLock.acquireSync<Record<string, unknown>>(path, {
      data: { ...data, at, none: undefined },
    });
    const { record } = await inspect<Record<string, unknown>>(path);
    const expected = { ...data, at: at.toISOString() };
    expect(JSON.stringify(record?.data)).toBe(JSON.stringify(expected));
    expect(record?.pid).toBe(process.pid);
    lock.releaseSync();
  });

  test('the longest data that is accepted can be read back', async () => {
    const path = lockPath();
    let size = 64 * 1024;
    let lock: FileLock<{ a: string }> | null = null;
    while (lock === null) {
      try {
        lock = FileLock.acquireSync(path, { data: { a: 'x'.repeat(size) } });
      } catch (error) {
        expect(error).toMatchObject({ code: RANGE });
        size -= 64;
      }
    }
    expect(size).toBeGreaterThan(60_000);
    expect((await inspect<{ a: string }>(path)).record?.data.a).toHaveLength(size);
    lock.releaseSync();
  });

  test.each([[new Map()], [new Set()], [new Date(Number.NaN)]])('with %o is refused', (a) => {
    expect(() => checkData({ a })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
  });
});
