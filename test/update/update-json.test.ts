import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { positionOfFault } from '../../src/update/json-fault.js';
import { updateJson } from '../../src/update.js';
import { errorOf } from '../support/refused.js';
import { targetFile } from '../support/update.js';

interface Counts {
  n: number;
  when?: Date | string;
}

const text = (path: string): string => readFileSync(path, 'utf8');

describe('updateJson', () => {
  test('parses, and writes what is returned, indented and with a newline', async () => {
    const path = targetFile();
    const add = (old: Counts = { n: 0 }): Counts => ({ ...old, n: old.n + 1 });
    expect(await updateJson(path, add)).toEqual({ n: 1 });
    expect(text(path)).toBe('{\n  "n": 1\n}\n');
    expect(await updateJson(path, { spaces: 0 }, add)).toEqual({ n: 2 });
    expect(text(path)).toBe('{"n":2}\n');
    expect(await updateJson(path, { spaces: '\t' }, add)).toEqual({ n: 3 });
    expect(text(path)).toBe('{\n\t"n": 3\n}\n');
  });

  test('resolves to what the next one will read', async () => {
    const path = targetFile();
    const when = new Date(0);
    expect(await updateJson<Counts>(path, () => ({ n: 1, when }))).toEqual({
      n: 1,
      when: '1970-01-01T00:00:00.000Z',
    });
  });

  test('an object that was changed may be returned, and null is a value', async () => {
    const path = targetFile('{"n":1}');
    const changed = await updateJson<Counts>(path, (old) => {
      if (old !== undefined) old.n = 5;
      return old;
    });
    expect(changed).toEqual({ n: 5 });
    expect(await updateJson<unknown>(path, () => null)).toBeNull();
    expect(text(path)).toBe('null\n');
  });

  test('one that was changed and not returned is an error that says so', async () => {
    const path = targetFile('{"n":1}');
    const error = await errorOf(() =>
      updateJson<Counts>(path, (old) => {
        if (old !== undefined) old.n = 5;
        return undefined;
      }),
    );
    expect(error).toMatchObject({
      name: 'TypeError',
      code: 'ERR_INVALID_RETURN_VALUE',
      path,
      message: expect.stringContaining('return it'),
    });
    expect(text(path)).toBe('{"n":1}');
  });

  test('undefined or an equal value leaves the file as it is, however it is written', async () => {
    const path = targetFile('{ "n":\n1 }');
    const before = statSync(path, { bigint: true });
    expect(await updateJson(path, () => undefined)).toEqual({ n: 1 });
    expect(await updateJson(path, () => ({ n: 1 }))).toEqual({ n: 1 });
    const { ino, mtimeNs } = statSync(path, { bigint: true });
    expect({ ino, mtimeNs }).toEqual({ ino: before.ino, mtimeNs: before.mtimeNs });
  });

  test.each([
    ['', 0],
    ['{"a":1,}', 7],
    ['{"a":1', 6],
    ['[1 2]', 3],
    ['{"a":1}x', 7],
    ['nul', 0],
    ['{"a" 1}', 5],
    ['["\n"]', 1],
  ])('%j is not JSON, from character %i on', async (content, position) => {
    const path = targetFile(content);
    let called = false;
    const error = await errorOf(() =>
      updateJson(path, () => {
        called = true;
        return {};
      }),
    );
    expect(error).toBeInstanceOf(SyntaxError);
    expect(error).toMatchObject({ code: 'ERR_INVALID_JSON', path, position });
    expect((error as Error).cause).toBeInstanceOf(SyntaxError);
    expect(called).toBe(false);
    expect(text(path)).toBe(content);
  });

  test('nor is what is not UTF-8; a byte order mark is not an error', async () => {
    const path = targetFile(Buffer.from([0x22, 0xff, 0x22]));
    expect(await errorOf(() => updateJson(path, () => 1))).toMatchObject({
      code: 'ERR_INVALID_JSON',
      position: null,
    });
    writeFileSync(path, '\ufeff{"n":1}');
    expect(await updateJson<Counts>(path, (old) => old && { n: old.n + 1 })).toEqual({ n: 2 });
  });

  test('a value that JSON cannot express is refused', async () => {
    const path = targetFile('1');
    for (const value of [() => {}, Symbol('x'), 5n]) {
      expect(await errorOf(() => updateJson<unknown>(path, () => value))).toBeInstanceOf(TypeError);
    }
    expect(text(path)).toBe('1');
  });

  test('nor what it would leave out or make null, however deep, nor in a new file', async () => {
    const path = targetFile('{"n":null}');
    const hole = [1, 2];
    delete hole[0];
    const values = [Number.NaN, 1 / 0, new Map(), new Set(), new Date(Number.NaN), () => {}];
    for (const value of [...values, Symbol('x'), [undefined], hole]) {
      for (const whole of [value, { n: value }]) {
        const error = await errorOf(() => updateJson<unknown>(path, () => whole));
        expect(error, String(value)).toBeInstanceOf(TypeError);
      }
    }
    expect(text(path)).toBe('{"n":null}');
    const missing = targetFile();
    for (const value of [() => {}, Symbol('x'), { toJSON: () => undefined }]) {
      const error = await errorOf(() => updateJson<unknown>(missing, () => value));
      expect(error).toBeInstanceOf(TypeError);
    }
    expect(existsSync(missing)).toBe(false);
  });

  test('one that was changed to such a value and not returned is an error as well', async () => {
    const path = targetFile('{"n":null}');
    const circle = (old: { n: unknown } | undefined): void => {
      if (old !== undefined) old.n = old;
    };
    const noNumber = (old: { n: unknown } | undefined): void => {
      if (old !== undefined) old.n = Number.NaN;
    };
    for (const change of [circle, noNumber]) {
      const error = await errorOf(() =>
        updateJson<{ n: unknown }>(path, (old) => {
          change(old);
          return undefined;
        }),
      );
      expect(error).toMatchObject({ code: 'ERR_INVALID_RETURN_VALUE' });
    }
  });

  test.each([
    ['numbers', `[${'1,'.repeat(2 ** 20)}`],
    ['an escaped text', `["${'\\n'.repeat(2 ** 20)}`],
  ])('in a long file of %s, the place of a fault is not looked for', async (_what, content) => {
    const path = targetFile(content);
    const error = await errorOf(() => updateJson(path, () => 1));
    expect(error).toMatchObject({ code: 'ERR_INVALID_JSON', path, position: null });
    expect((error as Error).message).not.toContain('line');
  });
});

describe('the position of a fault', () => {
  /** JSON with one character changed, left out or put in. */
  const nearlyJson = fc
    .tuple(fc.json(), fc.nat(), fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '1', 'e', '\\'))
    .chain(([json, at, char]) => {
      const place = at % (json.length + 1);
      const [before, after] = [json.slice(0, place), json.slice(place)];
      return fc.constantFrom(json, before, before + after.slice(1), before + char + after);
    });

  test('is the end of all that is JSON, and nothing is wrong before it', () => {
    fc.assert(
      fc.property(nearlyJson, (json) => {
        const position = positionOfFault(json);
        expect(positionOfFault(json.slice(0, position))).toBe(position);
        try {
          JSON.parse(json);
        } catch {
          return;
        }
        expect(position).toBe(json.length);
      }),
      { numRuns: 500 },
    );
  });

  test('is where JSON.parse sees it, in all messages that tell', () => {
    fc.assert(
      fc.property(nearlyJson, (json) => {
        try {
          JSON.parse(json);
        } catch (error) {
          const told = /at position (\d+)/.exec((error as Error).message)?.[1];
          // Inside a string or a number it names the character, here it is the token.
          if (told !== undefined) expect(positionOfFault(json)).toBeLessThanOrEqual(Number(told));
        }
      }),
      { numRuns: 500 },
    );
  });
});
