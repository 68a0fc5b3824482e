import { formatClaim, otherFields } from './claim-text.js';
import { ClaimsFolder } from './folder.js';
import { endClaim } from './hand-over.js';
import type { Found } from './model.js';
import { findRoot } from './root.js';
import { markOf } from './session.js';

/** One certain claim: its agent may have another one later. */
export interface Certain {
  folder: ClaimsFolder;
  agent: string;
  id: string;
}

/** The claim that this process has bound, to be found again when it is bound no more. */
export function certain(directory: string, root: string, agent: string): Certain | null {
  const folder = new ClaimsFolder(directory, findRoot(root));
  const id = folder.find(agent)?.claim?.id;
  return id == null ? null : { folder, agent, id };
}

/**
 * Makes a bound claim end with a process instead: with one that has inherited
 * its descriptor. No moment is unclaimed:
 * 1. The claim's file is locked by a descriptor that this process and the other
 *    one have. It lives as long as one of them does.
 * 2. One rename puts another file in its place, which names the other process.
 * 3. The old descriptor locks a file that has no name any more.
 *
 * False: the process has ended, or the claim is no longer there; or it cannot be
 * told here whether the process runs, so the descriptor has to do.
 */
export async function moveToSession(claim: Certain, pid: number): Promise<boolean> {
  const moved = await claim.folder.exclusivelyIfThere(() => {
    const found = foundOf(claim);
    const session = markOf(pid);
    if (found?.claim == null || session === null || session.start === '') return false;
    const text = formatClaim({ ...found.claim, bound: null, session }, otherFields(found.claim));
    claim.folder.write([{ agent: claim.agent, text, bind: false }]);
    return true;
  });
  return moved === true;
}

/** Releases it, whoever holds it by now. False: it is no longer there. */
export async function releaseCertain(claim: Certain): Promise<boolean> {
  const released = await claim.folder.exclusivelyIfThere(() => {
    const found = foundOf(claim);
    return found !== null && endClaim(claim.folder, found);
  });
  return released === true;
}

function foundOf({ folder, agent, id }: Certain): Found | null {
  const found = folder.find(agent);
  return found?.claim?.id === id ? found : null;
}
