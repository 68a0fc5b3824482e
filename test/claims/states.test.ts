import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  a,
  aborted,
  b,
  conflictOf,
  expired,
  LOST,
  setUp,
  time,
} from '../support/claims-setting.js';
import { expectWarning } from '../support/setup.js';

expectWarning('HOLDFAST_CLAIM_EXPIRED');

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

  test('that is not overlapped, or is orphaned, goes without a warning', async () => {
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

  test('is pruned with the orphaned ones, and their owners learn of it', async () => {
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
  test('by name removes the claim, whichever process claimed', async () => {
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
