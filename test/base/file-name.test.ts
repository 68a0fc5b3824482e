import { expect, test } from 'vitest';
import { checkFileName, isFileName } from '../../src/base/file-name.js';

const ENDING = '.lock';

test.each([
  'a',
  'a b',
  'a.b',
  '...',
  '.hidden',
  'a\\b',
  'a\nb',
  '日本',
  'x'.repeat(250),
  'é'.repeat(125),
  'ab'.repeat(125),
])('%j is the name of a file', (name) => {
  expect(checkFileName(name, 'options.id', ENDING)).toBe(name);
  expect(isFileName(name, ENDING)).toBe(true);
});

test.each([
  ['', 'not empty'],
  ['.', "other than '.' and '..'"],
  ['..', "other than '.' and '..'"],
  ['a/b', "without '/' and NUL"],
  ['a\0b', "without '/' and NUL"],
  ['caf\udce9', 'without unpaired surrogates'],
  ['x'.repeat(251), 'at most 250 bytes long'],
  ['é'.repeat(126), 'at most 250 bytes long'],
])('%j is none: must be %s', (name, rule) => {
  const check = (): string => checkFileName(name, 'options.id', ENDING);
  expect(check).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
  expect(check).toThrow(`"options.id" must be ${rule}`);
  expect(isFileName(name, ENDING)).toBe(false);
});

test.each([undefined, null, 7, Symbol('name'), ['a'], {}])('%s is no string', (value) => {
  const check = (): string => checkFileName(value, 'options.id', ENDING);
  expect(check).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
});
