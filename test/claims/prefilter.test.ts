import { describe, expect, test, vi } from 'vitest';
import { isCanonicalClaim } from '../../src/claims/canonical-form.js';
import { parseClaim } from '../../src/claims/claim-file.js';
import { formatClaim } from '../../src/claims/claim-text.js';
import type { ClaimPart } from '../../src/claims/model.js';
import { parsePattern } from '../../src/claims/parse-pattern.js';
import type { Pattern } from '../../src/claims/pattern.js';
import { prefilter } from '../../src/claims/prefilter.js';
import type { Root } from '../../src/claims/root.js';
import { patternsOf, ScopeIndex, scopeOf } from '../../src/claims/scope.js';
import { ROOT, read } from '../support/claims-patterns.js';
import { generator } from '../support/claims-random.js';
import { inTwoSizes } from '../support/sizes.js';

const SEED = 20260214;
const AGENT = 'api';
const PLAIN = 'a b ab A aB a* *b ** ? a?b .a ..a [id] a-b :a a: a.ts *.ts b.js a.'.split(' ');
const ODD = '\\* a\\b é e\u0301 É ß ſ K \u212a "q" a, \u{1F600} \ud800'.split(' ');

type Next = (below: number) => number;

const pick = <T>(list: readonly T[], next: Next): T => list[next(list.length)] as T;

function generateText(next: Next, names: string[]): string {
  // Most begin alike: the others differ at the first character.
  const start = next(4) === 0 ? [] : ['src', pick(['lib', 'test', 'l*', 'LIB'], next)];
  const length = next(4) + (start.length === 0 ? 1 : 0);
  const rest = Array.from({ length }, () => pick(names, next));
  return `${[...start, ...rest].join('/')}${next(4) === 0 ? '/' : ''}`;
}

function generateTexts(next: Next): string[] {
  const names = next(4) === 0 ? [...PLAIN, ...ODD] : PLAIN;
  const one = (): string => (next(60) === 0 ? '.' : generateText(next, names));
  return Array.from({ length: 1 + next(3) }, one);
}

function claimText(next: Next, root = ROOT): string {
  const lockedAt = new Date(1.7e12 + next(1e6) * 1e6);
  return formatClaim({
    agent: AGENT,
    id: 'an-id',
    parts: Array.from({ length: next(3) === 0 ? 1 + next(3) : 1 }, () =>
      scopeOf(
        generateTexts(next).map((each) => read(each, root)),
        next(3) === 0 ? generateTexts(next).map((each) => read(each, root)) : [],
      ),
    ).flatMap(({ parts }) => parts.map((part) => ({ ...part, ...claimedBy(next) }))),
    task: pick([null, 'to do', 'to do', '', 'a "task"', 'é'], next),
    lockedAt,
    expiresAt: new Date(lockedAt.getTime() + next(1e6) * 1000),
    bound: next(4) === 0 ? { pid: 1 + next(99_999), start: '123' } : null,
    session:
      next(4) === 0 ? { pid: 1 + next(99_999), start: '1', boot: 'b-1', namespace: '4' } : null,
    parent: next(9) === 0 ? 'parent' : null,
  });
}

function claimedBy(next: Next): Pick<ClaimPart, 'by' | 'tree' | 'touched'> {
  if (next(3) > 0) return { by: pick(['hand', 'hand', 'mcp'], next), tree: null, touched: null };
  return { by: 'hook', tree: '/tree', touched: new Date(1.7e12) };
}

const parse = (text: string, root = ROOT): ReturnType<typeof parseClaim> =>
  parseClaim(Buffer.from(text), AGENT, root);

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
