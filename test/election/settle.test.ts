import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { until } from '../support/census.js';
import { ElectionPeer } from '../support/election-peer.js';
import { testFolder } from '../support/folder.js';
import { queueOf } from '../support/kernel.js';
import { inParallel } from '../support/kill.js';
import { limit } from '../support/limit.js';
import { inTwoSizes } from '../support/sizes.js';

describe('settle', () => {
  const NAMES = ['a', 'b', 'c', 'd'];

  /** One election of four. False: they did not join within `settle` of each other. */
  async function elect(peers: ElectionPeer[], directory: string, settle: number): Promise<boolean> {
    const round = Number(basename(directory));
    // The smallest id begins first, last and in between.
    const ids = NAMES.map((_, at) => NAMES[(at + round) % 4] as string);
    const name = `${round} ${settle}`;
    const folder = join(directory, `${settle}`);
    const start = performance.now();
    await Promise.all(
      peers.map((peer, at) => peer.join(name, folder, { id: ids[at] as string, settle })),
    );
    const together = performance.now() - start < settle;
    const smallest = peers[ids.indexOf('a')] as ElectionPeer;
    const others = peers.filter((each) => each !== smallest);
    if (together) {
      await smallest.becomesPrimary(name);
      expect(performance.now() - start).toBeLessThan(limit(20 * settle));
      for (const peer of others) expect(await peer.describe(name)).toMatchObject({ term: 0 });
    }
    await Promise.all(others.map((peer) => peer.call('leave', name)));
    await smallest.call('leave', name);
    if (together) for (const peer of others) expect(peer.count('primary', name)).toBe(0);
    return together;
  }

  inTwoSizes(
    (count) => `of four processes that start together the smallest id is primary, ${count} rounds`,
    { short: 3, long: 50 },
    async (count) => {
      const rounds = Array.from({ length: count }, (_, round) => round);
      const folder = testFolder();
      await inParallel([0, 1], 2, async (half) => {
        const peers = await ElectionPeer.startMany(4);
        for (const round of rounds.filter((each) => each % 2 === half)) {
          // A busy machine needs longer until all four have joined.
          let settle = 150;
          while (!(await elect(peers, join(folder, `${round}`), settle))) settle *= 2;
        }
      });
    },
  );

  test('does not delay whoever comes when the seat is taken: it stands in the queue at once', async () => {
    const directory = testFolder();
    const [first, second] = (await ElectionPeer.startMany(2)) as [ElectionPeer, ElectionPeer];
    await first.lead('m', directory, { id: 'a' });
    const start = performance.now();
    await second.standBy('m', directory, { id: 'b', settle: 10_000 });
    await first.kill();
    await second.becomesPrimary('m');
    expect(performance.now() - start).toBeLessThan(limit(5000));
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
    expect(performance.now() - start).toBeLessThan(limit(4 * settle));
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
