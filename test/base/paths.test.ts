import { describe, expect, test } from 'vitest';
import { checkFilePath, checkPath } from '../../src/base/arguments.js';
import { joinPath, parentOf, pathText } from '../../src/base/paths.js';

const CAFE = Buffer.from('caf\xe9', 'latin1');

describe('a path', () => {
  test('of bytes that are UTF-8 is a string, made absolute', () => {
    expect(checkFilePath(Buffer.from('/a/../é'))).toBe('/é');
    expect(checkFilePath(Buffer.from('b'))).toBe(`${process.cwd()}/b`);
  });

  test('keeps bytes that are not UTF-8', () => {
    const path = checkFilePath(Buffer.concat([Buffer.from('/x/./'), CAFE, Buffer.from('/')]));
    expect(path).toEqual(Buffer.concat([Buffer.from('/x/'), CAFE]));
    expect(joinPath(path, 'é.lock')).toEqual(
      Buffer.concat([path as Buffer, Buffer.from('/é.lock')]),
    );
    expect(parentOf(path)).toBe('/x');
    expect(pathText(path)).toBe('/x/caf\ufffd');
  });

  test('with the replacement character in its name is what it says', () => {
    expect(checkFilePath('/x/caf\ufffd')).toBe('/x/caf\ufffd');
  });

  test.each([
    ['', 'ERR_INVALID_ARG_VALUE'],
    [Buffer.alloc(0), 'ERR_INVALID_ARG_VALUE'],
    [Buffer.from('a\0b'), 'ERR_INVALID_ARG_VALUE'],
    [new Uint8Array([97]), 'ERR_INVALID_ARG_TYPE'],
    [7, 'ERR_INVALID_ARG_TYPE'],
  ])('%o is refused', (path, code) => {
    expect(() => checkFilePath(path)).toThrow(expect.objectContaining({ code }));
  });

  test('that has to be text is refused where it is not UTF-8', () => {
    const path = Buffer.concat([Buffer.from('/x/'), CAFE]);
    const refusal = expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' });
    expect(() => checkPath(path, 'directory')).toThrow(refusal);
  });
});
