import { join } from 'node:path';
import { type ClaimState, Claims } from '../../src/claims.js';
import { ClaimsPeer } from './claims-peer.js';
import { testFolder } from './folder.js';

export const WIDE = { agent: 'wide', files: ['src/*/a.ts'], bind: true };
export const NARROW = { agent: 'narrow', files: ['src/b/*.ts'] };

export interface Setting {
  root: string;
  locks: string;
  file: string;
  owner: ClaimsPeer;
  other: ClaimsPeer;
  claims: Claims;
  stateOf(agent: string): Promise<ClaimState | undefined>;
}

/** `owner` has bound `wide`. */
export async function setting(): Promise<Setting> {
  const root = testFolder();
  const locks = join(root, 'locks');
  const [owner, other] = (await ClaimsPeer.startMany(2, locks, root)) as [ClaimsPeer, ClaimsPeer];
  await owner.claim(WIDE);
  const claims = new Claims(locks, { root });
  const stateOf = async (agent: string): Promise<ClaimState | undefined> =>
    (await claims.list()).find((each) => each.agent === agent)?.state;
  return { root, locks, file: join(locks, 'wide.lock'), owner, other, claims, stateOf };
}
