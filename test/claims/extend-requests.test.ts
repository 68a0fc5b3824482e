import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type ClaimRequest, Claims } from '../../src/claims.js';
import { ClaimsPeer, places } from '../support/claims-peer.js';
import { a, conflictOf, setUp } from '../support/claims-setting.js';
import { errorOf } from '../support/refused.js';

describe('claimAll with requests that release and extend', () => {
  test('hands over in one step, and nobody comes between', async () => {
    const { claims } = setUp();
    await claims.claimAll([
      { agent: 'a', directories: ['src/'] },
      { agent: 'b', files: ['doc'] },
    ]);
    const [one, two] = await claims.claimAll([
      { agent: 'a', release: ['src/gen/'] },
      { agent: 'b', directories: ['src/gen/'], extend: true },
    ]);
    expect(one?.covers('src/gen/x')).toBe(false);
    expect(one?.covers('src/x')).toBe(true);
    expect(two?.covers('src/gen/x')).toBe(true);
    expect(two?.covers('doc')).toBe(true);
    expect(await claims.audit()).toEqual([]);
  });

  test('hands over all that one has: its claim ends', async () => {
    const { claims, names } = setUp();
    await claims.claim(a);
    const [one, two] = await claims.claimAll([
      { agent: 'a', release: ['src/'] },
      { agent: 'b', files: ['src/a.ts'], extend: true },
    ]);
    expect(names()).toEqual(['b.lock']);
    expect(one?.covers('src/a.ts')).toBe(false);
    expect(two?.covers('src/a.ts')).toBe(true);
  });

  test('is refused whole if the other keeps something of it', async () => {
    const { claims, directory } = setUp();
    await claims.claim({ agent: 'a', directories: ['src/'] });
    const before = readFileSync(join(directory, 'a.lock'), 'utf8');
    const { conflicts } = await conflictOf(
      claims.claimAll([
        { agent: 'a', release: ['src/gen/x'] },
        { agent: 'b', directories: ['src/gen/'], extend: true },
      ]),
    );
    expect(conflicts).toMatchObject([{ agents: ['b', 'a'] }]);
    expect(readFileSync(join(directory, 'a.lock'), 'utf8')).toBe(before);
  });
});

describe('a part of a hook', () => {
  const hook = (file: string, tree?: string): ClaimRequest => ({
    agent: 'a',
    files: [file],
    extend: true,
    by: 'hook',
    tree,
  });

  test('stays one of its own, with the time when it was touched, and holds in its tree', async () => {
    const { claims, folder } = setUp();
    await claims.claim({ agent: 'a', files: ['x'] });
    await claims.claim(hook('y'));
    await claims.claim(hook('z', '/other/tree'));
    const [status] = await claims.list();
    expect(status?.parts).toEqual([
      expect.objectContaining({ files: ['x'], by: 'hand', tree: null, touched: null }),
      expect.objectContaining({ files: ['y'], by: 'hook', tree: folder }),
      expect.objectContaining({ files: ['z'], by: 'hook', tree: '/other/tree' }),
    ]);
    expect(status?.parts[1]?.touched).toBeInstanceOf(Date);
    expect(status?.files).toEqual(['x', 'y', 'z']);
  });

  test('is touched again, and no second one is made of it, nor of what was claimed by hand', async () => {
    const { claims, put } = setUp();
    put('a', {
      files: ['x', 'y'],
      parts: [{ files: ['y'], by: 'hook', tree: '/t', touched: '2026-01-17T15:30:00Z' }],
    });
    await claims.claim(hook('y', '/t'));
    await claims.claim(hook('x', '/t'));
    const parts = (await claims.list())[0]?.parts;
    expect(parts).toHaveLength(2);
    expect(parts?.[0]?.touched?.getTime()).toBeGreaterThan(Date.now() - 60_000);
  });

  test('of one request with several paths: one each', async () => {
    const { claims } = setUp();
    await claims.claim({ agent: 'a', files: ['x', 'y'], by: 'hook' });
    expect((await claims.list())[0]?.parts.map(({ files }) => files)).toEqual([['x'], ['y']]);
  });
});

test.each<[string, ClaimRequest]>([
  ['release beside a scope that replaces', { agent: 'a', files: ['x'], release: ['y'] }],
  ['nothing at all', { agent: 'a', extend: true }],
  ['an empty release', { agent: 'a', release: [] }],
  ['a tree of what is claimed by hand', { agent: 'a', files: ['x'], tree: '/t' }],
  ['a way to claim that there is not', { agent: 'a', files: ['x'], by: 'us' as 'hand' }],
  ['a path out of the root', { agent: 'a', release: ['../x'] }],
])('a request with %s is refused', async (_what, request) => {
  const { claims, names } = setUp();
  expect(await errorOf(() => claims.claim(request))).toMatchObject({
    code: 'ERR_INVALID_ARG_VALUE',
  });
  expect(names()).toEqual([]);
});

test('eight processes of one agent that extend at once end with eight files', async () => {
  const { root, locks } = places();
  const peers = await ClaimsPeer.startMany(8, locks, root);
  await Promise.all(
    peers.map((peer, at) => peer.claim({ agent: 'one', files: [`src/${at}.ts`], extend: true })),
  );
  const [status, ...more] = await new Claims(locks, { root }).list();
  expect(more).toEqual([]);
  expect([...(status?.files ?? [])].sort()).toEqual(peers.map((_, at) => `src/${at}.ts`));
  for (const peer of peers) {
    await expect.poll(async () => (await peer.describe('one')).files.length).toBe(8);
    expect(await peer.describe('one')).toMatchObject({ aborted: false });
  }
});

describe('a claim with parts whose file a hand has edited', () => {
  const edit = (file: string, change: (fields: Record<string, unknown>) => object): void =>
    writeFileSync(file, JSON.stringify(change(JSON.parse(readFileSync(file, 'utf8'))), null, 2));

  test('has what was added to the lists, and not what was removed from them', async () => {
    const { claims, directory } = setUp();
    const claim = await claims.claim({ agent: 'a', directories: ['src/'], except: ['src/gen/'] });
    await claim.extend({ directories: ['lib/'] });
    edit(join(directory, 'a.lock'), (fields) => ({
      ...fields,
      files: ['new'],
      directories: ['src/'],
    }));
    await expect.poll(() => claim.covers('new')).toBe(true);
    const covered = ['src/x', 'src/gen/x', 'lib/x'].map((path) => claim.covers(path));
    expect(covered).toEqual([true, false, false]);
    await claim.extend({ files: ['src/gen/x'] });
    expect(claim.covers('src/gen/x')).toBe(true);
    await claims.claim({ agent: 'b', directories: ['lib/'] });
  });

  test('excepts from all parts what was added to its exceptions', async () => {
    const { claims, directory } = setUp();
    const claim = await claims.claim({ agent: 'a', directories: ['src/'], except: ['src/gen/'] });
    await claim.extend({ directories: ['lib/'] });
    edit(join(directory, 'a.lock'), (fields) => ({ ...fields, except: ['**/x'] }));
    await expect.poll(() => claim.covers('lib/x')).toBe(false);
    const covered = ['src/x', 'src/y', 'src/gen/y', 'lib/y'].map((path) => claim.covers(path));
    expect(covered).toEqual([false, true, false, true]);
  });
});
