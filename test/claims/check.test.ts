import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { expired, setUp } from '../support/claims-setting.js';

describe('check', () => {
  test('tells whose each path is', async () => {
    const { claims, put, folder } = setUp();
    await claims.claim({ agent: 'a', directories: ['src'], except: ['src/*.md'] });
    put('hand');
    put('old', { files: ['old'], ...expired });
    const paths = ['./src//x', join(folder, 'src/y'), 'src/x.md', 'hand.txt', 'old', 'src/'];
    const owner = expect.objectContaining({ agent: 'a', state: 'active' });
    const hand = expect.objectContaining({ agent: 'hand' });
    const none = { verdict: 'unclaimed', owner: null, matchedBy: null, notice: null };
    expect(await claims.check(paths, { as: 'a' })).toEqual([
      { path: 'src/x', verdict: 'mine', owner, matchedBy: 'src/', notice: null },
      { path: 'src/y', verdict: 'mine', owner, matchedBy: 'src/', notice: null },
      { path: 'src/x.md', ...none },
      { path: 'hand.txt', verdict: 'other', owner: hand, matchedBy: 'hand.txt', notice: null },
      { path: 'old', ...none },
      // Not all below it is.
      { path: expect.stringMatching(/^src\/?$/), ...none },
    ]);
    const verdicts = await claims.check(paths);
    expect(verdicts.map(({ verdict }) => verdict)).toEqual([
      'other',
      'other',
      'unclaimed',
      'other',
      'unclaimed',
      'other',
    ]);
    expect(await claims.check([])).toEqual([]);
    await claims.releaseAll();
  });

  test('takes paths literally', async () => {
    const { claims, folder } = setUp();
    mkdirSync(join(folder, 'app/(shop)/[slug]'), { recursive: true });
    await claims.claim({ agent: 'a', files: ['app/(shop)/[slug]/page.tsx', 'lit\\*'] });
    const verdicts = await claims.check([
      'app/(shop)/[slug]/page.tsx',
      'app/(shop)/*/page.tsx',
      'lit*',
      'lit1',
    ]);
    expect(verdicts.map(({ path, verdict }) => [path, verdict])).toEqual([
      ['app/(shop)/[slug]/page.tsx', 'other'],
      ['app/(shop)/*/page.tsx', 'unclaimed'],
      ['lit*', 'other'],
      ['lit1', 'unclaimed'],
    ]);
    await claims.releaseAll();
  });

  test("of a path that is one's own and another's as well is the other's", async () => {
    const { claims, put } = setUp();
    put('a', { files: ['x'] });
    put('b', { files: ['x'] });
    expect(await claims.check(['x'], { as: 'a' })).toMatchObject([
      { verdict: 'other', owner: { agent: 'b' } },
    ]);
    expect(await claims.check(['x'], { as: 'b' })).toMatchObject([
      { verdict: 'other', owner: { agent: 'a' } },
    ]);
  });
});
