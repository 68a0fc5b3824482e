import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { until } from '../support/census.js';
import { inParallel } from '../support/claims-kill.js';
import { ElectionPeer } from '../support/election-peer.js';
import { testFolder } from '../support/folder.js';
import { queueOf } from '../support/kernel.js';

describe('settle', () => {
  const ROUNDS = 50;

  test(`of four processes that start together the smallest id is primary, ${ROUNDS} rounds`, async () => {
    const settle = 150;
    const rounds = Array.from({ length: ROUNDS }, (_, round) => round);
    const folder = testFolder();
    await inParallel([0, 1], 2, async (half) => {
      const peers = await ElectionPeer.startMany(4);
      for (const round of rounds.filter((each) => each % 2 === half)) {
        const directory = join(folder, `${round}`);
        const name = `m${round}`;
        // The smallest id begins first, last and in between.
        const ids = ['a', 'b', 'c', 'd'].map((_, at, all) => all[(at + round) % 4] as string);
        const members = peers.map((peer, at) => ({ peer, id: ids[at] as string }));
        const start = performance.now();
        await Promise.all(
          members.map(({ peer, id }) => peer.join(name, directory, { id, settle })),
        );
        const smallest = members.find(({ id }) => id === 'a') as (typeof members)[number];
        const others = members.filter((each) => each !== smallest);
        await smallest.peer.becomesPrimary(name);
        expect(performance.now() - start).toBeLessThan(3000);
        for (const { peer } of others) {
          expect(await peer.describe(name)).toMatchObject({ term: 0 });
        }
        await Promise.all(others.map(({ peer }) => peer.call('leave', name)));
        await smallest.peer.call('leave', name);
        for (const { peer } of others) expect(peer.count('primary', name)).toBe(0);
      }
    });
  }, 60_000);

  test('does not delay whoever comes when the seat is taken: it stands in the queue at once', async () => {
    const directory = testFolder();
    const [first, second] = (await ElectionPeer.startMany(2)) as [ElectionPeer, ElectionPeer];
    await first.lead('m', directory, { id: 'a' });
    const start = performance.now();
    await second.standBy('m', directory, { id: 'b', settle: 10_000 });
    await first.kill();
    await second.becomesPrimary('m');
    expect(performance.now() - start).toBeLessThan(5000);
  });

  test('a stopped one with the smallest id is not waited for for long', async () => {
    const directory = testFolder();
    const [first, second] = (await ElectionPeer.startMany(2)) as [ElectionPeer, ElectionPeer];
    const settle = 400;
    await first.join('m', directory, { id: 'a', settle });
    await first.stop();
    const start = performance.now();
    await second.join('m', directory, { id: 'b', settle });
    await second.becomesPrimary('m');
    expect(performance.now() - start).toBeLessThan(4 * settle);
    first.continue();
    await until(() => queueOf(directory) === 1);
    expect(await first.describe('m')).toMatchObject({ isPrimary: false });
  });

  test('one that is killed while it settles is not waited for', async () => {
    const directory = testFolder();
    const [first, second] = (await ElectionPeer.startMany(2)) as [ElectionPeer, ElectionPeer];
    const settle = 300;
    await first.join('m', directory, { id: 'a', settle });
    await second.join('m', directory, { id: 'b', settle });
    await first.kill();
    await second.becomesPrimary('m');
    expect(await second.members('m')).toMatchObject([{ id: 'b', primary: true }]);
  });
});
