import { expect, test } from 'vitest';
import { checkFileName, isFileName, isNameHere } from '../../src/base/file-name.js';

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
  ['', 'must not be empty'],
  ['.', "must be other than '.' and '..'"],
  ['..', "must be other than '.' and '..'"],
  ['a/b', "must be without '/' and NUL"],
  ['a\0b', "must be without '/' and NUL"],
  ['caf\udce9', 'must be without unpaired surrogates'],
  ['x'.repeat(251), 'must be at most 250 bytes long'],
  ['é'.repeat(126), 'must be at most 250 bytes long'],
])('%j is none: %s', (name, rule) => {
  const check = (): string => checkFileName(name, 'options.id', ENDING);
  expect(check).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
  expect(check).toThrow(`"options.id" ${rule}`);
  expect(isFileName(name, ENDING)).toBe(false);
});

test.each([undefined, null, 7, Symbol('name'), ['a'], {}])('%s is no string', (value) => {
  const check = (): string => checkFileName(value, 'options.id', ENDING);
  expect(check).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
});

test.each([['a\\b', 'a:b', 'a?b', 'a*', 'a"', '<a', 'a|b', 'con', 'NUL', 'com1.x', 'a\tb']])(
  'what is no name of a file on Windows: %s',
  (...names) => {
    for (const name of names) {
      expect(isNameHere(name, 'win32')).toBe(false);
      expect(isNameHere(name, 'linux')).toBe(true);
    }
    for (const name of ['console', 'api', 'a b', 'é', 'com10']) {
      expect(isNameHere(name, 'win32')).toBe(true);
    }
  },
);
