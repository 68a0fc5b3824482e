import { describe, expect, test } from 'vitest';
import { findCommon } from '../../src/claims/overlap.js';
import { parsePattern } from '../../src/claims/parse-pattern.js';
import type { Pattern } from '../../src/claims/pattern.js';
import type { Root } from '../../src/claims/root.js';
import { isEmpty, type Scope, ScopeIndex, witnessOf } from '../../src/claims/scope.js';
import { type ClaimRequest, Claims } from '../../src/claims.js';
import { errorOf } from '../support/refused.js';

const ROOT: Root = { path: '/srv/tree', real: '/mnt/disk/tree', ignoresCase: false };
const SEED = 20260117;

const file = (text: string, root = ROOT): Pattern => parsePattern(text, 'file', root, 'it');
const folder = (text: string, root = ROOT): Pattern => parsePattern(text, 'directory', root, 'it');

/** `a/` is a folder, all else a file or a pattern. */
const read = (text: string, root = ROOT): Pattern =>
  text.endsWith('/') || text === '.' ? folder(text, root) : file(text, root);

const common = (one: string, other: string, except: string[] = [], root = ROOT): string | null =>
  findCommon(
    read(one, root),
    read(other, root),
    except.map((each) => read(each, root)),
  );

/** What of a pattern is to be seen, whatever has been worked out. */
const seen = ({ kind, pattern, literal, folder: isFolder, prefix }: Pattern): object => {
  return { kind, pattern, literal, isFolder, prefix };
};

/** Mulberry32: the same numbers on each run. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

// A second opinion, written from the specification and from nothing in src/.

type Piece = { literal: string } | 'one' | 'many';

function piecesOf(segment: string): Piece[] {
  const pieces: Piece[] = [];
  const characters = [...segment];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] as string;
    if (character === '\\' && at + 1 < characters.length) {
      pieces.push({ literal: characters[++at] as string });
    } else if (character === '*') pieces.push('many');
    else if (character === '?') pieces.push('one');
    else pieces.push({ literal: character });
  }
  return pieces;
}

function nameMatches(pieces: Piece[], name: string[], p = 0, n = 0): boolean {
  const piece = pieces[p];
  if (piece === undefined) return n === name.length;
  if (piece === 'many') {
    return (
      nameMatches(pieces, name, p + 1, n) ||
      (n < name.length && nameMatches(pieces, name, p, n + 1))
    );
  }
  if (n === name.length || (piece !== 'one' && piece.literal !== name[n])) return false;
  return nameMatches(pieces, name, p + 1, n + 1);
}

function pathMatches(
  segments: string[],
  path: string[],
  one: (segment: string, name: string) => boolean,
  s = 0,
  p = 0,
): boolean {
  const segment = segments[s];
  if (segment === undefined) return p === path.length;
  if (segment === '**') {
    return (
      pathMatches(segments, path, one, s + 1, p) ||
      (p < path.length && pathMatches(segments, path, one, s, p + 1))
    );
  }
  return (
    p < path.length &&
    one(segment, path[p] as string) &&
    pathMatches(segments, path, one, s + 1, p + 1)
  );
}

/** A generated text; one with `/` at its end is a folder, which has itself and all below. */
function segmentsOf(text: string): string[] {
  const isFolder = text.endsWith('/') || text === '.';
  const segments = text.split('/').filter((segment) => segment !== '' && segment !== '.');
  return isFolder ? [...segments, '**'] : segments;
}

const verdicts = new Map<string, boolean>();

function cached(segment: string, name: string): boolean {
  const key = `${segment}/${name}`;
  let verdict = verdicts.get(key);
  if (verdict === undefined) {
    verdict = nameMatches(piecesOf(segment), [...name]);
    verdicts.set(key, verdict);
  }
  return verdict;
}

function matches(text: string, path: string): boolean {
  return path !== '' && pathMatches(segmentsOf(text), path.split('/'), cached);
}

/** All names of up to three characters, and all paths of up to three of them. */
const NAMES = [1, 2, 3]
  .flatMap((length) => {
    let words = [''];
    for (let at = 0; at < length; at++) {
      words = words.flatMap((word) => ['a', 'b', '.'].map((letter) => word + letter));
    }
    return words;
  })
  .filter((name) => name !== '.' && name !== '..');
const PATHS: string[][] = [
  ...NAMES.map((a) => [a]),
  ...NAMES.flatMap((a) => NAMES.map((b) => [a, b])),
  ...NAMES.flatMap((a) => NAMES.flatMap((b) => NAMES.map((c) => [a, b, c]))),
];

/** Which of all paths a pattern matches, a bit each. */
const languages = new Map<string, Uint32Array>();

function language(text: string): Uint32Array {
  let bits = languages.get(text);
  if (bits === undefined) {
    bits = new Uint32Array(Math.ceil(PATHS.length / 32));
    const segments = segmentsOf(text);
    for (let at = 0; at < PATHS.length; at++) {
      if (pathMatches(segments, PATHS[at] as string[], cached)) {
        bits[at >> 5] = (bits[at >> 5] as number) | (1 << (at & 31));
      }
    }
    languages.set(text, bits);
  }
  return bits;
}

/** By trying all paths. */
function bruteForce(one: string, other: string, except: string[]): string | null {
  const [a, b] = [language(one), language(other)];
  const out = except.map(language);
  for (let word = 0; word < a.length; word++) {
    let bits = (a[word] as number) & (b[word] as number);
    for (const each of out) bits &= ~(each[word] as number);
    if (bits !== 0) {
      const bit = 31 - Math.clz32(bits & -bits);
      return (PATHS[word * 32 + bit] as string[]).join('/');
    }
  }
  return null;
}

const SEGMENTS = 'a b * ** ** ? a* *b a?b .a .* *a* ?? b*a a.b *.* \\* ab bb ?* *.a a\\b .??'.split(
  ' ',
);

function generatePool(size: number, next: (below: number) => number): string[] {
  const pool = new Set<string>(['.', 'a', 'a/', '**', '*', '**/a', 'a/**']);
  while (pool.size < size) {
    const length = 1 + next(3);
    const segments = Array.from({ length }, () => SEGMENTS[next(SEGMENTS.length)] as string);
    pool.add(`${segments.join('/')}${next(3) === 0 ? '/' : ''}`);
  }
  return [...pool];
}

describe('generated patterns', () => {
  test('overlap if and only if trying all paths finds one, and the witness is one', () => {
    const next = generator(SEED);
    const pool = generatePool(600, next);
    const pick = (): string => pool[next(pool.length)] as string;
    const wrong: unknown[] = [];
    let overlapping = 0;
    for (let turn = 0; turn < 10_000; turn++) {
      const [one, other] = [pick(), pick()];
      const except = Array.from({ length: next(2) * next(4) }, pick);
      const witness = common(one, other, except);
      const found = bruteForce(one, other, except);
      if (witness === null) {
        if (found !== null) wrong.push({ one, other, except, missed: found });
        continue;
      }
      overlapping++;
      const holds =
        matches(one, witness) &&
        matches(other, witness) &&
        !except.some((each) => matches(each, witness)) &&
        !witness.split('/').some((name) => ['', '.', '..'].includes(name));
      if (!holds) wrong.push({ one, other, except, witness });
    }
    expect(wrong.slice(0, 5)).toEqual([]);
    // The generator makes both kinds.
    expect(overlapping).toBeGreaterThan(2000);
    expect(overlapping).toBeLessThan(8000);
  });

  test('of up to two segments: all with all, and with each of some exceptions', () => {
    const segments = ['a', '*', '**', '?', '.*'];
    const texts = [
      ...segments,
      ...segments.flatMap((one) => segments.map((other) => `${one}/${other}`)),
    ].flatMap((text) => [text, `${text}/`]);
    texts.push('.');
    const wrong: unknown[] = [];
    for (const except of [[], ['a'], ['**/a'], ['*'], ['*/*/'], ['.']]) {
      for (const one of texts) {
        for (const other of texts) {
          const witness = common(one, other, except);
          const found = bruteForce(one, other, except);
          const right =
            witness === null
              ? found === null
              : matches(one, witness) &&
                matches(other, witness) &&
                !except.some((each) => matches(each, witness));
          if (!right) wrong.push({ one, other, except, witness, found });
        }
      }
    }
    expect({ count: wrong.length, some: wrong.slice(0, 5) }).toEqual({ count: 0, some: [] });
  });

  test('agree whichever of the two comes first', () => {
    const next = generator(SEED + 1);
    const pool = generatePool(150, next);
    const pick = (): string => pool[next(pool.length)] as string;
    for (let turn = 0; turn < 2000; turn++) {
      const [one, other] = [pick(), pick()];
      const except = Array.from({ length: next(3) }, pick);
      const there = common(one, other, except) !== null;
      const back = common(other, one, [...except].reverse()) !== null;
      expect({ one, other, except, there }).toEqual({ one, other, except, there: back });
    }
  });

  interface Texts {
    patterns: string[];
    except: string[];
  }

  function generateScopes(count: number, most: number, seed: number): Texts[] {
    const next = generator(seed);
    const pool = generatePool(300, next).filter((text) => text.length > 3 || next(4) === 0);
    const some = (least: number, below: number): string[] =>
      Array.from({ length: least + next(below) }, () => pool[next(pool.length)] as string);
    return Array.from({ length: count }, () => ({
      patterns: some(1, most),
      except: next(2) === 0 ? [] : some(0, 3),
    }));
  }

  const scopeOf = ({ patterns, except }: Texts): Scope => ({
    patterns: patterns.map((each) => read(each)),
    except: except.map((each) => read(each)),
  });

  function bruteScopes(one: Texts, other: Texts): boolean {
    const except = [...one.except, ...other.except];
    return one.patterns.some((a) => other.patterns.some((b) => bruteForce(a, b, except) !== null));
  }

  test('of whole scopes: the index finds what comparing each with each finds', () => {
    const texts = generateScopes(40, 10, SEED + 2);
    const scopes = texts.map(scopeOf);
    const index = new ScopeIndex<Scope>();
    for (const scope of scopes) index.add(scope);
    scopes.forEach((scope, at) => {
      const indexed = new Set<number>();
      for (const { scope: met, own, other } of index.overlapsWith(scope, () => true)) {
        const witness = witnessOf(
          { scope, pattern: own },
          { scope: met, pattern: other },
        ) as string;
        const place = scopes.indexOf(met);
        indexed.add(place);
        const [one, two] = [texts[at] as Texts, texts[place] as Texts];
        expect(one.patterns.some((each) => read(each).pattern === own.pattern)).toBe(true);
        expect(two.patterns.some((each) => read(each).pattern === other.pattern)).toBe(true);
        expect([matches(own.pattern, witness), matches(other.pattern, witness)]).toEqual([
          true,
          true,
        ]);
        expect([...one.except, ...two.except].some((each) => matches(each, witness))).toBe(false);
      }
      const pairwise = scopes.flatMap((other, place) =>
        scope.patterns.some((pattern) =>
          other.patterns.some((theirs) => meetOf(scope, pattern, other, theirs) !== null),
        )
          ? [place]
          : [],
      );
      expect([...indexed].sort((a, b) => a - b)).toEqual(pairwise);
      // All that the brute force finds is among them.
      texts.forEach((other, place) => {
        if (bruteScopes(texts[at] as Texts, other)) expect(pairwise).toContain(place);
      });
    });
  });

  /** Without the index and without its short cuts. */
  const meetOf = (one: Scope, a: Pattern, other: Scope, b: Pattern): string | null =>
    findCommon(a, b, [...one.except, ...other.except]);

  test('of whole scopes: plan has a conflict where there is a path, and nowhere else', () => {
    const claims = new Claims('/nowhere/locks', { root: '/' });
    for (let turn = 0; turn < 60; turn++) {
      const texts = generateScopes(8, 3, SEED + 100 + turn);
      const requests = texts.map(({ patterns, except }, at): ClaimRequest => {
        const directories = patterns.filter((each) => read(each).kind === 'directory');
        const files = patterns.filter((each) => read(each).kind === 'file');
        return { agent: `agent-${at}`, files, directories, except };
      });
      const { conflicts } = claims.plan(requests);
      const named = new Map(conflicts.map((each) => [each.agents.join(), each.witness]));
      for (const [at, one] of texts.entries()) {
        for (const [place, other] of texts.entries()) {
          if (place <= at) continue;
          const witness = named.get(`agent-${at},agent-${place}`);
          if (witness === undefined) {
            expect({ one, other, meet: bruteScopes(one, other) }).toMatchObject({ meet: false });
            continue;
          }
          for (const { patterns, except } of [one, other]) {
            const has =
              patterns.some((each) => matches(each, witness)) &&
              !except.some((each) => matches(each, witness));
            expect({ patterns, except, witness, has }).toMatchObject({ has: true });
          }
        }
      }
    }
  });

  test('a scope is empty if and only if its except takes all paths', () => {
    const next = generator(SEED + 3);
    const pool = generatePool(80, next);
    const pick = (): string => pool[next(pool.length)] as string;
    let empty = 0;
    for (let turn = 0; turn < 2000; turn++) {
      const [pattern, except] = [pick(), [pick(), pick()]];
      const scope = scopeOf({ patterns: [pattern], except });
      const left = bruteForce(pattern, pattern, except);
      if (isEmpty(scope)) {
        empty++;
        expect({ pattern, except, left }).toMatchObject({ left: null });
      } else if (left === null) {
        const witness = common(pattern, pattern, except) as string;
        expect(matches(pattern, witness)).toBe(true);
        expect(except.some((each) => matches(each, witness))).toBe(false);
      }
    }
    expect(empty).toBeGreaterThan(50);
  });
});

describe('patterns', () => {
  test('of two that cross, the witness is where they do', () => {
    expect(common('src/*/a.ts', 'src/b/*.ts')).toBe('src/b/a.ts');
    expect(common('src/*/a.ts', 'src/b/*.js')).toBeNull();
    const claims = new Claims('/nowhere/locks', { root: '/' });
    const { conflicts } = claims.plan([
      { agent: 'one', files: ['src/*/a.ts'] },
      { agent: 'two', files: ['src/b/*.ts'] },
    ]);
    expect(conflicts).toMatchObject([
      {
        agents: ['one', 'two'],
        entries: [
          { kind: 'file', pattern: 'src/*/a.ts' },
          { kind: 'file', pattern: 'src/b/*.ts' },
        ],
        witness: 'src/b/a.ts',
        task: null,
        expiresAt: null,
      },
    ]);
  });

  test('a route with parentheses and brackets is itself and nothing else', () => {
    const route = 'app/(shop)/[slug]/page.tsx';
    expect(file(route)).toMatchObject({ literal: true, pattern: route });
    expect(common(route, route)).toBe(route);
    for (const other of [
      'app/shop/s/page.tsx',
      'app/(shop)/s/page.tsx',
      'app/shop/[slug]/page.tsx',
    ]) {
      expect(common(route, other)).toBeNull();
    }
    expect(common(route, 'app/(shop)/*/page.tsx')).toBe(route);
    expect(common('app/[[...slug]]/*.tsx', 'app/s/page.tsx')).toBeNull();
  });

  test.each([
    ['{a,b}', 'a'],
    ['!a', 'b'],
    ['!a', 'a'],
    ['+(a)', 'a'],
    ['@(a|b)', 'a'],
    ['a|b', 'a'],
    ['[ab]', 'a'],
    ['[!a]', 'b'],
    ['a$', 'a'],
    ['^a', 'a'],
    ['~', 'home'],
    ['#a', 'a'],
    ['a.b', 'axb'],
    ['a{1..3}', 'a2'],
  ])('%s is literal: it does not match %s', (text, other) => {
    expect(common(text, other)).toBeNull();
    expect(common(text, text)).toBe(text);
    expect(common(`d/${text}/*`, `d/${text}/x`)).toBe(`d/${text}/x`);
  });

  test('of * and ** and ? match dotfiles', () => {
    expect(common('*', '.env')).toBe('.env');
    expect(common('?env', '.env')).toBe('.env');
    expect(common('src/**', 'src/.git/config')).toBe('src/.git/config');
    expect(common('**/*.ts', '.hidden/.a.ts')).toBe('.hidden/.a.ts');
    expect(common('src/', 'src/.env')).toBe('src/.env');
  });

  test('of * and ? do not cross a slash', () => {
    expect(common('src/*', 'src/a/b')).toBeNull();
    expect(common('src?a', 'src/a')).toBeNull();
    expect(common('*', 'a/b')).toBeNull();
  });

  test('of ? take one character, however many units it has', () => {
    expect(common('?', '😀')).toBe('😀');
    expect(common('??', '😀')).toBeNull();
    expect(common('?', 'ab')).toBeNull();
    expect(common('a?', 'a')).toBeNull();
  });

  test('of ** match no segment as well as many', () => {
    expect(common('src/**/a.ts', 'src/a.ts')).toBe('src/a.ts');
    expect(common('src/**/a.ts', 'src/b/c/a.ts')).toBe('src/b/c/a.ts');
    expect(common('**/a.ts', 'a.ts')).toBe('a.ts');
    expect(common('a/**/**/b', 'a/b')).toBe('a/b');
    expect(common('src/**/a.ts', 'srca.ts')).toBeNull();
  });

  test('of ** within a name are a *', () => {
    expect(common('a**b', 'axxb')).toBe('axxb');
    expect(common('a**b', 'a/b')).toBeNull();
    expect(common('**.ts', 'src/a.ts')).toBeNull();
  });

  test('never match . or .. as a name', () => {
    expect(common('?', '?', ['a*', 'b*', '[!.]'])).not.toBe('.');
    expect(common('.*', '.?')).not.toBe('..');
    expect(common('.', '..*', ['..?*'])).toBeNull();
  });

  test('a backslash makes the next character literal', () => {
    expect(common('a\\*', 'a*')).toBe('a*');
    expect(common('a\\*', 'ab')).toBeNull();
    expect(common('a\\?', 'ab')).toBeNull();
    expect(common('\\a\\b', 'ab')).toBe('ab');
    expect(common('a\\\\b', 'a?b')).toBe('a\\b');
    expect(common('\\*\\*/a', 'x/a')).toBeNull();
    expect(file('a\\*')).toMatchObject({ literal: true, prefix: ['a*'] });
  });

  test('a backslash before a slash, or last, means the same wherever it is looked at', () => {
    for (const text of ['a\\/b', 'a\\', 'a\\/', 'x/a\\/*']) {
      const pattern = read(text);
      const scope = { patterns: [pattern], except: [] };
      const witness = witnessOf({ scope, pattern }, { scope, pattern });
      // As a path it is what the pattern has.
      const path = parsePattern(witness, 'file', ROOT, 'it', 'path');
      expect({ text, meets: findCommon(path, pattern) }).toEqual({
        text,
        meets: witness,
      });
    }
  });

  test('the same in NFC and NFD are equal', () => {
    const [composed, decomposed] = ['caf\u00e9/\u1e69.ts', 'cafe\u0301/s\u0323\u0307.ts'];
    expect(common(composed, decomposed)).not.toBeNull();
    expect(common(composed, 'cafe\u0301/')).not.toBeNull();
    expect(common('caf?/*', decomposed)).not.toBeNull();
    expect(common(`${composed}`, '**', [decomposed])).toBeNull();
    expect(common('cafe*', 'cafe\u0301')).toBeNull();
  });

  test('. is the whole tree', () => {
    for (const whole of ['.', './', 'a/..']) {
      const pattern = folder(whole);
      expect(pattern).toMatchObject({ kind: 'directory', pattern: './', folder: true, prefix: [] });
      for (const other of ['a', '.env', 'a/b/c', 'x/', '*', '?/**', '**/a', '**', '.']) {
        const witness = findCommon(pattern, read(other));
        expect({ other, meets: witness !== null }).toEqual({ other, meets: true });
      }
      expect(findCommon(pattern, file('a'), [file('*')])).toBeNull();
    }
    expect(file('.')).toMatchObject({ kind: 'directory' });
  });

  test('a folder is the same with and without a slash, and has all below it', () => {
    expect(seen(folder('src/a'))).toEqual(seen(folder('src/a/')));
    expect(seen(folder('src/a//'))).toEqual(seen(folder('src/a/')));
    expect(seen(file('src/a/'))).toEqual(seen(folder('src/a')));
    expect(common('src/a/', 'src/a/b/c.ts')).toBe('src/a/b/c.ts');
    expect(common('src/a/', 'src/ab')).toBeNull();
    expect(common('src/a/', 'src/')).not.toBeNull();
    expect(common('src/*/', 'src/a/b')).toBe('src/a/b');
  });

  test('are normalised', () => {
    for (const text of [
      './a//b/../c',
      'a/c',
      'a/./c',
      'x/../a/c',
      '/srv/tree/a/c',
      '//srv/tree/./a/c',
    ]) {
      expect(seen(file(text))).toEqual(seen(file('a/c')));
    }
    expect(seen(file('/mnt/disk/tree/a/c'))).toEqual(seen(file('a/c')));
    expect(seen(folder('/srv/tree'))).toEqual(seen(folder('.')));
    expect(seen(folder('/srv/tree/'))).toEqual(seen(folder('.')));
    expect(seen(file('/srv/tree/src/*.ts'))).toEqual(seen(file('src/*.ts')));
  });

  test.each([
    [''],
    ['..'],
    ['../a'],
    ['a/../../b'],
    ['a/../..'],
    ['\\.\\./a'],
    ['a\0b'],
    ['/'],
    ['/etc/passwd'],
    ['/work'],
    ['/srv/treehouse/a'],
    ['/srv/tree/../a'],
    ['/srv/tree/a/../../b'],
    ['a'.repeat(5000)],
  ])('%j is refused', async (text) => {
    for (const kind of ['file', 'directory'] as const) {
      expect(await errorOf(() => parsePattern(text, kind, ROOT, 'it'))).toMatchObject({
        code: 'ERR_INVALID_ARG_VALUE',
      });
    }
  });

  test("'..' behind a wildcard is refused, relative or absolute", async () => {
    for (const text of ['*/../a', 'src/**/../a', 'src/a?/..', '/srv/tree/*/../a']) {
      expect(await errorOf(() => file(text)), text).toMatchObject({
        code: 'ERR_INVALID_ARG_VALUE',
      });
    }
  });

  test.each([[undefined], [null], [5], [['a']], [{}]])('%j is no pattern', async (value) => {
    expect(await errorOf(() => parsePattern(value, 'file', ROOT, 'it'))).toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
    });
  });

  test('of except take away, and what is left over meets or not', () => {
    expect(common('src/', 'src/*.ts', ['src/*.ts'])).toBeNull();
    expect(common('src/', 'src/**/*.ts', ['src/*.ts'])).not.toBeNull();
    expect(common('src/', 'src/a/b.ts', ['src/a/'])).toBeNull();
    expect(common('vendor/', 'vendor/**', ['vendor/**/*_test.go'])).not.toBeNull();
    expect(common('vendor/', '**/*_test.go', ['vendor/**/*_test.go'])).toBeNull();
    // Two that take all only together.
    expect(common('?', 'a*', ['a'])).toBeNull();
    expect(common('*.ts', '*.ts', ['a*', '?*.ts', '.ts'])).toBeNull();
  });

  test('of a root that ignores case are compared without it', () => {
    const root = { ...ROOT, ignoresCase: true };
    expect(common('SRC/A.ts', 'src/a.TS', [], root)).not.toBeNull();
    expect(common('SRC/A.ts', 'src/a.TS')).toBeNull();
    expect(common('Src/*.TS', 'sRC/É.ts', [], root)).not.toBeNull();
    expect(common('\u00c9', 'e\u0301', [], root)).not.toBeNull();
    expect(common('\u03a3', '\u03c2', [], root)).not.toBeNull();
    expect(common('src/', 'SRC/a', ['Src/A'], root)).toBeNull();
    expect(file('/SRV/Tree/a', root).pattern).toBe('a');
    const index = new ScopeIndex<Scope>();
    index.add({ patterns: [read('SRC/Lib/', root)], except: [] });
    const found = [
      ...index.overlapsWith({ patterns: [read('src/lib/a.ts', root)], except: [] }, () => true),
    ];
    expect(found).toHaveLength(1);
  });

  test('that nearly never end are decided, or count as overlapping', () => {
    const stars = `${'a*'.repeat(40)}b`;
    expect(common(stars, stars)).not.toBeNull();
    const deep = `${'**/a/'.repeat(20)}b`;
    expect(common(deep, `${'*/'.repeat(41)}b`)).not.toBeNull();
    // Those that a search does not end for in our time count as overlapping.
    const except = Array.from(
      { length: 12 },
      (_, at) => `*${'?'.repeat(at + 1)}a*${'b'.repeat(at)}*`,
    );
    expect(common('*', '*', except)).not.toBeNull();
    expect(common(`${'*a'.repeat(1000)}*b*`, `${'*b'.repeat(1000)}*c*`)).toBe('');
    const many = Array.from({ length: 60 }, (_, at) => `**/*a${'?'.repeat(at)}*`);
    expect(common('**', '**', many)).not.toBeNull();
  });
});
