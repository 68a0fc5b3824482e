import { readdirSync, unlinkSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ClaimsPeer, places } from '../support/claims-peer.js';
import { conflictOf, setUp } from '../support/claims-setting.js';
import { LONG, waiter, wantsIn } from '../support/claims-waiter.js';
import { limit } from '../support/limit.js';
import { errorOf } from '../support/refused.js';
import { inTwoSizes } from '../support/sizes.js';

describe('a circle of waits', () => {
  test('is refused at once to whom would close it, with its agents', async () => {
    const { claims, others, directory } = setUp();
    const held = await claims.claimAll(
      ['a', 'b', 'c'].map((agent) => ({ agent, files: [`of-${agent}`] })),
    );
    const first = await waiter(claims, 'a', ['of-a', 'of-b']);
    const second = await waiter(claims, 'b', ['of-b', 'of-c']);
    const request = { agent: 'c', files: ['of-c', 'of-a'] };
    const error = await conflictOf(others.claim(request, { timeout: LONG }));
    expect(error).toMatchObject({ code: 'ERR_CLAIM_CONFLICT', circle: ['c', 'a', 'b'] });
    expect(error.waited).toBeLessThan(limit(5000));
    expect(wantsIn(directory)).toHaveLength(2);
    await held[2]?.release();
    await (await second.granted).release();
    await (await first.granted).release();
    expect(readdirSync(directory)).toEqual([]);
  });

  test('that an edited file closes is refused to the youngest in it', async () => {
    const { claims, others, put } = setUp();
    await claims.claim({ agent: 'a', files: ['p'] });
    put('c', { files: ['q'] });
    const older = await waiter(claims, 'a', ['p', 'q']);
    const younger = await waiter(others, 'b', ['p']);
    const path = put('b', { files: ['q'] });
    await claims.release('c');
    const error = await conflictOf(younger.granted);
    expect(error.circle).toEqual(['b', 'a']);
    unlinkSync(path);
    await (await older.granted).release();
  });

  test('that a sub-agent closes by its end is refused long before the next whole look', async () => {
    const { claims, directory, folder } = setUp();
    const peer = await ClaimsPeer.start(directory, folder);
    await claims.claim({ agent: 'b', files: ['q'] });
    await claims.claim({ agent: 'a.1', files: ['s'], parent: 'a', by: 'hook', tree: folder });
    const older = await waiter(claims, 'b', ['q', 's']);
    // Nobody waits for it, as it has nothing.
    const younger = await peer.waitFor({ agent: 'a', files: ['q'] }, 3000);
    const refused = errorOf(() => younger.granted);
    // It has looked once more before it answers, and now waits for news.
    await peer.list();
    await claims.release('a.1');
    expect(await refused).toMatchObject({ code: 'ERR_CLAIM_CONFLICT', circle: ['a', 'b'] });
    await claims.release('a');
    await (await older.granted).release();
  });

  test('of one call is refused, whether others wait or not', async () => {
    const { claims } = setUp();
    await claims.claim({ agent: 'p', files: ['q'] });
    const both = [
      { agent: 'other', files: ['q'] },
      { agent: 'p.1', files: ['r'], parent: 'p' },
    ];
    const error = await conflictOf(claims.claimAll(both, { timeout: 3000 }));
    expect(error.circle).toHaveLength(2);
  });

  inTwoSizes(
    ({ processes, rounds }) =>
      `never lasts where ${processes} processes claim more and more at random, ${rounds} rounds`,
    { short: { processes: 4, rounds: 25 }, long: { processes: 8, rounds: 200 } },
    async ({ processes, rounds }) => {
      const { root, locks, markers } = places();
      const peers = await ClaimsPeer.startMany(processes, locks, root);
      const paths = ['p', 'q', 'r', 's', 't'];
      const results = await Promise.all(
        peers.map((peer, at) =>
          peer.call<{ grants: number; circles: number; doubles: string[] }>(
            'collect',
            `agent-${at}`,
            paths,
            rounds,
            markers,
            at * 7919 + 13,
          ),
        ),
      );
      for (const { grants, doubles } of results) {
        expect(doubles).toEqual([]);
        expect(grants).toBeGreaterThan(0);
      }
      // That there was something to refuse.
      expect(results.reduce((sum, { circles }) => sum + circles, 0)).toBeGreaterThan(0);
      expect(readdirSync(locks)).toEqual([]);
    },
  );
});
