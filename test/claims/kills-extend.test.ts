// @module-tag long
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { type Claim, type ClaimRequest, Claims } from '../../src/claims.js';
import { atEveryCall } from '../support/claims-kill-everywhere.js';
import { testFolder } from '../support/folder.js';
import { needs } from '../support/tools.js';

vi.setConfig({ testTimeout: 120_000 });

type Scopes = Record<string, string[]>;

async function scopesIn(locks: string, root: string): Promise<Scopes> {
  const statuses = await new Claims(locks, { root }).list();
  for (const { state } of statuses) expect(state).toMatch(/^(active|orphaned)$/);
  return Object.fromEntries(statuses.map(({ agent, files }) => [agent, files]));
}

const rest = (locks: string): string[] =>
  readdirSync(locks).filter((name) => !name.endsWith('.lock'));

/** Either the old scopes or the new ones, for readers, and for whoever claims next. */
async function isWhole(locks: string, root: string, states: Scopes[]): Promise<Scopes> {
  const before = readdirSync(locks);
  const scopes = await scopesIn(locks, root);
  expect(states).toContainEqual(scopes);
  expect(readdirSync(locks)).toEqual(before);
  const claims = new Claims(locks, { root });
  expect(await claims.audit()).toEqual([]);
  await (await claims.claim({ agent: 'next', files: ['next'] })).release();
  expect(rest(locks)).toEqual([]);
  expect(await scopesIn(locks, root)).toEqual(scopes);
  return scopes;
}

const CHANGES: [string, Partial<ClaimRequest>, string[]][] = [
  ['extended', { files: ['new/*.ts'], extend: true }, ['src/a.ts', 'src/b.ts', 'new/*.ts']],
  ['shrunk', { release: ['src/b.ts'] }, ['src/a.ts']],
];

for (const [what, change, after] of CHANGES) {
  for (const bind of [false, true]) {
    needs('root', 'strace')(
      `killed at any system call while a ${bind ? 'bound ' : ''}claim is ${what}: it has the old scope or the new one`,
      async () => {
        const root = testFolder();
        const files = ['src/a.ts', 'src/b.ts'];
        const held = new Map<string, { claim: Claim; inode: number }>();
        const seen = new Set<string>();
        await atEveryCall(
          root,
          [{ agent: 'victim', ...change }],
          async (locks) => {
            const claim = await new Claims(locks, { root }).claim({ agent: 'victim', files, bind });
            held.set(locks, { claim, inode: statSync(join(locks, 'victim.lock')).ino });
          },
          async ({ locks }) => {
            const states = [{ victim: files }, { victim: [...after] }];
            const { victim } = await isWhole(locks, root, states);
            seen.add(String(victim));
            const { claim, inode } = held.get(locks) as { claim: Claim; inode: number };
            await expect.poll(() => claim.files).toEqual(victim);
            expect(claim.signal.aborted).toBe(false);
            if (bind) expect(statSync(join(locks, 'victim.lock')).ino).toBe(inode);
            await claim.renew();
            expect(await claim.release()).toBe(true);
          },
        );
        expect(seen.size).toBe(2);
      },
    );
  }
}

// Changed in place, by a rename, removed, new, and new and bound.
const REQUESTS: ClaimRequest[] = [
  { agent: 'bound', release: ['x'] },
  { agent: 'plain', files: ['x'], extend: true },
  { agent: 'gone', release: ['.'] },
  { agent: 'fresh', files: ['y'] },
  { agent: 'tied', files: ['z'], bind: true },
];
const OLD = { bound: ['w', 'x'], plain: ['v'], gone: ['y', 'z'] };
const NEW = { bound: ['w'], plain: ['v', 'x'], fresh: ['y'], tied: ['z'] };

needs('root', 'strace')(
  'killed at any system call of claimAll that changes, removes and makes claims: all of it or nothing',
  async () => {
    const root = testFolder();
    const held = new Map<string, Claim>();
    const seen = new Set<string>();
    let unfinished = 0;
    await atEveryCall(
      root,
      REQUESTS,
      async (locks) => {
        const claims = new Claims(locks, { root });
        const [bound] = await claims.claimAll(
          Object.entries(OLD).map(([agent, files]) => ({ agent, files, bind: agent === 'bound' })),
        );
        held.set(locks, bound as Claim);
      },
      async ({ locks }) => {
        if (readdirSync(locks).includes('.holdfast-edits')) unfinished++;
        seen.add(JSON.stringify(await isWhole(locks, root, [OLD, NEW])));
        const claim = held.get(locks) as Claim;
        expect(claim.signal.aborted).toBe(false);
        await claim.renew();
      },
    );
    expect(seen.size).toBe(2);
    expect(unfinished).toBeGreaterThanOrEqual(5);
  },
);
