import { describe, expect, test } from 'vitest';
import { matchesPath } from '../../src/claims/match-path.js';
import { findCommon, patternsOverlap } from '../../src/claims/overlap.js';
import { generatePool, matches } from '../support/claims-brute-force.js';
import { file, ROOT, read } from '../support/claims-patterns.js';
import { generator } from '../support/claims-random.js';
import { inTwoSizes } from '../support/sizes.js';

const SEED = 20260301;
const ODD = 'a b .b / / * ** ? \\* \\? \\a é e\u0301 É ß ſ K \u212a Σ ς \u{1F600} \ud800 ﬁ'.split(
  ' ',
);

describe('a pattern matches a path', () => {
  inTwoSizes(
    (pairs) => `if and only if the specification says so: ${pairs} pairs`,
    { short: 3000, long: 100_000 },
    (pairs) => {
      const next = generator(SEED);
      const pool = generatePool(500, next);
      const letter = (): string => 'ab.'[next(3)] as string;
      const wrong: unknown[] = [];
      let matching = 0;
      for (let turn = 0; turn < pairs; turn++) {
        const text = pool[next(pool.length)] as string;
        const path = Array.from({ length: 1 + next(4) }, () => {
          return Array.from({ length: 1 + next(3) }, letter).join('');
        }).join('/');
        if (path.split('/').some((name) => name === '.' || name === '..')) continue;
        const found = matchesPath(read(text).tokens, path);
        if (found) matching++;
        if (found !== matches(text, path)) wrong.push({ text, path, found });
      }
      expect(wrong.slice(0, 5)).toEqual([]);
      expect(matching).toBeGreaterThan(pairs / 40);
    },
  );

  inTwoSizes(
    (pairs) => `if and only if the search finds it, whatever the characters: ${pairs} pairs`,
    { short: 3000, long: 50_000 },
    (pairs) => {
      const wrong: unknown[] = [];
      for (const root of [ROOT, { ...ROOT, ignoresCase: true }]) {
        const next = generator(SEED + 1);
        const text = (): string => {
          return Array.from({ length: 1 + next(5) }, () => ODD[next(ODD.length)]).join('');
        };
        for (let turn = 0; turn < pairs; turn++) {
          const [one, other] = [`x${text()}`, `x${text()}`];
          const [a, b] = [read(one, root), read(other, root)];
          const found = [patternsOverlap(a, b), patternsOverlap(b, a)];
          const expected = findCommon(a, b) !== null;
          if (found.some((each) => each !== expected)) wrong.push({ one, other, found });
        }
      }
      expect(wrong.slice(0, 5)).toEqual([]);
    },
  );

  test('in bounded time, however many wildcards it has', () => {
    const path = `${'a/'.repeat(1000)}${'a'.repeat(1000)}`;
    expect(matchesPath(file(`${'*a'.repeat(500)}b`).tokens, 'a'.repeat(3000))).toBe(false);
    expect(matchesPath(file(`${'**/a/'.repeat(400)}b`).tokens, path)).toBe(false);
    expect(matchesPath(file(`${'**/*a*/'.repeat(300)}*a`).tokens, path)).toBe(true);
  });
});
