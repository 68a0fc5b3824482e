import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ClaimRequest, Claims } from '../../src/claims.js';
import { expired, setUp, time } from '../support/claims-setting.js';
import { idle } from '../support/processes.js';

const P = { agent: 'p', directories: ['src/'] };
const session = { pid: process.pid };
const child = (agent: string, ...files: string[]): ClaimRequest => ({ agent, files, parent: 'p' });

/** As a hook claims, in every tree. */
function byHook(directory: string, agent: string, files: string[], more: object = {}): void {
  const claim = {
    agent,
    locked_at: time(-60_000),
    files,
    expires_at: time(3_600_000),
    id: `id of ${agent}`,
    ...more,
    parts: [{ files, by: 'hook' }],
  };
  writeFileSync(join(directory, `${agent}.lock`), JSON.stringify(claim));
}

async function scopesOf(claims: Claims): Promise<Record<string, string[]>> {
  const all = await claims.list();
  return Object.fromEntries(
    all.map(({ agent, files, directories }) => [agent, [...directories, ...files]]),
  );
}

describe('what a hook has claimed for a sub-agent', () => {
  test('goes to its parent at its release, and what it claimed itself does not', async () => {
    const { claims, directory } = setUp();
    await claims.claim({ ...P, taskDescription: 'all of it', session });
    const before = JSON.parse(readFileSync(join(directory, 'p.lock'), 'utf8'));
    await claims.claim({ ...child('p.1', 'own.ts', 'auto.ts'), session });
    const file = join(directory, 'p.1.lock');
    const fields = JSON.parse(readFileSync(file, 'utf8'));
    const parts = [
      { files: ['own.ts'], by: 'hand' },
      { files: ['auto.ts'], by: 'hook' },
    ];
    writeFileSync(file, JSON.stringify({ ...fields, parts }));
    expect(await claims.release('p.1')).toBe(true);
    const after = JSON.parse(readFileSync(join(directory, 'p.lock'), 'utf8'));
    expect(after).toMatchObject({
      id: before.id,
      session: before.session,
      task_description: 'all of it',
      expires_at: before.expires_at,
    });
    expect(after.parts).toMatchObject([
      { directories: ['src/'], by: 'hand' },
      { files: ['auto.ts'], by: 'hook' },
    ]);
    expect(await scopesOf(claims)).toEqual({ p: ['src/', 'auto.ts'] });
  });

  test('goes to a parent that has claimed nothing, with the session', async () => {
    const { claims, directory } = setUp();
    await claims.claim({ ...child('p.1', 'a.ts'), session });
    const { session: mark } = JSON.parse(readFileSync(join(directory, 'p.1.lock'), 'utf8'));
    byHook(directory, 'p.1', ['a.ts'], { parent: 'p', session: mark });
    expect(await claims.release('p.1')).toBe(true);
    expect(await claims.list()).toMatchObject([{ agent: 'p', files: ['a.ts'], session }]);
  });

  test('goes to a parent that is bound, in place', async () => {
    const { claims, directory } = setUp();
    const parent = await claims.claim({ ...P, bind: true });
    await claims.claim({ ...child('p.1', 'auto.ts'), by: 'hook' });
    const { ino } = statSync(join(directory, 'p.lock'));
    expect(await claims.release('p.1')).toBe(true);
    expect(statSync(join(directory, 'p.lock')).ino).toBe(ino);
    expect(await claims.list()).toMatchObject([
      { agent: 'p', state: 'active', directories: ['src/'], files: ['auto.ts'] },
    ]);
    expect(parent.signal.aborted).toBe(false);
    expect(await parent.release()).toBe(true);
  });

  test('goes to its parent with the handle as well, which follows', async () => {
    const { claims } = setUp();
    const parent = await claims.claim({ ...P, session });
    const handle = await claims.claim({ ...child('p.1', 'auto.ts'), by: 'hook', session });
    expect(await handle.release()).toBe(true);
    await expect.poll(() => parent.covers('auto.ts'), { timeout: 5000 }).toBe(true);
    await claims.releaseAll();
    expect(await claims.list()).toEqual([]);
  });

  test('goes nowhere when all is released', async () => {
    const { claims } = setUp();
    await claims.claim({ ...P, session });
    await claims.claim({ ...child('p.1', 'auto.ts'), by: 'hook', session });
    await claims.releaseAll();
    expect(await claims.list()).toEqual([]);
  });

  test('goes to its parent when it has expired and is pruned', async () => {
    const { claims, directory, put } = setUp();
    put('p', { id: '1' });
    byHook(directory, 'p.1', ['a.ts'], { parent: 'p', locked_at: time(-7_200_000), ...expired });
    expect(await claims.prune()).toMatchObject([{ agent: 'p.1', state: 'expired' }]);
    expect(await scopesOf(claims)).toEqual({ p: ['p.txt', 'a.ts'] });
  });

  test('goes to its parent before anybody else can take it', async () => {
    const { claims, directory, put } = setUp();
    put('p', { id: '1' });
    byHook(directory, 'p.1', ['a.ts'], { parent: 'p', locked_at: time(-7_200_000), ...expired });
    await expect(claims.claim({ agent: 'q', files: ['a.ts'] })).rejects.toMatchObject({
      code: 'ERR_CLAIM_CONFLICT',
      conflicts: [{ agents: ['q', 'p'] }],
    });
    expect(await scopesOf(claims)).toEqual({ p: ['p.txt', 'a.ts'] });
  });

  test('ends with a session that has ended', async () => {
    const { claims, directory } = setUp();
    const gone = await idle();
    await claims.claim({ ...P, session: gone });
    const { session: mark } = JSON.parse(readFileSync(join(directory, 'p.lock'), 'utf8'));
    byHook(directory, 'p.1', ['a.ts'], { parent: 'p', session: mark });
    await gone.kill();
    if (process.platform !== 'linux') return;
    expect((await claims.prune()).map(({ agent }) => agent)).toEqual(['p', 'p.1']);
    expect(await scopesOf(claims)).toEqual({});
  });
});
