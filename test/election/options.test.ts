import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Election, type ElectionOptions } from '../../src/election.js';
import { ELECTION, member, soon } from '../support/election-member.js';
import { testFolder } from '../support/folder.js';
import { errorOf } from '../support/refused.js';
import { runScript } from '../support/script.js';
import { needs } from '../support/tools.js';

describe('bad input', () => {
  const ids: [unknown, string][] = [
    ['', 'ERR_INVALID_ARG_VALUE'],
    ['a/b', 'ERR_INVALID_ARG_VALUE'],
    ['../a', 'ERR_INVALID_ARG_VALUE'],
    ['a\0b', 'ERR_INVALID_ARG_VALUE'],
    ['.', 'ERR_INVALID_ARG_VALUE'],
    ['..', 'ERR_INVALID_ARG_VALUE'],
    ['.primary', 'ERR_INVALID_ARG_VALUE'],
    ['x'.repeat(251), 'ERR_INVALID_ARG_VALUE'],
    ['x'.repeat(300), 'ERR_INVALID_ARG_VALUE'],
    ['é'.repeat(126), 'ERR_INVALID_ARG_VALUE'],
    ['\ud800', 'ERR_INVALID_ARG_VALUE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
    [7, 'ERR_INVALID_ARG_TYPE'],
    [Symbol('id'), 'ERR_INVALID_ARG_TYPE'],
    [['a'], 'ERR_INVALID_ARG_TYPE'],
  ];
  const settles: [unknown, string][] = [
    [Number.NaN, 'ERR_OUT_OF_RANGE'],
    [-1, 'ERR_OUT_OF_RANGE'],
    [Number.POSITIVE_INFINITY, 'ERR_OUT_OF_RANGE'],
    [1e12, 'ERR_OUT_OF_RANGE'],
    ['150', 'ERR_INVALID_ARG_TYPE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
  ];
  const circular: Record<string, unknown> = {};
  circular['self'] = circular;
  const data: [unknown, string][] = [
    [circular, 'ERR_INVALID_ARG_VALUE'],
    [{ big: 1n }, 'ERR_INVALID_ARG_VALUE'],
    [{ call() {} }, 'ERR_INVALID_ARG_VALUE'],
    [{ text: 'x'.repeat(1_000_000) }, 'ERR_OUT_OF_RANGE'],
    [{ pid: 1 }, 'ERR_INVALID_ARG_VALUE'],
    ['text', 'ERR_INVALID_ARG_TYPE'],
    [[1], 'ERR_INVALID_ARG_TYPE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
  ];
  const options: [unknown, string][] = [
    ...ids.map(([id, code]): [unknown, string] => [{ id }, code]),
    ...settles.map(([settle, code]): [unknown, string] => [{ settle }, code]),
    ...data.map(([each, code]): [unknown, string] => [{ data: each }, code]),
    [{ signal: {} }, 'ERR_INVALID_ARG_TYPE'],
    ['options', 'ERR_INVALID_ARG_TYPE'],
    [null, 'ERR_INVALID_ARG_TYPE'],
  ];

  test.each(options.map(([each, code], at) => ({ at, each, code })))(
    'options $at are refused with $code, and nothing is left on disk',
    async ({ each, code }) => {
      const root = testFolder();
      const directory = join(root, 'folder');
      const error = await errorOf(() => Election.join(directory, each as ElectionOptions));
      expect(error).toMatchObject({ code });
      expect(error).toBeInstanceOf(code === 'ERR_OUT_OF_RANGE' ? RangeError : TypeError);
      expect(readdirSync(root)).toEqual([]);
    },
  );

  test.each([undefined, null, 7, '', 'a\0b', {}, 'https://example.org/'].map((each) => [each]))(
    'a folder %j is refused',
    async (directory) => {
      const given = directory === 'https://example.org/' ? new URL(directory) : directory;
      const error = await errorOf(() => Election.join(given as string));
      expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_INVALID_/) });
    },
  );

  test('a folder that is a file, or below one, is an error of the system', async () => {
    const file = join(testFolder(), 'file');
    writeFileSync(file, 'mine');
    for (const path of [file, join(file, 'folder')]) {
      const error = await errorOf(() => Election.join(path));
      expect(error).toMatchObject({ code: expect.stringMatching(/^(ENOTDIR|EEXIST)$/) });
    }
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  test('ids of 250 bytes, with spaces, dots, newlines and in any script are good', async () => {
    const directory = testFolder();
    const good = [
      'x'.repeat(250),
      'é'.repeat(125),
      'a b',
      'a.b',
      'a\nb',
      '日本',
      '-x',
      'a\\b',
      '~',
    ];
    const all = await Promise.all(good.map((id) => member(directory, { id })));
    const listed = (await all[0]?.members())?.map(({ id }) => id);
    expect(listed).toEqual([...good].sort());
  });

  test('undefined options are those that are missing', async () => {
    const nothing = { id: undefined, settle: undefined, data: undefined, signal: undefined };
    const election = await member(testFolder(), nothing);
    await soon(election.whenPrimary({ signal: undefined }));
    for (const wrong of [null, 'x', { signal: 7 }]) {
      await expect(election.whenPrimary(wrong as object)).rejects.toMatchObject({
        code: 'ERR_INVALID_ARG_TYPE',
      });
    }
  });

  needs('root')(
    'a folder without permission is an error of the system, in another user',
    async () => {
      const root = testFolder();
      const directory = join(root, 'folder');
      execFileSync('chmod', ['755', root]);
      for (const mode of [0o755, 0o700]) {
        mkdirSync(directory, { mode });
        const source = `
        const { Election } = await import(${JSON.stringify(ELECTION)});
        process.setgid(65534);
        process.setuid(65534);
        report(await outcome(() => Election.join(path, { id: 'a' })));
        report(await outcome(() => Election.join(path + '/below', { id: 'a' })));
      `;
        const { reports, code, stderr } = await runScript(directory, source);
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
        for (const each of reports) expect(each).toMatchObject({ code: 'EACCES' });
        expect(reports).toHaveLength(2);
        expect(readdirSync(directory)).toEqual([]);
        rmSync(directory, { recursive: true });
      }
    },
  );
});
