import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { ClaimsFolder } from '../../src/claims/folder.js';
import { Claims } from '../../src/claims.js';
import { a, b, conflictOf, setUp } from '../support/claims-setting.js';
import { testFolder } from '../support/folder.js';

describe('claimAll', () => {
  test('claims all', async () => {
    const { claims, names } = setUp();
    const granted = await claims.claimAll([a, b, { agent: 'c', directories: ['docs'] }]);
    expect(granted.map(({ agent }) => agent)).toEqual(['a', 'b', 'c']);
    expect(names()).toEqual(['a.lock', 'b.lock', 'c.lock']);
    for (const claim of granted) expect(await claim.release()).toBe(true);
    expect(names()).toEqual([]);
  });

  test('claims none where one of them overlaps with another claim', async () => {
    const { claims, names, directory } = setUp();
    await claims.claim({ agent: 'old', files: ['src/b.ts', 'src/c.ts'] });
    const own = await claims.claim({ agent: 'a', files: ['mine'] });
    const content = readFileSync(join(directory, 'a.lock'), 'utf8');
    const { conflicts } = await conflictOf(
      claims.claimAll([a, b, { agent: 'c', files: ['src/c.ts'] }]),
    );
    expect(conflicts.map(({ agents }) => agents)).toEqual([
      ['b', 'old'],
      ['c', 'old'],
    ]);
    expect(names()).toEqual(['a.lock', 'old.lock']);
    expect(readFileSync(join(directory, 'a.lock'), 'utf8')).toBe(content);
    expect(own.signal.aborted).toBe(false);
    await claims.releaseAll();
  });

  test('refuses what overlaps among itself at once, however long it may wait', async () => {
    const { claims, names } = setUp();
    const requests = [a, b, { agent: 'c', files: ['src/*.ts'] }];
    const error = await conflictOf(
      claims.claimAll(requests, { timeout: Number.POSITIVE_INFINITY }),
    );
    expect(error.waited).toBe(0);
    expect(error.conflicts).toMatchObject([
      { agents: ['a', 'c'], witness: 'src/a.ts', expiresAt: null },
      { agents: ['b', 'c'], witness: 'src/b.ts', expiresAt: null },
    ]);
    expect(names()).toEqual([]);
  });

  test('replaces old claims of its agents, also where these overlap with what is asked', async () => {
    const { claims } = setUp();
    const old = await claims.claimAll([a, b]);
    const granted = await claims.claimAll([
      { ...a, files: b.files },
      { ...b, files: a.files },
    ]);
    expect(old.every(({ signal }) => signal.aborted)).toBe(true);
    expect(granted.map(({ files }) => files)).toEqual([b.files, a.files]);
    await claims.releaseAll();
  });
});

test('names that a file system may take for one are not claimed together', async () => {
  const root = testFolder();
  const claims = new Claims(join(root, 'locks'), { root });
  const requests = ['api', 'API'].map((agent) => ({ agent, files: [agent] }));
  await expect(claims.claimAll(requests)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
  expect(readdirSync(root)).toEqual([]);
});

test('a claim does not take the place of a file that goes by another name', async () => {
  const { directory, claims } = setUp();
  await claims.claim({ agent: 'api', files: ['a'] });
  // As where names ignore case: the folder lists one name, and has the file under both.
  const listed = vi.spyOn(ClaimsFolder.prototype, 'fileOf').mockImplementation(() => {
    return join(directory, 'api.lock');
  });
  onTestFinished(() => listed.mockRestore());
  await expect(claims.claim({ agent: 'API', files: ['b'] })).rejects.toMatchObject({
    code: 'ERR_CLAIM_INVALID',
    message: expect.stringContaining('one file'),
  });
  expect(readdirSync(directory)).toEqual(['api.lock']);
});
