import { describe, expect, test } from 'vitest';
import { findCommon } from '../../src/claims/overlap.js';
import { parsePattern } from '../../src/claims/parse-pattern.js';
import { type Part, type Scope, ScopeIndex, scopeOf, witnessOf } from '../../src/claims/scope.js';
import { Claims } from '../../src/claims.js';
import { common, file, folder, ROOT, read, seen } from '../support/claims-patterns.js';
import { errorOf } from '../support/refused.js';

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
    ['{a}', 'a'],
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
      const member = { part: scopeOf([pattern]).parts[0] as Part, pattern };
      const witness = witnessOf(member, member);
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
      expect(findCommon(pattern, file('a.ts'), [file('*')])).toBeNull();
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
    index.add(scopeOf([read('SRC/Lib/', root)]));
    const found = [...index.overlapsWith(scopeOf([read('src/lib/a.ts', root)]), () => true)];
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
