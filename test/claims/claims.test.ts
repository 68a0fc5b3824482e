import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import {
  type Claim,
  ClaimConflictError,
  type ClaimRequest,
  type ClaimStatus,
  Claims,
  type Conflict,
} from '../../src/claims.js';
import { LockError } from '../../src/index.js';
import { testFolder } from '../support/folder.js';
import { errorOf } from '../support/refused.js';
import { expectWarning } from '../support/setup.js';

expectWarning('HOLDFAST_CLAIM_EXPIRED');

interface Setting {
  folder: string;
  directory: string;
  claims: Claims;
  /** Another program's eyes on the same folder. */
  others: Claims;
  /** Writes a claim as a hand would. */
  put: (agent: string, more?: object) => string;
  names: () => string[];
}

function setUp(): Setting {
  const folder = testFolder();
  const directory = join(folder, 'locks');
  mkdirSync(directory);
  const put: Setting['put'] = (agent, more = {}) => {
    const path = join(directory, `${agent}.lock`);
    const fields = {
      agent,
      locked_at: time(-7_200_000),
      files: [`${agent}.txt`],
      expires_at: time(3_600_000),
      ...more,
    };
    writeFileSync(path, JSON.stringify(fields));
    return path;
  };
  const claims = new Claims(directory, { root: folder });
  const others = new Claims(directory, { root: folder });
  return { folder, directory, claims, others, put, names: () => readdirSync(directory).sort() };
}

const time = (fromNow: number): string =>
  `${new Date(Date.now() + fromNow).toISOString().slice(0, 19)}Z`;
const expired = { expires_at: time(-60_000) };
const LOST = expect.objectContaining({ name: 'LockLostError', code: 'ERR_LOCK_LOST' });
const a = { agent: 'a', files: ['src/a.ts'] };
const b = { agent: 'b', files: ['src/b.ts'] };

/** Resolves with the reason once it is aborted. */
function aborted(signal: AbortSignal): Promise<unknown> {
  return Promise.race([
    new Promise((resolve) => {
      if (signal.aborted) resolve(signal.reason);
      signal.addEventListener('abort', () => resolve(signal.reason));
    }),
    sleep(15_000, undefined, { ref: false }).then(() => {
      throw new Error('it was not aborted');
    }),
  ]);
}

async function conflictOf(call: Promise<unknown>): Promise<ClaimConflictError> {
  const error = await errorOf(() => call);
  expect(error).toBeInstanceOf(ClaimConflictError);
  return error as ClaimConflictError;
}

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
    expect(error.waited).toBeLessThan(1000);
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

describe('check', () => {
  test('tells whose each path is', async () => {
    const { claims, put, folder } = setUp();
    await claims.claim({ agent: 'a', directories: ['src'], except: ['src/*.md'] });
    put('hand');
    put('old', { files: ['old'], ...expired });
    const paths = ['./src//x', join(folder, 'src/y'), 'src/x.md', 'hand.txt', 'old', 'src/'];
    const owner = expect.objectContaining({ agent: 'a', state: 'active' });
    const hand = expect.objectContaining({ agent: 'hand' });
    const none = { verdict: 'unclaimed', owner: null, matchedBy: null };
    expect(await claims.check(paths, { as: 'a' })).toEqual([
      { path: 'src/x', verdict: 'mine', owner, matchedBy: 'src/' },
      { path: 'src/y', verdict: 'mine', owner, matchedBy: 'src/' },
      { path: 'src/x.md', ...none },
      { path: 'hand.txt', verdict: 'other', owner: hand, matchedBy: 'hand.txt' },
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
    const { claims } = setUp();
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

describe('what hands wrote', () => {
  test('and overlaps is conflicting, with whom, and audited', async () => {
    const { claims, put } = setUp();
    put('one', { files: ['src/*/a.ts'], task_description: 'first' });
    put('two', { files: ['src/b/*.ts'], task_description: 'second' });
    put('three', { files: ['docs'] });
    put('four', { files: ['src/**'], ...expired });
    expect(
      (await claims.list()).map(({ agent, state, reason }) => [agent, state, reason !== null]),
    ).toEqual([
      ['four', 'expired', true],
      ['one', 'conflicting', true],
      ['three', 'active', false],
      ['two', 'conflicting', true],
    ]);
    expect(await claims.audit()).toMatchObject([
      {
        agents: ['one', 'two'],
        entries: [{ pattern: 'src/*/a.ts' }, { pattern: 'src/b/*.ts' }],
        witness: 'src/b/a.ts',
        task: 'second',
      },
    ]);
    // Both count.
    const { conflicts } = await conflictOf(claims.claim({ agent: 'x', files: ['src/b/a.ts'] }));
    expect(conflicts.map(({ agents }) => agents[1])).toEqual(['one', 'two']);
  });

  test('has a state by its times', async () => {
    const { claims, put } = setUp();
    put('far', { expires_at: time(1_000_000) });
    // Others respect it for two seconds more.
    put('grace', { expires_at: time(0) });
    put('over', { expires_at: time(-4000) });
    put('orphan', { bound: { pid: process.pid, start: 'x' } });
    put('instant', { locked_at: '2020-01-01T00:00:00Z', expires_at: '2020-01-01T00:00:00Z' });
    const states = (await claims.list()).map(({ agent, state }) => [agent, state]);
    expect(Object.fromEntries(states)).toEqual({
      far: 'active',
      grace: 'active',
      over: 'expired',
      orphan: 'orphaned',
      instant: 'expired',
    });
  });

  test('is listed by the name of the agent', async () => {
    const { claims, put } = setUp();
    const agents = ['a', 'a b', 'a-b', 'a.b', 'aa', 'B', 'b', '1', '10', '2', 'é'];
    for (const agent of [...agents].reverse()) put(agent, { files: [] });
    const sorted = [...agents].sort((x, y) => (x < y ? -1 : 1));
    expect((await claims.list()).map(({ agent }) => agent)).toEqual(sorted);
  });
});

describe('an expired claim', () => {
  test('that is overlapped goes, with a warning', async () => {
    const { claims, put, names } = setUp();
    put('old', { files: ['x', 'y'], ...expired });
    put('far', { files: ['z'], ...expired });
    // Of this test alone: that of another may be on its way yet.
    const warned = new Promise<Error>((resolve) => {
      const onWarning = (warning: Error): void => {
        if (warning.message !== 'Overwriting expired lock for old') return;
        process.removeListener('warning', onWarning);
        resolve(warning);
      };
      process.on('warning', onWarning);
    });
    const claim = await claims.claim({ agent: 'new', files: ['x'] });
    const warning = await warned;
    expect(warning).toMatchObject({ name: 'HoldfastWarning', code: 'HOLDFAST_CLAIM_EXPIRED' });
    // What does not overlap stays where it is.
    expect(names()).toEqual(['far.lock', 'new.lock']);
    await claim.release();
  });

  test('that is not overlapped, or is its own, goes without a warning', async () => {
    const { claims, put, names } = setUp();
    const warnings: Error[] = [];
    const listen = (warning: Error & { code?: string }): void => {
      if (warning.code === 'HOLDFAST_CLAIM_EXPIRED') warnings.push(warning);
    };
    // Those of the test before are not this one's.
    await new Promise((resolve) => setImmediate(resolve));
    process.on('warning', listen);
    try {
      put('old', { files: ['x'], ...expired });
      put('orphan', { files: ['y'], bound: { pid: 1, start: 'x' } });
      put('own', { files: ['z'], ...expired });
      const claim = await claims.claim({ agent: 'own', files: ['y'] });
      expect(names()).toEqual(['old.lock', 'own.lock']);
      await claim.release();
      await new Promise((resolve) => setImmediate(resolve));
      expect(warnings).toEqual([]);
    } finally {
      process.off('warning', listen);
    }
  });

  test('of a claim that is refused stays', async () => {
    const { claims, put, names } = setUp();
    put('old', { files: ['x'], ...expired });
    put('held', { files: ['y'] });
    await conflictOf(claims.claim({ agent: 'new', files: ['x', 'y'] }));
    await conflictOf(
      claims.claimAll([
        { agent: 'new', files: ['x'] },
        { agent: 'n', files: ['y'] },
      ]),
    );
    expect(names()).toEqual(['held.lock', 'old.lock']);
  });

  test('is pruned with the orphaned ones, and they are told', async () => {
    const { claims, put, names } = setUp();
    put('old', expired);
    put('orphan', { bound: { pid: 1, start: 'x' } });
    put('held');
    put('broken', { files: 5 });
    const pruned = await claims.prune();
    expect(pruned.map(({ agent, state }) => [agent, state])).toEqual([
      ['old', 'expired'],
      ['orphan', 'orphaned'],
    ]);
    expect(names()).toEqual(['broken.lock', 'held.lock']);
    expect(await claims.prune()).toEqual([]);
  });
});

describe('releasing', () => {
  test('by name removes the claim, whoever made it', async () => {
    const { claims, others, put, names } = setUp();
    const claim = await others.claim(a);
    put('hand');
    put('old', expired);
    expect(await claims.release('a')).toBe(true);
    expect(await claims.release('hand')).toBe(true);
    expect(await claims.release('old')).toBe(true);
    expect(await claims.release('nobody')).toBe(false);
    expect(await claims.release('a')).toBe(false);
    expect(names()).toEqual([]);
    expect(await aborted(claim.signal)).toEqual(LOST);
  });

  test('all leaves nothing but what is invalid', async () => {
    const { claims, put, names, directory } = setUp();
    await claims.claimAll([a, b]);
    put('hand');
    put('old', expired);
    put('orphan', { bound: { pid: 1, start: 'x' } });
    writeFileSync(join(directory, 'foreign.lock'), 'foreign');
    await claims.releaseAll();
    expect(names()).toEqual(['foreign.lock']);
  });
});

describe('waiting', () => {
  const wanted: ClaimRequest = { agent: 'waiter', files: ['src/a.ts'] };

  test('ends when the other releases, and onWait was told once', async () => {
    const { claims, others } = setUp();
    const first = await others.claim(a);
    const told: Conflict[][] = [];
    let waiting = (): void => {};
    const began = new Promise<void>((resolve) => {
      waiting = resolve;
    });
    const pending = claims.claim(wanted, {
      timeout: 20_000,
      onWait: (conflicts) => {
        told.push(conflicts);
        waiting();
      },
    });
    await began;
    // Not what it waits for.
    const other = await others.claim(b);
    await other.release();
    expect(await first.release()).toBe(true);
    const claim = await pending;
    expect(told).toMatchObject([[{ agents: ['waiter', 'a'], witness: 'src/a.ts' }]]);
    await claim.release();
  });

  test('ends when the file is removed by hand', async () => {
    const { claims, put } = setUp();
    const path = put('hand', { files: ['src/a.ts'] });
    const claim = await claims.claim(wanted, { timeout: 20_000, onWait: () => unlinkSync(path) });
    await claim.release();
  });

  test('ends when the other claims something else', async () => {
    const { claims, others } = setUp();
    await others.claim(a);
    let moved: Promise<unknown> | undefined;
    const claim = await claims.claim(wanted, {
      timeout: 20_000,
      onWait: () => {
        moved = others.claim({ ...a, files: ['elsewhere'] });
      },
    });
    await moved;
    expect((await claims.list()).map(({ agent }) => agent)).toEqual(['a', 'waiter']);
    await claim.release();
    await claims.releaseAll();
  });

  test('ends when the other expires, two seconds after its time', async () => {
    const { claims, put, names } = setUp();
    const expiresAt = time(0);
    put('old', { files: ['src/a.ts'], expires_at: expiresAt });
    let waited = false;
    const claim = await claims.claim(wanted, {
      timeout: 20_000,
      onWait: () => {
        waited = true;
      },
    });
    expect(waited).toBe(true);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(expiresAt) + 2000);
    expect(Date.now()).toBeLessThan(Date.parse(expiresAt) + 8000);
    expect(names()).toEqual(['waiter.lock']);
    await claim.release();
  });

  test('ends after the timeout, with the conflicts and how long it was', async () => {
    const { claims, names } = setUp();
    const held = await claims.claim(a);
    let calls = 0;
    const error = await conflictOf(
      claims.claim(wanted, {
        timeout: 300,
        onWait: () => {
          calls++;
        },
      }),
    );
    expect(error).toMatchObject({
      code: 'ERR_CLAIM_CONFLICT',
      conflicts: [{ agents: ['waiter', 'a'] }],
    });
    expect(error.waited).toBeGreaterThanOrEqual(300);
    expect(error.waited).toBeLessThan(5000);
    expect(calls).toBe(1);
    expect(names()).toEqual(['a.lock']);
    await held.release();
  });

  test('without a timeout does not happen', async () => {
    const { claims } = setUp();
    const held = await claims.claim(a);
    for (const options of [{}, { timeout: 0 }]) {
      let calls = 0;
      const onWait = (): void => {
        calls++;
      };
      const { waited } = await conflictOf(claims.claim(wanted, { ...options, onWait }));
      expect(waited).toBeLessThan(1000);
      expect(calls).toBe(0);
    }
    await held.release();
  });

  test('ends with the reason of the signal, and nothing is claimed', async () => {
    const { claims, names } = setUp();
    const held = await claims.claim(a);
    const controller = new AbortController();
    const reason = new Error('enough');
    const error = await errorOf(() =>
      claims.claim(wanted, {
        timeout: Number.POSITIVE_INFINITY,
        signal: controller.signal,
        onWait: () => controller.abort(reason),
      }),
    );
    expect(error).toBe(reason);
    expect(await held.release()).toBe(true);
    expect(names()).toEqual([]);
  });

  test('ends with what onWait throws', async () => {
    const { claims } = setUp();
    const held = await claims.claim(a);
    const thrown = new Error('no');
    const error = await errorOf(() =>
      claims.claim(wanted, {
        timeout: 20_000,
        onWait: () => {
          throw thrown;
        },
      }),
    );
    expect(error).toBe(thrown);
    await held.release();
  });

  test('of claimAll is for all, and takes none before', async () => {
    const { claims, others, names } = setUp();
    const first = await others.claim(a);
    let seen: string[] = [];
    let waiting = (): void => {};
    const began = new Promise<void>((resolve) => {
      waiting = resolve;
    });
    const pending = claims.claimAll([wanted, b], {
      timeout: 20_000,
      onWait: () => {
        seen = names();
        waiting();
      },
    });
    await began;
    await first.release();
    expect((await pending).map(({ agent }) => agent)).toEqual(['waiter', 'b']);
    expect(seen).toEqual(['a.lock']);
    await claims.releaseAll();
  });

  test('of many gives it to one after the other', async () => {
    const { claims, others } = setUp();
    let inside = 0;
    const work = async (at: number): Promise<void> => {
      const one = at % 2 === 0 ? claims : others;
      const claim = await one.claim({ agent: `agent-${at}`, files: ['one'] }, { timeout: 25_000 });
      expect(++inside).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      inside--;
      expect(await claim.release()).toBe(true);
    };
    await Promise.all(Array.from({ length: 12 }, (_, at) => work(at)));
    expect(await claims.list()).toEqual([]);
  });
});

describe('the signal of a claim', () => {
  test('tells that a hand has removed it', async () => {
    const { claims, directory } = setUp();
    const claim = await claims.claim(a);
    unlinkSync(join(directory, 'a.lock'));
    expect(await aborted(claim.signal)).toEqual(LOST);
    expect(claim.covers('src/a.ts')).toBe(false);
    expect(await claim.release()).toBe(false);
  });

  test.each(['valid', 'invalid'])(
    'tells that a hand has overwritten it with what is %s',
    async (kind) => {
      const { claims, put, directory } = setUp();
      const claim = await claims.claim(a);
      if (kind === 'valid') put('a');
      else writeFileSync(join(directory, 'a.lock'), 'broken');
      expect(await aborted(claim.signal)).toEqual(LOST);
      expect(await claim.release()).toBe(false);
      expect(existsSync(join(directory, 'a.lock'))).toBe(true);
    },
  );

  test('tells that the same agent has claimed anew elsewhere', async () => {
    const { claims, others } = setUp();
    const claim = await claims.claim(a);
    const newer = await others.claim({ ...a, files: ['other'] });
    expect(await aborted(claim.signal)).toEqual(LOST);
    expect(newer.signal.aborted).toBe(false);
    expect(await newer.release()).toBe(true);
  });

  test('tells that it has expired, two seconds before its time', async () => {
    const { claims, names } = setUp();
    const claim = await claims.claim({ ...a, ttl: 2500 });
    expect(await aborted(claim.signal)).toEqual(LOST);
    const left = claim.expiresAt.getTime() - Date.now();
    expect(left).toBeLessThanOrEqual(2000);
    expect(left).toBeGreaterThan(0);
    expect(claim.covers('src/a.ts')).toBe(false);
    expect(await errorOf(() => claim.renew())).toEqual(LOST);
    // Others respect it still.
    expect(names()).toEqual(['a.lock']);
    expect(await claims.list()).toMatchObject([{ state: 'active' }]);
    await conflictOf(claims.claim({ ...b, files: a.files }));
    await claims.releaseAll();
  });

  test('is silent when it is renewed in time', async () => {
    const { claims } = setUp();
    const claim = await claims.claim({ ...a, ttl: 3000 });
    const before = claim.expiresAt;
    await claim.renew(3_600_000);
    expect(claim.expiresAt.getTime()).toBeGreaterThan(before.getTime() + 3_000_000);
    expect((await claims.list())[0]?.expiresAt).toEqual(claim.expiresAt);
    expect(claim.signal.aborted).toBe(false);
    await claim.renew();
    expect(claim.expiresAt.getTime()).toBeLessThan(Date.now() + 5000);
    expect(await claim.release()).toBe(true);
  });
});

describe('a claim that is no longer the same', () => {
  const endings: [string, (setting: Setting) => unknown][] = [
    ['removed', ({ directory }) => unlinkSync(join(directory, 'a.lock'))],
    ['overwritten by hand', ({ put }) => put('a')],
    [
      'overwritten by what is invalid',
      ({ directory }) => writeFileSync(join(directory, 'a.lock'), ''),
    ],
    ['claimed anew by the same name', ({ others }) => others.claim(a)],
    ['claimed anew here', ({ claims }) => claims.claim(a)],
    ['released by its name', ({ others }) => others.release('a')],
    ['swept', ({ others }) => others.releaseAll()],
    ['overwritten with the id of nobody', ({ put }) => put('a', { id: null })],
  ];

  test.each(endings)('as it was %s is neither revived nor deleted', async (_how, end) => {
    const setting = setUp();
    const { claims, directory, names } = setting;
    const content = (): string | null =>
      existsSync(join(directory, 'a.lock'))
        ? readFileSync(join(directory, 'a.lock'), 'utf8')
        : null;
    const [renewing, releasing] = [await claims.claim(a), () => claims.claim(a)];
    await end(setting);
    const after = content();
    expect(await errorOf(() => renewing.renew())).toEqual(LOST);
    expect(await renewing.release()).toBe(false);
    expect(content()).toBe(after);
    expect(renewing.signal.aborted).toBe(true);
    // The same without a renewal that has found it out.
    if (after !== '') {
      const claim = await releasing();
      await end(setting);
      const then = content();
      expect(await claim.release()).toBe(false);
      expect(content()).toBe(then);
    }
    expect(names().filter((name) => name !== 'a.lock')).toEqual([]);
  });

  test('as another has overwritten it after its expiry is neither revived nor deleted', async () => {
    const { claims, others, put, directory } = setUp();
    const claim = await claims.claim(a);
    const { id } = JSON.parse(readFileSync(join(directory, 'a.lock'), 'utf8'));
    put('a', { id, files: a.files, ...expired });
    const other = await others.claim({ ...b, files: a.files });
    expect(await errorOf(() => claim.renew())).toEqual(LOST);
    expect(await claim.release()).toBe(false);
    expect((await claims.list()).map(({ agent }) => agent)).toEqual(['b']);
    expect(await other.release()).toBe(true);
  });
});

describe('keepAlive', () => {
  test('renews at a third of the ttl, until it is released', async () => {
    const { claims, others, names } = setUp();
    const claim = await claims.claim({ ...a, ttl: 4500, keepAlive: true });
    const first = claim.expiresAt.getTime();
    await expect
      .poll(() => claim.expiresAt.getTime(), { timeout: 15_000, interval: 50 })
      .toBeGreaterThan(first + 2000);
    expect(claim.signal.aborted).toBe(false);
    expect(await others.list()).toMatchObject([{ state: 'active', expiresAt: claim.expiresAt }]);
    expect(await claim.release()).toBe(true);
    expect(names()).toEqual([]);
  });

  test('of a claim that was taken away does not bring it back', async () => {
    const { claims, others, names } = setUp();
    const claim = await claims.claim({ ...a, ttl: 3600, keepAlive: true });
    expect(await others.release('a')).toBe(true);
    const other = await others.claim({ ...b, files: a.files });
    expect(await aborted(claim.signal)).toEqual(LOST);
    // Past the time of the next renewal, which would be the proof.
    await sleep(1500);
    expect(names()).toEqual(['b.lock']);
    await other.release();
  });
});

describe('watch', () => {
  test('yields at once, then after each change, and ends with the reason of its signal', async () => {
    const { claims, others, put, names } = setUp();
    const controller = new AbortController();
    const reason = new Error('enough');
    const watched = claims.watch({ signal: controller.signal });
    const next = async (): Promise<string[]> => {
      const { value } = await watched.next();
      return (value as ClaimStatus[]).map(({ agent, state }) => `${agent} ${state}`);
    };
    expect(await next()).toEqual([]);
    const claim = await others.claim(a);
    expect(await next()).toEqual(['a active']);
    put('b', { files: a.files });
    await expect.poll(next, { timeout: 10_000 }).toEqual(['a conflicting', 'b conflicting']);
    await claim.release();
    expect(await next()).toEqual(['b active']);
    expect(await others.release('b')).toBe(true);
    expect(await next()).toEqual([]);
    const last = watched.next();
    controller.abort(reason);
    expect(await errorOf(() => last)).toBe(reason);
    expect(await watched.next()).toEqual({ done: true, value: undefined });
    expect(names()).toEqual([]);
  });

  test('tells of a claim that expires, though nothing is written', async () => {
    const { claims, put } = setUp();
    put('old', { expires_at: time(0) });
    const states: string[] = [];
    for await (const statuses of claims.watch()) {
      states.push(...statuses.map(({ state }) => state));
      if (states.includes('expired')) break;
    }
    expect(states).toEqual(['active', 'expired']);
  });

  test('with a signal that is aborted already yields nothing', async () => {
    const { claims } = setUp();
    const reason = new Error('enough');
    const watched = claims.watch({ signal: AbortSignal.abort(reason) });
    expect(await errorOf(() => watched.next())).toBe(reason);
  });
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
