import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Claim, Claims, type Conflict } from '../../src/claims.js';
import { LockError } from '../../src/index.js';
import { a, conflictOf, LOST, setUp } from '../support/claims-setting.js';
import { testFolder } from '../support/folder.js';
import { limit } from '../support/limit.js';
import { errorOf } from '../support/refused.js';

describe('a claim', () => {
  test('is held with what it was asked for, until it is released', async () => {
    const { claims, names } = setUp();
    const request = { agent: 'a', files: ['./x'], directories: ['src'], except: ['src/b/'] };
    const claim = await claims.claim({ ...request, taskDescription: 'Tidy' });
    expect(claim).toMatchObject({ agent: 'a', files: ['x'], directories: ['src/'], fd: -1 });
    expect(claim.signal.aborted).toBe(false);
    expect(await claims.list()).toMatchObject([
      { agent: 'a', state: 'active', reason: null, task: 'Tidy', except: ['src/b/'], bound: null },
    ]);
    expect(names()).toEqual(['a.lock']);
    expect(await claim.release()).toBe(true);
    expect(names()).toEqual([]);
    expect(await claim.release()).toBe(false);
    expect(claim.signal.aborted).toBe(false);
    expect(claim.covers('x')).toBe(false);
    expect(await errorOf(() => claim.renew())).toEqual(LOST);
  });

  test('that overlaps is refused with what is in the way', async () => {
    const { claims, directory, names } = setUp();
    const held = await claims.claim({
      agent: 'a',
      files: ['docs/*'],
      directories: ['src'],
      taskDescription: 'Tidy',
    });
    const error = await conflictOf(claims.claim({ agent: 'b', files: ['x', 'src/*.ts'] }));
    expect(error).toBeInstanceOf(LockError);
    expect(error).toMatchObject({
      name: 'ClaimConflictError',
      code: 'ERR_CLAIM_CONFLICT',
      path: directory,
    });
    expect(error.waited).toBeLessThan(limit(1000));
    expect(error.conflicts).toHaveLength(1);
    const [conflict] = error.conflicts as [Conflict];
    expect(conflict).toMatchObject({
      agents: ['b', 'a'],
      entries: [
        { kind: 'file', pattern: 'src/*.ts' },
        { kind: 'directory', pattern: 'src/' },
      ],
      witness: expect.stringMatching(/^src\/[^/]+\.ts$/),
      task: 'Tidy',
      expiresAt: held.expiresAt,
    });
    expect(conflict.resolutions).toContainEqual(
      expect.objectContaining({ kind: 'sequential', agents: ['a', 'b'] }),
    );
    expect(held.covers(conflict.witness)).toBe(true);
    expect(names()).toEqual(['a.lock']);
    await held.release();
    await (await claims.claim({ agent: 'b', files: ['x', 'src/*.ts'] })).release();
  });

  test.each([
    [{ directories: ['.'] }, { directories: ['.'] }],
    [{ files: ['**'] }, { files: ['**'] }],
    [{ directories: ['.'] }, { files: ['**'] }],
    [{ directories: ['src'] }, { directories: ['src/'] }],
    [{ files: ['src/**'] }, { directories: ['src'] }],
  ])('of %j is the only one: %j is refused', async (one, other) => {
    const { claims } = setUp();
    const claim = await claims.claim({ agent: 'a', ...one });
    expect(await errorOf(() => claims.claim({ agent: 'b', ...other }))).toMatchObject({
      code: 'ERR_CLAIM_CONFLICT',
    });
    expect(await claims.check(['.', 'src/'])).toMatchObject([
      { path: expect.stringMatching(/^\.\/?$/), verdict: 'other' },
      { path: expect.stringMatching(/^src\/?$/), verdict: 'other' },
    ]);
    await claim.release();
  });

  test('has one conflict for each who is in the way', async () => {
    const { claims } = setUp();
    for (const agent of ['one', 'two', 'three']) {
      await claims.claim({ agent, files: [`src/${agent}`, `src/${agent}/x`] });
    }
    const { conflicts } = await conflictOf(claims.claim({ agent: 'a', files: ['src/t*'] }));
    expect(conflicts.map(({ agents }) => agents)).toEqual([
      ['a', 'three'],
      ['a', 'two'],
    ]);
    await claims.releaseAll();
  });

  test('does not meet one that excepts its paths', async () => {
    const { claims } = setUp();
    await claims.claim({ agent: 'a', directories: ['vendor'], except: ['vendor/**/*_test.go'] });
    await claims.claim({ agent: 'b', files: ['vendor/**/*_test.go'] });
    const { conflicts } = await conflictOf(claims.claim({ agent: 'c', files: ['vendor/x.go'] }));
    expect(conflicts.map(({ agents }) => agents)).toEqual([['c', 'a']]);
    await claims.releaseAll();
  });

  test('of the same agent replaces its old one, which is lost', async () => {
    const { claims, names } = setUp();
    const old = await claims.claim({ agent: 'a', files: ['x', 'y'] });
    const claim = await claims.claim({ agent: 'a', files: ['y', 'z'] });
    expect(old.signal.reason).toEqual(LOST);
    expect(names()).toEqual(['a.lock']);
    await (await claims.claim({ agent: 'b', files: ['x'] })).release();
    expect(await old.release()).toBe(false);
    expect(await errorOf(() => old.renew())).toEqual(LOST);
    expect(await claim.release()).toBe(true);
  });

  test('that is refused leaves the old one of the same agent as it was', async () => {
    const { claims, directory } = setUp();
    await claims.claim({ agent: 'b', files: ['z'] });
    const old = await claims.claim({ agent: 'a', files: ['x'] });
    const content = readFileSync(join(directory, 'a.lock'), 'utf8');
    await conflictOf(claims.claim({ agent: 'a', files: ['y', 'z'] }));
    expect(readFileSync(join(directory, 'a.lock'), 'utf8')).toBe(content);
    expect(old.signal.aborted).toBe(false);
    expect(old.covers('x')).toBe(true);
    expect(await old.release()).toBe(true);
    await claims.releaseAll();
  });

  test('covers its paths, lexically and literally, and nothing out of the root', async () => {
    const { claims, folder } = setUp();
    mkdirSync(join(folder, 'app/[slug]'), { recursive: true });
    const claim = await claims.claim({
      agent: 'a',
      files: ['*.ts', 'app/[slug]/page.tsx'],
      directories: ['src'],
      except: ['src/b/', '**/*.md'],
    });
    for (const path of [
      'x.ts',
      './x.ts',
      'src/a',
      'src/c/d',
      'src/b/../a',
      join(folder, 'src/a'),
    ]) {
      expect({ path, covers: claim.covers(path) }).toEqual({ path, covers: true });
    }
    expect(claim.covers('app/[slug]/page.tsx')).toBe(true);
    for (const path of [
      'x.js',
      'y/x.ts',
      'src/b/x',
      'src/a.md',
      'srcx',
      '../x.ts',
      '/etc/passwd',
      '',
    ]) {
      expect({ path, covers: claim.covers(path) }).toEqual({ path, covers: false });
    }
    expect(claim.covers('app/s/page.tsx')).toBe(false);
    expect(claim.covers('src/c/')).toBe(false);
    await claim.release();
  });

  test('is released at the end of a block', async () => {
    const { claims, names } = setUp();
    let kept: Claim;
    {
      await using claim = await claims.claim(a);
      kept = claim;
      expect(names()).toEqual(['a.lock']);
    }
    expect(names()).toEqual([]);
    expect(await kept.release()).toBe(false);
  });

  test('of two who ask at the same time is granted to one', async () => {
    const { claims, others } = setUp();
    const asked = await Promise.allSettled(
      Array.from({ length: 20 }, (_, at) =>
        (at % 2 === 0 ? claims : others).claim({ agent: `agent-${at}`, files: ['same'] }),
      ),
    );
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await claims.releaseAll();
  });
});

test('the message of a refusal by many is short, and its fields have them all', async () => {
  const { claims } = setUp();
  const requests = Array.from({ length: 200 }, (_, at) => ({ agent: `a${at}`, files: [`${at}`] }));
  await claims.claimAll(requests);
  const error = await claims.claim({ agent: 'all', directories: ['.'] }).catch((each) => each);
  expect(error.conflicts).toHaveLength(200);
  expect(error.message.length).toBeLessThan(1000);
  expect(error.waited).toBe(0);
});

describe('the root', () => {
  test('is the git top level of the directory', () => {
    const folder = testFolder();
    const directory = join(folder, 'tree/out/locks');
    mkdirSync(join(folder, 'tree/.git'), { recursive: true });
    expect(new Claims(directory).root).toBe(join(folder, 'tree'));
    const worktree = join(folder, 'worktree');
    mkdirSync(worktree);
    writeFileSync(join(worktree, '.git'), 'gitdir: elsewhere\n');
    expect(new Claims(join(worktree, 'locks')).root).toBe(worktree);
    expect(new Claims(directory, { root: folder }).root).toBe(folder);
  });

  test('is the working directory where there is no git', () => {
    expect(new Claims(join(testFolder(), 'locks')).root).toBe(process.cwd());
  });
});
