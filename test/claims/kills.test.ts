// @module-tag long
import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { type ClaimRequest, Claims } from '../../src/claims.js';
import { atEveryCall } from '../support/claims-kill-everywhere.js';
import { testFolder } from '../support/folder.js';
import { needs } from '../support/tools.js';

vi.setConfig({ testTimeout: 60_000 });

const JOURNAL = '.holdfast-journal';

/** Agents with what they claim. */
async function scopesIn(locks: string, root: string): Promise<Record<string, string[]>> {
  const statuses = await new Claims(locks, { root }).list();
  for (const { state, reason } of statuses) {
    expect({ state, reason }).toMatchObject({
      state: expect.stringMatching(/^(active|orphaned)$/),
    });
  }
  return Object.fromEntries(statuses.map(({ agent, files }) => [agent, files]));
}

const rest = (locks: string): string[] =>
  readdirSync(locks).filter((name) => !name.endsWith('.lock'));

for (const bind of [false, true]) {
  needs('root', 'strace')(
    `killed at any system call of a ${bind ? 'bound ' : ''}claim: it is claimed or not, and nothing else is left`,
    async () => {
      const root = testFolder();
      const request = { agent: 'victim', files: ['src/*/a.ts'], bind };
      const seen = new Set<string>();
      await atEveryCall(
        root,
        [request],
        // The folder is missing as well.
        async () => {},
        async ({ locks }) => {
          const scopes = await scopesIn(locks, root);
          const isClaimed = 'victim' in scopes;
          seen.add(isClaimed ? 'claimed' : 'not claimed');
          expect(scopes).toEqual(isClaimed ? { victim: ['src/*/a.ts'] } : {});
          const claims = new Claims(locks, { root });
          const next = claims.claim({ agent: 'next', files: ['src/b/*.ts'] });
          if (isClaimed && !bind) {
            await expect(next).rejects.toMatchObject({ code: 'ERR_CLAIM_CONFLICT' });
            expect(await claims.release('victim')).toBe(true);
          } else {
            await (await next).release();
          }
          expect(readdirSync(locks)).toEqual([]);
        },
      );
      expect([...seen].sort()).toEqual(['claimed', 'not claimed']);
    },
  );
}

needs('root', 'strace')(
  'killed at any system call before it waits: nobody waits for it, and nothing is left',
  async () => {
    const root = testFolder();
    const held: ClaimRequest = { agent: 'holder', files: ['src/b/a.ts'] };
    await atEveryCall(
      root,
      [{ agent: 'victim', files: ['src/*/a.ts'] }],
      (locks) => new Claims(locks, { root }).claim(held),
      async ({ locks }) => {
        const claims = new Claims(locks, { root });
        expect(await claims.waits()).toEqual([]);
        const next = await claims.claim({ agent: 'next', files: ['src/c/a.ts'] });
        expect(await next.release()).toBe(true);
        expect(readdirSync(locks)).toEqual(['holder.lock']);
      },
      { waits: true },
    );
  },
);

needs('root', 'strace')(
  'killed at any system call of a claim that replaces one: the old or the new one stands',
  async () => {
    const root = testFolder();
    const old = ['src/b/old.ts'];
    const seen = new Set<string>();
    await atEveryCall(
      root,
      [{ agent: 'victim', files: ['src/*/a.ts'] }],
      async (locks) => {
        await new Claims(locks, { root }).claim({ agent: 'victim', files: old });
        await new Claims(locks, { root }).claim({ agent: 'other', files: ['docs/**'] });
      },
      async ({ locks }) => {
        const { victim, ...others } = await scopesIn(locks, root);
        expect(others).toEqual({ other: ['docs/**'] });
        expect([old, ['src/*/a.ts']]).toContainEqual(victim);
        seen.add(String(victim));
        const claims = new Claims(locks, { root });
        await claims.claim({ agent: 'victim', files: ['src/b/*.ts'] });
        expect(readdirSync(locks).sort()).toEqual(['other.lock', 'victim.lock']);
      },
    );
    expect(seen.size).toBe(2);
  },
);

const REQUESTS: ClaimRequest[] = [
  { agent: 'one', files: ['src/*/a.ts'] },
  { agent: 'two', files: ['src/b/b.ts'], bind: true },
  { agent: 'three', files: ['docs/**'] },
];
const NEW = { one: ['src/*/a.ts'], two: ['src/b/b.ts'], three: ['docs/**'] };
// What `one` had before.
const OLD = { one: ['old/a.ts'] };

needs('root', 'strace')(
  'killed at any system call of claimAll: all are claimed or none is, and an unfinished journal counts and is finished',
  async () => {
    const root = testFolder();
    const seen = { old: 0, all: 0, unfinished: 0, removedByHand: 0 };
    /** The same folder again, for another next step. */
    const copy = (locks: string, name: string): string => {
      const to = join(locks, '..', name);
      cpSync(locks, to, { recursive: true });
      return to;
    };
    const afterRemoval = async (locks: string, agent: string): Promise<void> => {
      // Only what has been renamed; the rest has no file of its own name yet.
      rmSync(join(locks, `${agent}.lock`));
      const expected = Object.fromEntries(Object.entries(NEW).filter(([name]) => name !== agent));
      expect(await scopesIn(locks, root)).toEqual(expected);
      const claims = new Claims(locks, { root });
      await claims.claim({ agent: 'next', files: ['next/**'] });
      expect(rest(locks)).toEqual([]);
      expect(await scopesIn(locks, root)).toEqual({ ...expected, next: ['next/**'] });
      seen.removedByHand++;
    };
    await atEveryCall(
      root,
      REQUESTS,
      (locks) => new Claims(locks, { root }).claim({ agent: 'one', files: OLD.one }),
      async ({ locks }) => {
        const scopes = await scopesIn(locks, root);
        const isNew = 'three' in scopes;
        expect(scopes).toEqual(isNew ? NEW : OLD);
        seen[isNew ? 'all' : 'old']++;
        const claims = new Claims(locks, { root });
        const verdicts = await claims.check(['src/x/a.ts', 'src/b/b.ts', 'docs/x', 'old/a.ts']);
        // The bound one is nobody's with its process gone.
        expect(verdicts.map(({ owner }) => owner?.agent)).toEqual(
          isNew ? ['one', undefined, 'three', undefined] : [undefined, undefined, undefined, 'one'],
        );
        expect(await claims.audit()).toEqual([]);
        const names = readdirSync(locks);
        if (existsSync(join(locks, JOURNAL))) {
          // Readers have left it as it is.
          expect(isNew).toBe(true);
          seen.unfinished++;
          const renamed = Object.keys(NEW).filter(
            (agent) =>
              existsSync(join(locks, `${agent}.lock`)) &&
              JSON.stringify(
                JSON.parse(readFileSync(join(locks, `${agent}.lock`), 'utf8')).files,
              ) === JSON.stringify(NEW[agent as keyof typeof NEW]),
          );
          for (const agent of renamed) await afterRemoval(copy(locks, `without-${agent}`), agent);
          // By the agent's name, with no claim before it.
          const released = copy(locks, 'released');
          expect(await new Claims(released, { root }).release('three')).toBe(true);
          expect(readdirSync(released).sort()).toEqual(['one.lock', 'two.lock']);
          const pruned = copy(locks, 'pruned');
          expect(await new Claims(pruned, { root }).prune()).toMatchObject([{ agent: 'two' }]);
          expect(readdirSync(pruned).sort()).toEqual(['one.lock', 'three.lock']);
          const cleared = copy(locks, 'cleared');
          await new Claims(cleared, { root }).releaseAll();
          expect(readdirSync(cleared)).toEqual([]);
        }
        expect(readdirSync(locks)).toEqual(names);
        const wanted = { agent: 'next', files: ['src/c/a.ts'] };
        if (isNew) {
          await expect(claims.claim(wanted)).rejects.toMatchObject({
            code: 'ERR_CLAIM_CONFLICT',
            conflicts: [{ agents: ['next', 'one'] }],
          });
        } else {
          await (await claims.claim(wanted)).release();
        }
        expect(rest(locks)).toEqual([]);
        expect(await scopesIn(locks, root)).toEqual(isNew ? NEW : OLD);
        // The orphaned one is free.
        await claims.claim({ agent: 'next', files: ['src/b/*.ts'], except: ['src/b/a.ts'] });
        await claims.releaseAll();
        expect(readdirSync(locks)).toEqual([]);
      },
    );
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(0);
    // Before each of three renames, and before the removal.
    expect(seen.unfinished).toBeGreaterThanOrEqual(4);
  },
);
