import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parsePattern } from '../../src/claims/parse-pattern.js';
import type { Root } from '../../src/claims/root.js';
import { ScopeIndex, scopeOf } from '../../src/claims/scope.js';
import type { ClaimRequest } from '../../src/claims.js';
import { handWritten, setUpFiles } from '../support/claims-setting.js';
import { errorOf } from '../support/refused.js';
import { inTwoSizes } from '../support/sizes.js';

const ROOT: Root = { path: '/tree', real: '/tree', ignoresCase: false };

inTwoSizes(
  (count) => `${count} claims are listed, decided on and released`,
  { short: 1000, long: 10_000 },
  async (count) => {
    const { claims, put, directory } = setUpFiles();
    for (let at = 0; at < count; at++) {
      put(`agent-${at}.lock`, handWritten(`agent-${at}`, { directories: [`src/${at}/`] }));
    }
    const before = process.cpuUsage();
    const list = await claims.list();
    expect(list).toHaveLength(count);
    expect(list.every(({ state }) => state === 'active')).toBe(true);
    const claim = await claims.claim({ agent: 'one-more', files: ['docs/x'] });
    const error = await errorOf(() => claims.claim({ agent: 'refused', files: ['src/77/x'] }));
    expect(error).toMatchObject({ conflicts: [{ agents: ['refused', 'agent-77'] }] });
    const all = await errorOf(() => claims.claim({ agent: 'refused', directories: ['src'] }));
    expect(all).toMatchObject({ code: 'ERR_CLAIM_CONFLICT' });
    expect((all as { conflicts: unknown[] }).conflicts).toHaveLength(count);
    expect(await claims.check(['src/999/x'])).toMatchObject([{ owner: { agent: 'agent-999' } }]);
    expect(await claims.audit()).toEqual([]);
    expect(await claim.release()).toBe(true);
    await claims.releaseAll();
    expect(readdirSync(directory)).toEqual([]);
    // Microseconds of the processor, which others do not lengthen.
    const { user, system } = process.cpuUsage(before);
    expect(user + system).toBeLessThan(20_000_000);
  },
);

describe('thousands of exceptions', () => {
  test.each([
    ['of single files', (at: number) => `src/mod${at % 50}/file-number-${at}.ts`],
    ['of patterns', (at: number) => `src/mod${at % 50}/*-number-${at}.ts`],
  ])('%s are decided', async (_, name) => {
    const { claims } = setUpFiles();
    const except = Array.from({ length: 2000 }, (_each, at) => name(at));
    const wide: ClaimRequest = { agent: 'a', directories: ['src/'], except };
    await claims.claim(wide);
    await expect(claims.claim({ agent: 'b', directories: ['src/'] })).rejects.toMatchObject({
      code: 'ERR_CLAIM_CONFLICT',
    });
    await claims.claim({ agent: 'c', files: [name(7).replace('*', 'a'), name(1999)] });
  });
});

test('patterns too complex to compare count as overlapping, and keep nobody else', {
  tags: ['long'],
}, async () => {
  const { put, claims } = setUpFiles();
  put('odd.lock', handWritten('odd', { files: [`${'*a'.repeat(1000)}*b*`] }));
  const request = { agent: 'a', files: [`${'*b'.repeat(1000)}*c*`] };
  await expect(claims.claim(request)).rejects.toMatchObject({
    code: 'ERR_CLAIM_CONFLICT',
    conflicts: [{ agents: ['a', 'odd'], witness: '' }],
  });
  put('odder.lock', handWritten('odder', { files: request.files }));
  expect(await claims.list()).toMatchObject([
    { agent: 'odd', state: 'conflicting' },
    { agent: 'odder', state: 'conflicting' },
  ]);
  await claims.claim({ agent: 'other', files: ['c.ts'] });
});

test('a folder whose name is as long as it may be is read back, with its slash', async () => {
  const { claims } = setUpFiles();
  const longest = 'a'.repeat(4096);
  await claims.claim({ agent: 'a', directories: [longest] });
  expect(await claims.list()).toMatchObject([{ state: 'active', directories: [`${longest}/`] }]);
  await expect(claims.claim({ agent: 'b', directories: [`${longest}a`] })).rejects.toMatchObject({
    code: 'ERR_INVALID_ARG_VALUE',
  });
});

test('a claim of very many entries is compared in bounded time, and breaks nothing', {
  tags: ['long'],
}, async () => {
  const { claims } = setUpFiles();
  const many = Array.from({ length: 150_000 }, (_, at) => `*${at.toString(36)}`);
  const index = new ScopeIndex();
  index.add(scopeOf(many.map((each) => parsePattern(each, 'file', ROOT, 'it'))));
  const one = scopeOf([parsePattern('src/a.ts', 'file', ROOT, 'it')]);
  expect([...index.overlapsWith(one, () => true)]).toEqual([]);
  // Two long lists that are alike.
  const files = Array.from({ length: 10_000 }, (_, at) => `src/file-number-${at}.ts`);
  await claims.claim({ agent: 'a', files });
  await expect(claims.claim({ agent: 'b', files })).rejects.toMatchObject({
    code: 'ERR_CLAIM_CONFLICT',
    conflicts: [{ resolutions: [{ kind: 'merge' }, { kind: 'sequential' }] }],
  });
});
