import { ElectionPeer } from './election-peer.js';

/** Peers that stand in the queue in their order, the first one primary. */
export async function queueUp(
  directory: string,
  count: number,
): Promise<{ peers: ElectionPeer[]; term: number }> {
  const peers = await ElectionPeer.startMany(count);
  const [first, ...others] = peers as [ElectionPeer, ...ElectionPeer[]];
  const term = await first.lead('m', directory, { id: 'm0' });
  for (const [at, peer] of others.entries()) {
    await peer.standBy('m', directory, { id: `m${at + 1}` });
  }
  return { peers, term };
}

export async function primariesOf(peers: ElectionPeer[]): Promise<boolean[]> {
  return Promise.all(peers.map(async (each) => (await each.describe('m')).isPrimary));
}
