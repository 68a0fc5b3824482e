import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ClaimRequest, Claims, PathVerdict } from '../../src/claims.js';
import { a, aborted, b, conflictOf, LOST, setUp, time } from '../support/claims-setting.js';
import { errorOf } from '../support/refused.js';
import { expectWarning } from '../support/setup.js';

expectWarning('HOLDFAST_CLAIM_EXPIRED');

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

  test('that is refused stays as it was', async () => {
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

  test('of the same process continues: one claim, whichever side extended it', async () => {
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
