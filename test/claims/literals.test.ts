import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parsePattern, parsePatterns } from '../../src/claims/parse-pattern.js';
import { isCovered, scopeOf } from '../../src/claims/scope.js';
import { common, ROOT, read } from '../support/claims-patterns.js';
import { conflictOf, setUp } from '../support/claims-setting.js';
import { errorOf } from '../support/refused.js';

describe('a literal path', () => {
  test('has everything below it', async () => {
    expect(common('newdir', 'newdir/x.ts')).toBe('newdir/x.ts');
    expect(common('newdir/x.ts', 'newdir')).toBe('newdir/x.ts');
    expect(common('newdir', 'newdir/lib/')).toMatch(/^newdir\/lib\//);
    expect(common('newdir', 'newdir/*.ts')).toMatch(/^newdir\/.*\.ts$/);
    expect(common('v1.2', 'v1.2/*.ts')).toMatch(/^v1\.2\/.*\.ts$/);
    expect(common('newdir', 'newdirs/x.ts')).toBeNull();
    expect(common('src/a.ts', 'src/a.ts')).toBe('src/a.ts');
    const { claims } = setUp();
    await claims.claim({ agent: 'one', files: ['newdir'] });
    const { conflicts } = await conflictOf(claims.claim({ agent: 'two', files: ['newdir/x.ts'] }));
    expect(conflicts).toMatchObject([{ agents: ['two', 'one'], witness: 'newdir/x.ts' }]);
    expect(await claims.check(['newdir/x.ts', 'newdir'], { as: 'one' })).toMatchObject([
      { verdict: 'mine', matchedBy: 'newdir' },
      { verdict: 'mine' },
    ]);
    await claims.releaseAll();
  });

  test('in except takes out everything below it', async () => {
    expect(common('src/', 'src/gen/a.ts', ['src/gen'])).toBeNull();
    expect(common('**', '**/gen/*', ['a', 'gen'])).not.toMatch(/^gen\//);
    const { claims } = setUp();
    await claims.claim({ agent: 'one', directories: ['src'], except: ['src/gen'] });
    await claims.claim({ agent: 'two', files: ['src/gen/a.ts'] });
    await claims.releaseAll();
  });

  test('that is an existing folder is that folder, for readers of the file too', async () => {
    const { claims, folder } = setUp();
    mkdirSync(join(folder, 'src'));
    mkdirSync(join(folder, 'next.js'));
    const claim = await claims.claim({ agent: 'one', files: ['src', 'next.js'] });
    expect(claim).toMatchObject({ files: [], directories: ['src/', 'next.js/'] });
    await conflictOf(claims.claim({ agent: 'two', files: ['src/a.ts'] }));
    await conflictOf(claims.claim({ agent: 'two', files: ['**/*.test.ts'] }));
    await claims.releaseAll();
  });

  test('that is a file does not overlap with wildcards that would reach below it', async () => {
    const { claims, folder } = setUp();
    writeFileSync(join(folder, 'Makefile'), '');
    await claims.claim({ agent: 'one', files: ['Makefile', 'src/new.ts'] });
    await claims.claim({ agent: 'tests', files: ['**/*.test.ts'] });
    // Not there yet, and nothing in its name says that it is a file.
    await conflictOf(claims.claim({ agent: 'two', files: ['newdir'] }));
    // Named below it, it is a folder for the one who asks.
    await conflictOf(claims.claim({ agent: 'two', files: ['src/new.ts/*.c'] }));
    await claims.releaseAll();
  });

  test('that somebody asks about is that one path', () => {
    const path = (text: string) => parsePattern(text, 'file', ROOT, 'it', 'path');
    const scope = scopeOf([read('src/*.ts'), read('lib/')], [read('lib/gen/')]);
    expect(isCovered(path('src/a.ts'), scope, null)).toBe(true);
    expect(isCovered(path('lib'), scope, null)).toBe(true);
    expect(isCovered(path('lib/'), scope, null)).toBe(false);
    expect(isCovered(path('lib/gen/x'), scope, null)).toBe(false);
    // As an entry it has what is below it as well.
    expect(isCovered(read('lib'), scope, null)).toBe(false);
  });
});

describe('braces', () => {
  const texts = (text: string): string[] =>
    parsePatterns(text, 'file', ROOT, 'it').map(({ pattern }) => pattern);

  test.each<[string, string[]]>([
    ['{a,b}', ['{a,b}', 'a', 'b']],
    ['src/{a,b}.ts', ['src/{a,b}.ts', 'src/a.ts', 'src/b.ts']],
    ['{a,b}{c,d}', ['{a,b}{c,d}', 'ac', 'ad', 'bc', 'bd']],
    ['{a,b{c,d}}', ['{a,b{c,d}}', 'a', 'bc', 'bd']],
    ['{a{b,c}}', ['{a{b,c}}', '{ab}', '{ac}']],
    ['src{,/lib}/x', ['src{,/lib}/x', 'src/x', 'src/lib/x']],
    ['{,a}', ['{,a}', 'a']],
    ['{src,lib}/**/*.ts', ['{src,lib}/**/*.ts', 'src/**/*.ts', 'lib/**/*.ts']],
    ['{x,{a,b}', ['{x,{a,b}', '{x,a', '{x,b']],
    ['app/{id}/x', ['app/{id}/x']],
    ['{1..3}', ['{1..3}']],
    ['{}', ['{}']],
    ['{a,b', ['{a,b']],
    ['a}{,', ['a}{,']],
  ])('%s stands for %j', (text, readings) => {
    expect(texts(text)).toEqual(readings);
  });

  test.skipIf(process.platform === 'win32').each<[string, string[]]>([
    ['\\{a,b}', ['\\{a,b}']],
    ['{a\\,b}', ['{a\\,b}']],
    ['{a\\,b,c}', ['{a\\,b,c}', 'a\\,b', 'c']],
    ['{\\*,b}', ['{\\*,b}', '\\*', 'b']],
    ['{a,b\\}}', ['{a,b\\}}', 'a', 'b\\}']],
  ])('escapes stay: %s stands for %j', (text, readings) => {
    expect(texts(text)).toEqual(readings);
  });

  test('have 256 alternatives and no more, and are not built before they are counted', async () => {
    const list = (count: number): string => `{${Array.from({ length: count }, (_, at) => at)}}`;
    expect(texts(list(256))).toHaveLength(257);
    expect(texts('{a,b}'.repeat(8))).toHaveLength(257);
    const nested = `${'{a,'.repeat(300)}b${'}'.repeat(300)}`;
    const unclosed = `${'{'.repeat(2000)}{a,b}`;
    expect(texts(unclosed)).toHaveLength(3);
    for (const text of [list(257), '{a,b}'.repeat(9), '{a,b}'.repeat(800), nested]) {
      expect(await errorOf(() => texts(text))).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
    }
    expect(await errorOf(() => texts('{a,b}'.repeat(1e6)))).toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
    });
  });

  test('are read as both in a file that a person wrote, and listed in one of ours', async () => {
    const { claims, put } = setUp();
    put('hand', { files: ['src/{a,b}.ts'] });
    const verdicts = await claims.check(['src/a.ts', 'src/b.ts', 'src/{a,b}.ts', 'src/c.ts']);
    expect(verdicts.map(({ verdict }) => verdict)).toEqual([
      'other',
      'other',
      'other',
      'unclaimed',
    ]);
    const claim = await claims.claim({
      agent: 'one',
      files: ['lib/{a,b}'],
      except: ['lib/{a,c}/x'],
    });
    expect(claim.files).toEqual(['lib/{a,b}', 'lib/a', 'lib/b']);
    const [, status] = await claims.list();
    expect(status).toMatchObject({ except: ['lib/{a,c}/x', 'lib/a/x', 'lib/c/x'] });
    await claims.claim({ agent: 'two', files: ['lib/a/x'] });
    await claims.releaseAll();
  });

  test('of a path that is asked about are its characters', async () => {
    const { claims } = setUp();
    await claims.claim({ agent: 'one', files: ['a', '{c}'] });
    const verdicts = await claims.check(['{a,b}', '{c}']);
    expect(verdicts).toMatchObject([
      { path: '{a,b}', verdict: 'unclaimed' },
      { path: '{c}', verdict: 'other' },
    ]);
    await claims.releaseAll();
  });
});

describe('a name that looks like a pattern', () => {
  test.each([['[ab].ts'], ['!(a).ts'], ['!a'], ['src/[ab]/*.ts'], ['*/[ab]']])(
    '%s is literal, with a warning',
    async (text) => {
      const { claims } = setUp();
      const warnings: (string | undefined)[] = [];
      const emit = process.emitWarning;
      process.emitWarning = ((_message: string, options: { code?: string }) => {
        warnings.push(options.code);
      }) as typeof process.emitWarning;
      try {
        await claims.claim({ agent: 'one', files: [text] });
        await claims.claim({ agent: 'two', files: ['y'], except: [text] });
      } finally {
        process.emitWarning = emit;
      }
      expect(warnings).toEqual(['HOLDFAST_CLAIM_LITERAL', 'HOLDFAST_CLAIM_LITERAL']);
      await claims.releaseAll();
    },
  );

  test('that exists is no occasion to warn, and neither is what is new below it', async () => {
    const { claims, folder } = setUp();
    mkdirSync(join(folder, 'app/(shop)/[slug]'), { recursive: true });
    // A warning fails the test.
    const files = ['app/(shop)/[slug]/page.tsx', 'app/(shop)/[slug]', 'app/{id}/(x)', 'a!'];
    await claims.claim({ agent: 'one', files });
    await claims.releaseAll();
  });
});
