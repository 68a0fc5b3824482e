import { describe, expect, test, vi } from 'vitest';
import { isCanonicalClaim } from '../../src/claims/canonical-form.js';
import { parseClaim } from '../../src/claims/claim-file.js';
import { parsePattern } from '../../src/claims/parse-pattern.js';
import type { Pattern } from '../../src/claims/pattern.js';
import { prefilter } from '../../src/claims/prefilter.js';
import type { Root } from '../../src/claims/root.js';
import { patternsOf, ScopeIndex, scopeOf } from '../../src/claims/scope.js';
import { ROOT, read } from '../support/claims-patterns.js';
import { generator } from '../support/claims-random.js';
import { AGENT, claimText, generateTexts } from '../support/claims-texts.js';
import { inTwoSizes } from '../support/sizes.js';

const SEED = 20260214;

const parse = (text: string, root = ROOT): ReturnType<typeof parseClaim> =>
  parseClaim(Buffer.from(text), AGENT, root);

describe('the prefilter', () => {
  /** Its answer once it has let the first claims through. */
  const ready = (patterns: Pattern[], root: Root): ((text: string) => boolean) => {
    const filter = prefilter(patterns, root);
    if (filter === undefined) throw new Error('there are too many patterns');
    for (let at = 0; at < patterns.length; at++) filter('');
    return filter;
  };

  inTwoSizes(
    (pairs) => `leaves out no claim that overlaps: ${pairs} pairs`,
    { short: 400, long: 20_000 },
    (pairs) => {
      const wrong: unknown[] = [];
      for (const root of [ROOT, { ...ROOT, ignoresCase: true }]) {
        const next = generator(SEED + 1);
        let leftOut = 0;
        for (let turn = 0; turn < pairs; turn++) {
          const wanted = generateTexts(next);
          const patterns = wanted.map((each) => read(each, root));
          const text = claimText(next, root);
          if (!isCanonicalClaim(text, AGENT) || ready(patterns, root)(text)) continue;
          leftOut++;
          const claim = parse(text, root);
          if (typeof claim === 'string') {
            wrong.push({ text, claim });
            continue;
          }
          const index = new ScopeIndex();
          index.add(scopeOf(patterns));
          // Without their except, they overlap more easily.
          const met = index.overlapsWith(scopeOf(patternsOf(claim))).next();
          if (met.done !== true) wrong.push({ wanted, text });
        }
        expect(leftOut).toBeGreaterThan(pairs / 20);
      }
      expect(wrong.slice(0, 5)).toEqual([]);
    },
  );

  const claimOf = (...entries: string[]): string => JSON.stringify({ files: entries });
  const mayOverlap = (wanted: string[], text: string, root = ROOT): boolean =>
    ready(
      wanted.map((each) => read(each, root)),
      root,
    )(text);

  test('compares what comes before the wildcards', () => {
    expect(mayOverlap(['src/a/x.ts'], claimOf('src/b/x.ts', 'lib/'))).toBe(false);
    expect(mayOverlap(['src/a/x.ts'], claimOf('src/b/x.ts', 'src/'))).toBe(true);
    expect(mayOverlap(['src/a/x.ts'], claimOf('src/*/y.ts'))).toBe(true);
    expect(mayOverlap(['src/a/*.ts'], claimOf('src/a/y.ts'))).toBe(true);
    expect(mayOverlap(['src/a*'], claimOf('src/b'))).toBe(false);
    expect(mayOverlap(['.'], claimOf('anything'))).toBe(true);
    expect(mayOverlap([], claimOf('anything'))).toBe(false);
    expect(mayOverlap(['docs/x', 'src/y'], claimOf('src/x', 'lib/y'))).toBe(false);
  });

  test('compares what comes between and behind the wildcards', () => {
    expect(mayOverlap(['src/a*/x'], claimOf('src/a/x'))).toBe(true);
    expect(mayOverlap(['src/*/lib/x'], claimOf('src/a/lib/x'))).toBe(true);
    expect(mayOverlap(['src/*/lib/x'], claimOf('src/a/test/x'))).toBe(false);
    expect(mayOverlap(['src/*/lib/*.ts'], claimOf('src/**'))).toBe(true);
    expect(mayOverlap(['src/*/lib/*.ts'], claimOf('src/a/l*/x.ts'))).toBe(true);
    expect(mayOverlap(['src/*/'], claimOf('src/a'))).toBe(true);
    expect(mayOverlap(['src/**/*.ts'], claimOf('src/lib/'))).toBe(true);
    expect(mayOverlap(['src/**/*.ts'], claimOf('src/lib/a.ts'))).toBe(true);
    expect(mayOverlap(['src/**/*.ts'], claimOf('src/lib/a.js', 'lib/a.ts'))).toBe(false);
    expect(mayOverlap(['src/**/*.ts'], claimOf('src/lib/a*.js'))).toBe(true);
    expect(mayOverlap(['**/*.ts'], claimOf('lib/a.js', '.env.local'))).toBe(false);
    // Each may be a folder.
    for (const path of ['lib', 'lib/src', '.github', 'lib/.github', 'lib.', 'a.b/lib']) {
      expect({ path, may: mayOverlap(['**/*.ts'], claimOf(path)) }).toEqual({ path, may: true });
    }
    expect(mayOverlap(['**/*.ts', 'lib/*.js'], claimOf('lib/a.js'))).toBe(true);
  });

  test('knows where a folder ends', () => {
    expect(mayOverlap(['src/a/x'], claimOf('src/'))).toBe(true);
    expect(mayOverlap(['src/a/x'], claimOf('src'))).toBe(true);
    expect(mayOverlap(['src/a/x'], claimOf('sr'))).toBe(false);
    expect(mayOverlap(['src*/a/x'], claimOf('srcs'))).toBe(true);
    expect(mayOverlap(['src/a/'], claimOf('src/a'))).toBe(true);
    expect(mayOverlap(['src/a/**'], claimOf('src/a'))).toBe(true);
    expect(mayOverlap(['src/a/*'], claimOf('src/a'))).toBe(true);
    expect(mayOverlap(['src/a'], claimOf('src/a/'))).toBe(true);
  });

  test('takes time in proportion to the text', () => {
    const wanted = [`${'*/'.repeat(30)}x`, `${'a*/'.repeat(30)}*x`, '**/*x'];
    const entries = ['a/'.repeat(30_000), 'a'.repeat(30_000), ...Array(5000).fill('a/a/a')];
    expect(mayOverlap(wanted, claimOf(...entries.map((each) => `${each}y.c`)))).toBe(false);
  });

  test('knows a root that ignores case', () => {
    const root = { ...ROOT, ignoresCase: true };
    expect(mayOverlap(['SRC/a'], claimOf('src/A'), root)).toBe(true);
    expect(mayOverlap(['SRC/a'], claimOf('src/A'))).toBe(false);
  });

  const many = (count: number, path: (at: number) => string): Pattern[] =>
    Array.from({ length: count }, (_, at) => parsePattern(path(at), 'file', ROOT, 'it'));
  const different = (at: number): string => `${(at * 7919) % 1009}/${'x'.repeat(at % 300)}${at}`;

  test('takes many paths, and very long ones', () => {
    const filter = ready(
      many(500, (at) => `src/${different(at)}`),
      ROOT,
    );
    for (let at = 0; at < 500; at++) expect(filter(claimOf(`src/${different(at)}`))).toBe(true);
    expect(filter(claimOf('lib/1'))).toBe(false);
  });

  test('gives up when there are more', () => {
    expect(prefilter(many(500, different), ROOT)).toBeTypeOf('function');
    expect(prefilter(many(501, different), ROOT)).toBe(undefined);
    expect(prefilter([...many(250, different), ...many(251, different)], ROOT)).toBe(undefined);
  });

  test('makes the expression once, and not for the first claims', () => {
    const filter = prefilter(many(40, different), ROOT);
    const put = vi.spyOn(Map.prototype, 'set');
    try {
      const answers: unknown[] = [];
      const steps: number[] = [];
      for (let at = 0; at < 30; at++) {
        answers.push(filter?.(claimOf('lib/1')));
        steps.push(put.mock.calls.length);
      }
      expect(answers).toEqual([...Array(10).fill(true), ...Array(20).fill(false)]);
      expect(steps[9]).toBe(0);
      expect(steps[10]).toBeGreaterThan(0);
      expect(steps[29]).toBe(steps[10]);
    } finally {
      put.mockRestore();
    }
  });

  test('stops as soon as a trie is too large', () => {
    const filter = prefilter(
      many(500, (at) => different(at).padEnd(60, `${at}-`)),
      ROOT,
    );
    const put = vi.spyOn(Map.prototype, 'set');
    try {
      for (let at = 0; at <= 500; at++) filter?.(claimOf('lib/1'));
      const steps = put.mock.calls.length;
      // With 64 steps, 32, … and 1.
      expect(steps).toBeGreaterThan(2000);
      expect(steps).toBeLessThan(7 * 2000 + 100);
    } finally {
      put.mockRestore();
    }
  });
});
