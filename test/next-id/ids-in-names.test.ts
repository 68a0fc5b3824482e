import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AmbiguousIdError, withNextId } from '../../src/next-id.js';
import { folderWith, IGNORED, LOCK, next, nothing, warningsOf } from '../support/next-id.js';
import { counterIn } from '../support/next-id-program.js';
import { ARGUMENT_CODES, errorOf } from '../support/refused.js';
import { expectWarning } from '../support/setup.js';
import { isFree } from '../support/several.js';

const [, VALUE] = ARGUMENT_CODES;
expectWarning(IGNORED);

describe('an id in a name', () => {
  test.each<[string, string[], number]>([
    ['the number that names begin with', ['7-task', '9-of-100'], 9],
    ['of decision records', ['0001-record.md', '0002-use-postgres.md', '0003-by-oauth2.md'], 3],
    ['of a roadmap', ['0001-record.md', '0002-roadmap-2024.md', 'template.md', 'README.md'], 2],
    ['of migrations', ['1-oauth2.sql', '2-b.sql', 'env.py', 'meta'], 2],
    ['of timestamps', ['20260301120000_create_users.sql'], 20_260_301_120_000],
    ['of numbers alone', ['7', '0042'], 42],
    ['of two files of one migration', ['0003_a.up.sql', '0003_a.down.sql'], 3],
    ['else their only number', ['task-1', 'task-2'], 2],
    ['whatever is before it', ['feature-7', 'wt-3', 'main'], 7],
    ['whatever is behind it', ['job7.md', 'v3.txt'], 7],
    ['not after ASCII', ['ütask-8ü', 'task--5'], 8],
    ['none without digits', ['task', 'template.md', 'README'], 0],
    ['none with other digits', ['task-٣'], 0],
    ['hidden names do not count', ['.0009-a.md.swp', '.gitkeep2', '0001-a.md', '.DS_Store'], 1],
    ['hidden names alone', ['.task-6', '.7'], 0],
  ])('%s: %j', async (_, names, last) => {
    const warnings = await warningsOf(async () => {
      expect(await next(folderWith(...names))).toBe(last + 1);
    });
    expect(warnings).toEqual([]);
  });

  test.each<[string, string[], string[]]>([
    [
      'some begin with one',
      ['0001-a.md', 'notes-2024.md', 'template.md'],
      ['0001-a.md', 'notes-2024.md'],
    ],
    ['also where those are few', ['task-1', 'task-2', '2fa.md'], ['2fa.md', 'task-']],
    ['several numbers', ['v1.2.3'], ['v1.2.3']],
    ['several in one of them', ['task-1', 'task-2-oauth2'], ['task-2-oauth2']],
    ['a number in the ending', ['clip-7.mp4'], ['clip-7.mp4']],
  ])('is not guessed: %s (%j)', async (_, names, clash) => {
    const folder = folderWith(...names);
    let created = false;
    const create = (): void => {
      created = true;
    };
    const error = await errorOf(() => withNextId(folder, create));
    expect(error).toBeInstanceOf(AmbiguousIdError);
    expect(error).toMatchObject({ code: 'ERR_ID_AMBIGUOUS', path: folder });
    const { message, names: found } = error as AmbiguousIdError;
    expect(found).toHaveLength(clash.length);
    for (const [at, name] of clash.entries()) expect(found[at]).toContain(name);
    for (const name of found) expect(message).toContain(name);
    expect(message).toContain('pattern');
    expect(created).toBe(false);
    expect(counterIn(folder)).toBe(null);
    expect(isFree(join(folder, LOCK))).toBe(true);
    // The way out.
    expect(await next(folder, { pattern: /^(\d+)/ })).toBeGreaterThan(0);
  });

  test('with reuse, the smallest that no name begins with', async () => {
    expect(await next(folderWith('1-oauth2.sql', '2-b.sql'), { reuse: true })).toBe(3);
    expect(await next(folderWith('1-oauth2.sql', '3-b.sql'), { reuse: true })).toBe(2);
  });

  test('a counter beside names that are not clear does not make them clear', async () => {
    const folder = folderWith('0001-a.md', 'notes-2024.md');
    writeFileSync(join(folder, `${LOCK}.last`), '1\n');
    expect(await errorOf(() => next(folder))).toMatchObject({ code: 'ERR_ID_AMBIGUOUS' });
  });

  test('a name that create makes unclear does not hide its error', async () => {
    const folder = folderWith('task-1');
    const failure = new Error('from create');
    const create = (): void => {
      mkdirSync(join(folder, 'task-2-oauth2'));
      throw failure;
    };
    const warnings = await warningsOf(async () => {
      expect(await errorOf(() => withNextId(folder, create))).toBe(failure);
    });
    expect(warnings).toHaveLength(1);
  });

  test('a name that would write to the terminal is made harmless in the error', async () => {
    const name = '\u001b[31mtask-1-2\n';
    const error = (await errorOf(() => next(folderWith(name)))) as AmbiguousIdError;
    expect(error.names).toEqual([name]);
    expect(error.message).not.toMatch(/\p{Cc}/u);
  });

  test.each<[string, RegExp, number]>([
    ['its first group', /^(\d+)-/, 13],
    ['the flag g does not go on where it stopped', /^(\d+)-/g, 13],
    ['the flag y neither', /(\d+)-/y, 13],
    ['a named group', /^(?<id>\d+)-/u, 13],
    ['a group that has no part in the match', /^(?:(\d+)-|readme)/, 13],
    ['names that do not match have no id', /^(3)-/, 4],
  ])('with a pattern: %s', async (_, pattern, id) => {
    const folder = folderWith('3-of-20', '12-of-100', '5', 'readme');
    expect(await next(folder, { pattern })).toBe(id);
    // And a second time with the same one.
    rmSync(join(folder, `${LOCK}.last`));
    expect(await next(folder, { pattern })).toBe(id);
  });

  test('a pattern without a group is refused, for it finds no id', async () => {
    const folder = folderWith('task-7');
    const error = await errorOf(() => next(folder, { pattern: /task-\d+/ }));
    expect(error).toMatchObject({ code: VALUE });
    expect(readdirSync(folder)).toEqual(['task-7']);
  });

  test.each([
    ['beyond what is safe', 'task-9007199254740992', undefined],
    ['far beyond', `task-${'9'.repeat(200)}`, undefined],
    ['negative', 'task-5', /task(-\d+)/],
    ['a fraction', 'task-1.5', /task-([\d.]+)/],
    ['a word', 'task-five', /task-(\w+)/],
    ['empty', 'task-', /task-(\d*)/],
  ])('%s is ignored with a warning', async (_, name, pattern) => {
    const folder = folderWith('task-3', name);
    rmSync(join(folder, pattern === undefined ? 'none' : 'task-3'), { force: true });
    const expected = pattern === undefined ? 4 : 1;
    const warnings = await warningsOf(async () => {
      expect(await next(folder, { pattern })).toBe(expected);
    });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(name.slice(0, 30));
  });

  test('one that would write to the terminal is made harmless in the warning', async () => {
    const folder = folderWith(`\u001b[m\n${'9'.repeat(30)}`);
    const [warning = ''] = await warningsOf(() => next(folder));
    expect(warning).toContain('9'.repeat(30));
    expect(warning).not.toMatch(/\p{Cc}/u);
  });

  test('entries whose name begins with lockName are not scanned', async () => {
    const pattern = /(\d+)/;
    const folder = folderWith(`${LOCK}.77`, `${LOCK}-78`, 'task-2');
    expect(await next(folder, { pattern })).toBe(3);
    const other = folderWith('.wt.lock.77', `${LOCK}.78`);
    expect(await next(other, { lockName: '.wt.lock', pattern })).toBe(79);
    const plain = folderWith('ids.77', 'task-2');
    expect(await next(plain, { lockName: 'ids' })).toBe(3);
  });
});

describe('the width', () => {
  test.each<[string, string[], string]>([
    ['kept', ['0001-a.md', '0003-b.md'], '0004'],
    ['kept where the last is as long', ['0009', '0010'], '0011'],
    ['kept behind a name', ['task-07', 'task-12'], '13'],
    ['kept beside longer ones', ['001', '999', '1000'], '1001'],
    ['kept for the first longer one', ['0001', '9999'], '10000'],
    ['of the only one', ['08'], '09'],
    ['not there where there are no zeros', ['10', '11'], '12'],
    ['not guessed of different ones', ['01', '002'], '3'],
    ['not guessed where some have none', ['7', '0042'], '43'],
    ['that of zero', ['0'], '1'],
    ['that of two zeros', ['00'], '01'],
    ['not that of timestamps', ['20260301120000_a.sql'], '20260301120001'],
  ])('is %s: %j', async (_, names, text) => {
    const folder = folderWith(...names);
    const given = await withNextId(folder, (id, context) => [id, context.text]);
    expect(given).toEqual({ id: Number(text), text, value: [Number(text), text] });
  });

  test('is that of what a pattern finds', async () => {
    const folder = folderWith('2024-007', '2024-011');
    const options = { pattern: /-(\d+)$/ };
    expect(await withNextId(folder, options, nothing)).toMatchObject({ id: 12, text: '012' });
  });

  test.each<[number, string[], string]>([
    [4, [], '0001'],
    [1, ['0003'], '4'],
    [2, ['0003'], '04'],
    [2, ['99'], '100'],
    [16, [], '0000000000000001'],
  ])('pad %i beside %j: %s', async (pad, names, text) => {
    const folder = folderWith(...names);
    expect(await withNextId(folder, { pad }, nothing)).toMatchObject({ text, id: Number(text) });
    expect(counterIn(folder)).toBe(`${Number(text)}\n`);
  });

  test('with scan there is none but pad', async () => {
    const folder = folderWith('0007');
    const scan = () => [7];
    expect(await withNextId(folder, { scan }, nothing)).toMatchObject({ text: '8' });
    expect(await withNextId(folder, { scan, pad: 3 }, nothing)).toMatchObject({ text: '009' });
  });
});
