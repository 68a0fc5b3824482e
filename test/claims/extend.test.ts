import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type ClaimRequest, Claims, type PathVerdict } from '../../src/claims.js';
import { ClaimsPeer, places } from '../support/claims-peer.js';
import { a, aborted, b, conflictOf, LOST, setUp, time } from '../support/claims-setting.js';
import { errorOf } from '../support/refused.js';

const verdicts = async (
  claims: Claims,
  paths: string[],
  as?: string,
): Promise<PathVerdict['verdict'][]> =>
  (await claims.check(paths, { as })).map(({ verdict }) => verdict);

const read = (directory: string, agent: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(directory, `${agent}.lock`), 'utf8'));

describe('a claim that is extended', () => {
  test('keeps what the agent has, its id and its task, and others are refused both', async () => {
    const { claims, directory } = setUp();
    await claims.claim({ ...a, taskDescription: 'first' });
    const { id, locked_at } = read(directory, 'a');
    await claims.claim({ agent: 'a', directories: ['docs/'], extend: true });
    expect(read(directory, 'a')).toMatchObject({
      id,
      locked_at,
      files: ['src/a.ts'],
      directories: ['docs/'],
      task_description: 'first',
    });
    for (const path of ['src/a.ts', 'docs/x']) {
      await conflictOf(claims.claim({ agent: 'b', files: [path] }));
    }
  });

  test('is a new claim if the agent has none, or only an expired one', async () => {
    const { claims, put, directory } = setUp();
    await claims.claim({ ...a, extend: true });
    expect(read(directory, 'a')['files']).toEqual(['src/a.ts']);
    put('b', { expires_at: time(-60_000) });
    await claims.claim({ ...b, extend: true });
    expect(read(directory, 'b')['files']).toEqual(['src/b.ts']);
  });

  test('that is refused stands as it was', async () => {
    const { claims, directory } = setUp();
    const claim = await claims.claim(a);
    await claims.claim(b);
    const before = readFileSync(join(directory, 'a.lock'), 'utf8');
    await conflictOf(claims.claim({ agent: 'a', files: ['src/b.ts'], extend: true }));
    await conflictOf(claim.extend({ files: ['new', 'src/*'] }));
    expect(readFileSync(join(directory, 'a.lock'), 'utf8')).toBe(before);
    expect(claim.covers('new')).toBe(false);
  });

  test('covers a path that it has excepted before, also for who reads its file', async () => {
    const { claims, others } = setUp();
    const claim = await claims.claim({ agent: 'a', directories: ['src/'], except: ['src/gen/'] });
    expect(claim.covers('src/gen/a.ts')).toBe(false);
    await claim.extend({ files: ['src/gen/a.ts'] });
    expect(claim.covers('src/gen/a.ts')).toBe(true);
    expect(claim.covers('src/gen/b.ts')).toBe(false);
    expect(await verdicts(others, ['src/gen/a.ts', 'src/gen/b.ts', 'src/c.ts'], 'a')).toEqual([
      'mine',
      'unclaimed',
      'mine',
    ]);
    await conflictOf(others.claim({ agent: 'b', files: ['src/gen/a.ts'] }));
    await others.claim({ agent: 'b', files: ['src/gen/b.ts'] });
  });

  test('shows in its file all patterns, and of exceptions those that every part has', async () => {
    const { claims, directory } = setUp();
    await claims.claim({ agent: 'a', directories: ['src/'], except: ['src/gen/', 'src/x'] });
    await claims.claim({
      agent: 'a',
      directories: ['lib/'],
      except: ['src/x', 'lib/y'],
      extend: true,
    });
    expect(read(directory, 'a')).toMatchObject({
      files: [],
      directories: ['src/', 'lib/'],
      except: ['src/x'],
    });
    expect((await claims.list())[0]?.parts).toEqual([
      expect.objectContaining({ directories: ['src/'], except: ['src/gen/', 'src/x'] }),
      expect.objectContaining({ directories: ['lib/'], except: ['src/x', 'lib/y'] }),
    ]);
  });

  test('by hand joins the part that has no exceptions, so that its file stays plain', async () => {
    const { claims, directory } = setUp();
    await claims.claim(a);
    for (const file of ['x', 'y', 'x']) {
      await claims.claim({ agent: 'a', files: [file], extend: true });
    }
    expect(read(directory, 'a')['files']).toEqual(['src/a.ts', 'x', 'y']);
    expect(read(directory, 'a')).not.toHaveProperty('parts');
  });

  test('never expires earlier than before, and by default an hour from now', async () => {
    const { claims } = setUp();
    const { expiresAt } = await claims.claim({ ...a, ttl: 7_200_000 });
    const again = await claims.claim({ agent: 'a', files: ['x'], extend: true, ttl: 60_000 });
    expect(again.expiresAt).toEqual(expiresAt);
    await claims.claim({ ...b, ttl: 60_000 });
    const later = await claims.claim({ agent: 'b', files: ['y'], extend: true });
    expect(later.expiresAt.getTime()).toBeGreaterThan(Date.now() + 3_500_000);
  });

  test('keeps the fields of other programs, and what a hand has written gets an id', async () => {
    const { claims, put, directory } = setUp();
    put('a', { ticket: 42, note: { by: 'me' } });
    const claim = await claims.claim({ agent: 'a', files: ['x'], extend: true });
    expect(read(directory, 'a')).toMatchObject({
      files: ['a.txt', 'x'],
      ticket: 42,
      note: { by: 'me' },
      id: expect.any(String),
    });
    await claim.renew();
    expect(await claim.release()).toBe(true);
  });

  test('waits for what is in its way, as any claim', async () => {
    const { claims, others } = setUp();
    const claim = await claims.claim(a);
    const other = await others.claim(b);
    await claim.extend(
      { files: ['src/b.ts'] },
      { timeout: 20_000, onWait: () => void other.release() },
    );
    expect(claim.files).toEqual(['src/a.ts', 'src/b.ts']);
  });
});

describe('the handle of a claim', () => {
  test('follows what another process adds and takes, and is not lost', async () => {
    const { claims, others } = setUp();
    const claim = await claims.claim(a);
    const again = await others.claim({ agent: 'a', directories: ['lib/'], extend: true });
    await expect.poll(() => claim.covers('lib/x')).toBe(true);
    expect(claim.directories).toEqual(['lib/']);
    expect(await others.release('a', { paths: ['src/'] })).toBe(true);
    await expect.poll(() => claim.covers('src/a.ts')).toBe(false);
    expect([claim.signal.aborted, again.signal.aborted]).toEqual([false, false]);
    await claim.renew(7_200_000);
    expect(await claim.release()).toBe(true);
    expect(await aborted(again.signal)).toEqual(LOST);
  });

  test('of the same process goes on: one claim, whoever extended it', async () => {
    const { claims } = setUp();
    const claim = await claims.claim({ ...a, keepAlive: true });
    const again = await claims.claim({ agent: 'a', files: ['x'], extend: true });
    expect(claim.files).toEqual(['src/a.ts', 'x']);
    expect(again.files).toEqual(claim.files);
    expect(claim.signal.aborted).toBe(false);
    expect(await again.release()).toBe(true);
    expect(await claim.release()).toBe(false);
  });

  test('that is lost is not extended, and nothing is claimed', async () => {
    const { claims, others, names } = setUp();
    const claim = await claims.claim(a);
    await others.release('a');
    expect(await errorOf(() => claim.extend({ files: ['x'] }))).toEqual(LOST);
    expect(names()).toEqual([]);
    const next = await others.claim({ agent: 'a', files: ['y'] });
    expect(await errorOf(() => claim.extend({ files: ['x'] }))).toEqual(LOST);
    expect(next.files).toEqual(['y']);
  });

  test('ends when the last path is released, and is not lost by that', async () => {
    const { claims, names } = setUp();
    const claim = await claims.claim(a);
    await claim.extend({ release: ['src/'] });
    expect(names()).toEqual([]);
    expect(claim.signal.aborted).toBe(false);
    expect(claim.covers('src/a.ts')).toBe(false);
    expect(await claim.release()).toBe(false);
  });
});

describe('a claim that is shrunk', () => {
  const wide: ClaimRequest = { agent: 'a', files: ['README.md'], directories: ['src/', 'lib/'] };

  test('is less by what is released, and others get just that', async () => {
    const { claims, others, directory } = setUp();
    const claim = await claims.claim(wide);
    expect(await others.release('a', { paths: ['lib/', 'src/*.test.ts'] })).toBe(true);
    expect(read(directory, 'a')).toMatchObject({
      files: ['README.md'],
      directories: ['src/'],
      except: ['src/*.test.ts'],
    });
    await others.claim({ agent: 'b', files: ['lib/x', 'src/a.test.ts'] });
    await conflictOf(others.claim({ agent: 'c', files: ['src/a.ts'] }));
    await expect.poll(() => claim.covers('lib/x')).toBe(false);
    expect(claim.covers('src/a.ts')).toBe(true);
  });

  test('in every part, each of which keeps its own exceptions', async () => {
    const { claims } = setUp();
    await claims.claim({ agent: 'a', directories: ['src/'], except: ['src/x'] });
    await claims.claim({ agent: 'a', files: ['**/*.md'], except: ['doc/y.md'], extend: true });
    await claims.release('a', { paths: ['src/m.md'] });
    const paths = ['src/m.md', 'src/x', 'src/x.md', 'doc/y.md', 'a.md', 'src/b'];
    expect(await verdicts(claims, paths, 'a')).toEqual([
      'unclaimed',
      'unclaimed',
      'mine',
      'unclaimed',
      'mine',
      'mine',
    ]);
  });

  test('is removed with its last path, also where the patterns say it together only', async () => {
    const { claims, names } = setUp();
    await claims.claim({ agent: 'a', files: ['src/*.ts'] });
    expect(await claims.release('a', { paths: ['src/a*'] })).toBe(true);
    expect(names()).toEqual(['a.lock']);
    expect(await claims.release('a', { paths: ['src/*'] })).toBe(true);
    expect(names()).toEqual([]);
  });

  test('by nothing that it has stays as it is: false', async () => {
    const { claims, directory } = setUp();
    expect(await claims.release('a', { paths: ['x'] })).toBe(false);
    await claims.claim(wide);
    const { ino, mtimeNs } = statSync(join(directory, 'a.lock'), { bigint: true });
    expect(await claims.release('a', { paths: ['doc/', 'x'] })).toBe(false);
    expect(await claims.release('a', { paths: [] })).toBe(false);
    expect(statSync(join(directory, 'a.lock'), { bigint: true })).toMatchObject({ ino, mtimeNs });
  });

  test('by a request, and while another file in the folder is invalid', async () => {
    const { claims, directory } = setUp();
    await claims.claim(wide);
    writeFileSync(join(directory, 'x.lock'), '');
    const claim = await claims.claim({ agent: 'a', release: ['lib/'] });
    expect(claim.directories).toEqual(['src/']);
    expect(await claims.release('a', { paths: ['src/'] })).toBe(true);
    expect(read(directory, 'a')).toMatchObject({ files: ['README.md'] });
  });

  test('and extended again has what it had', async () => {
    const { claims } = setUp();
    const claim = await claims.claim(wide);
    await claim.extend({ release: ['src/gen/'] });
    await claim.extend({ release: ['src/gen/a'], files: ['src/gen/b'] });
    expect(claim.covers('src/gen/a')).toBe(false);
    expect(claim.covers('src/gen/b')).toBe(true);
    await claim.extend({ directories: ['src/gen/'] });
    expect(claim.covers('src/gen/a')).toBe(true);
  });
});

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
