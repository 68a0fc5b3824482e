// The addon writes the record of a free lock, and TypeScript all others: they
// have to write and read the same.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { checkData, heldContent, parseContent } from '../../src/holders/owner-record.js';
import { FileLock } from '../../src/index.js';
import { lockPath } from '../support/folder.js';
import { inTwoSizes } from '../support/sizes.js';
import { needs } from '../support/tools.js';

const LARGEST = Number.MAX_SAFE_INTEGER;
const LAST_DATE = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const LIMIT_MILLISECONDS = 60_000;

// Compiling takes longer than the tests that use it.
let compiled: string | undefined;
afterAll(() => {
  if (compiled !== undefined) rmSync(dirname(compiled), { recursive: true });
});

function compile(): string {
  if (compiled !== undefined) return compiled;
  const program = join(mkdtempSync(join(tmpdir(), 'holdfast-')), 'record-text');
  const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
  const sources = [file('record-text.cc'), file('../../src-native/record-text.cc')];
  execFileSync('g++', ['-std=c++17', '-Wall', '-Wextra', '-Werror', '-o', program, ...sources], {
    timeout: LIMIT_MILLISECONDS,
  });
  compiled = program;
  return program;
}

function answers(program: string, lines: string[]): string[] {
  const input = lines.map((line) => `${line}\n`).join('');
  const options = { input, timeout: LIMIT_MILLISECONDS, maxBuffer: 2 ** 26 };
  const output = execFileSync(program, { ...options, encoding: 'utf8' });
  return output.split('\n').slice(0, -1);
}

inTwoSizes(
  (records) => `a record is the same, whoever writes it: ${records} dates, tokens and fields`,
  { short: 500, long: 5000 },
  (records) => {
    const dates = fc.integer({ min: 0, max: LAST_DATE });
    const days = fc
      .integer({ min: 0, max: Math.floor(LAST_DATE / 864e5) })
      .map((day) => day * 864e5);
    const data = fc.dictionary(fc.stringMatching(/^[a-z]{1,9}$/), fc.jsonValue());
    const cases = fc.sample(
      fc.tuple(fc.oneof(dates, days), fc.integer({ min: 0, max: LARGEST }), fc.boolean(), data),
      records,
    );
    const given = cases.map(([since, token, member, fields]) => ({
      since,
      token,
      member,
      text: checkData(Object.hasOwn(fields, 'pid') ? {} : fields),
    }));
    const lines = given.map(
      ({ since, token, member, text }) => `w ${since} ${token} ${member ? 1 : 0} ${text}`,
    );
    const expected = given.flatMap(({ since, token, member, text }) => [
      `{HEAD${new Date(since).toISOString()}",${text}TAIL${token}${member ? ',"member":true' : ''}}}`,
      `{"holdfast":{"token":${token}}}`,
    ]);
    expect(answers(compile(), lines)).toEqual(expected);
  },
  needs('g++'),
);

needs('g++')('what a release leaves is read as TypeScript reads it, or left to TypeScript', () => {
  const token = (digits: string): string => `{"holdfast":{"token":${digits}}}`;
  const contents = [
    ...['', '\n', '\n\n\n', ' ', '{', '1234', '1234\n', '{}', 'x', '\0'],
    ...['0', '7', '007', '', '-1', '1.5', '1e3', ' 1', '12a', `${LARGEST - 1}`].map(token),
    ...[`${LARGEST}`, '9007199254740993', '9'.repeat(16), '1'.repeat(17)].map(token),
    ...[`${token('5')}\n`, `${token('5')}\n\n`, `${token('5')} \n`, `${token('5')}\r\n`],
    ...[`${token('5')}x`, `${token('5')}\nx`, `x${token('5')}`, token('5').slice(0, -1)],
  ];
  const usable = contents.filter((content) => !content.includes('\0'));
  const lines = usable.map((content) => `r ${content.replaceAll('\n', '\\n')}`);
  const found = answers(compile(), lines);
  usable.forEach((content, index) => {
    if (found[index] === 'foreign') return;
    const parsed = parseContent(content);
    expect({ content, ...parsed }).toEqual({
      content,
      ours: true,
      owner: null,
      token: Number(found[index]),
    });
  });
  const read = usable.filter((_, index) => found[index] !== 'foreign');
  expect(read).toEqual(expect.arrayContaining(['', '\n', token('7'), `${token('5')}\n`]));
  expect(read).not.toContain(token(`${LARGEST}`));
});

test('in a file it is what TypeScript would write', () => {
  for (const data of [undefined, { port: 80, name: 'ä"\\\n' }]) {
    const path = lockPath();
    using lock = FileLock.acquireSync(path, { data });
    const text = readFileSync(path, 'utf8');
    const since = Date.parse(JSON.parse(text).startedAt);
    expect(text).toBe(heldContent('json', since, lock.token, checkData(data)));
    expect(Math.abs(since - Date.now())).toBeLessThan(60_000);
  }
});

test('a file that a release left, or that has newlines, is taken without a look by TypeScript', () => {
  for (const [content, least] of [
    ['\n\n\n', 0],
    [`{"holdfast":{"token":${LARGEST - 2}}}\n\n`, LARGEST - 1],
  ] as const) {
    const path = lockPath();
    writeFileSync(path, content);
    const lock = FileLock.acquireSync(path);
    expect(lock.token).toBeGreaterThanOrEqual(least);
    expect(lock.previous).toBeNull();
    lock.releaseSync();
    expect(readFileSync(path, 'utf8')).toBe(`{"holdfast":{"token":${lock.token}}}\n`);
  }
});
