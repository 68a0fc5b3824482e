import { describe, expect, test } from 'vitest';
import { isCanonicalClaim } from '../../src/claims/canonical-form.js';
import { parseClaim } from '../../src/claims/claim-file.js';
import { formatClaim } from '../../src/claims/claim-text.js';
import { ROOT } from '../support/claims-patterns.js';
import { generator } from '../support/claims-random.js';
import { AGENT, claimText, pick } from '../support/claims-texts.js';
import { inTwoSizes } from '../support/sizes.js';

const SEED = 20260214;

const parse = (text: string): ReturnType<typeof parseClaim> =>
  parseClaim(Buffer.from(text), AGENT, ROOT);

describe('a canonical claim', () => {
  const text =
    '{"agent":"api","locked_at":"2026-01-31T15:30:00Z","files":["src/*.ts"],"directories":["lib/"],"expires_at":"2026-01-31T15:30:00Z","id":"1"}\n';

  test('is what formatClaim writes', () => {
    expect(isCanonicalClaim(text, AGENT)).toBe(true);
    expect(isCanonicalClaim(text, 'other')).toBe(false);
    const found = parse(text);
    expect(typeof found === 'string' ? found : formatClaim(found)).toBe(text);
  });

  test('may have parts, and blanks at its end', () => {
    const part = '{"files":["src/*.ts"],"except":["src/a.ts"],"by":"hand"}';
    const other =
      '{"directories":["lib/"],"tree":"/t","by":"hook","touched":"2026-01-31T15:30:00Z"}';
    const parts = text.replace('"id":"1"', `"id":"1","parts":[${part},${other}]`);
    const found = parse(parts);
    expect(typeof found === 'string' ? found : formatClaim(found)).toBe(parts);
    expect(isCanonicalClaim(parts, AGENT)).toBe(true);
    expect(isCanonicalClaim(parts.replace('}\n', '}   \n'), AGENT)).toBe(true);
    expect(isCanonicalClaim(parts.replace('"hook"', '"us"'), AGENT)).toBe(false);
    expect(isCanonicalClaim(parts.replace('src/a.ts', '../a.ts'), AGENT)).toBe(false);
  });

  test.each([
    ['the 30th of February', '2026-01-31T15', '2026-02-30T15'],
    ['the 31st of April', '2026-01-31T15', '2026-04-31T15'],
    ['a 25th hour', 'T15', 'T25'],
    ['an expiry before its beginning', '31T15:30:00Z","files', '31T15:30:01Z","files'],
    ['an entry above the root', 'src/*.ts', 'src/../../x'],
    ['an absolute entry', 'src/*.ts', '/src'],
    ['a drive', 'src/*.ts', 'C:/src'],
    ['an empty entry', 'src/*.ts', ''],
    ['an entry that is too long', 'src/*.ts', 'x'.repeat(4098)],
    ['an escape', 'src/*.ts', '\\u002e\\u002e'],
    ['a NUL', 'src/*.ts', '\\u0000'],
    ['a number as an entry', '"src/*.ts"', '1'],
    ['no files', '"files":["src/*.ts"],', ''],
    ['a list with a comma too many', '"src/*.ts"', '"src/*.ts",'],
    ['a byte that is not UTF-8', 'src', '\xff'],
    ['a second object', '}\n', '}{}\n'],
  ])('does not have %s', (_, from, to) => {
    expect(isCanonicalClaim(text.replaceAll(from, to), AGENT)).toBe(false);
  });

  test('may be long, and its entries as long as a path', () => {
    const entry = `"${'x'.repeat(4096)}"`;
    const long = text.replace('"src/*.ts"', Array(12).fill(entry).join());
    expect(isCanonicalClaim(long, AGENT)).toBe(true);
    expect(typeof parse(long)).toBe('object');
    const longer = text.replace('"src/*.ts"', Array(200).fill(entry).join());
    expect(isCanonicalClaim(longer, AGENT)).toBe(false);
  });

  inTwoSizes(
    (texts) => `is valid, whatever is changed in it: ${texts} texts`,
    { short: 1000, long: 20_000 },
    (texts) => {
      const next = generator(SEED);
      const wrong: string[] = [];
      let canonical = 0;
      for (let turn = 0; turn < texts; turn++) {
        let changed = claimText(next);
        for (let change = next(3); change > 0; change--) {
          const at = next(changed.length);
          const put = pick(
            ['', '.', '/', '..', '"', ',', '\\', '9', '-', 'é', 'a', '[', '\n'],
            next,
          );
          changed = changed.slice(0, at) + put + changed.slice(at + next(3));
        }
        if (!isCanonicalClaim(changed, AGENT)) continue;
        canonical++;
        if (typeof parse(changed) === 'string') wrong.push(changed);
      }
      expect(wrong.slice(0, 5)).toEqual([]);
      expect(canonical).toBeGreaterThan(texts / 10);
    },
  );
});
