import { randomUUID } from 'node:crypto';
import { extend } from './change-scope.js';
import { CLAIM_LIMIT, type ClaimFile } from './claim-file.js';
import { formatClaim } from './claim-text.js';
import type { ClaimsFolder } from './folder.js';
import type { ClaimPart, Found } from './model.js';
import { changeTo } from './outcome.js';
import { mayBeWithin } from './session.js';
import { isLive } from './states.js';
import type { Change } from './write-claims.js';

/**
 * Removes a claim. What a hook has claimed for it goes to its parent in the same
 * step: the work of a sub-agent is not committed yet when the sub-agent ends.
 * False: the claim's file does not exist any more. Call it in the exclusive
 * section.
 */
export function endClaim(folder: ClaimsFolder, found: Found): boolean {
  return handOver(folder, found) || folder.remove(found);
}

/** False: there is nothing to hand over, or nobody who takes it, and the claim stays. */
export function handOver(folder: ClaimsFolder, found: Found): boolean {
  const { claim } = found;
  if (claim === null || claim.parent === null) return false;
  const parts = claim.parts.filter(({ by }) => by === 'hook');
  if (parts.length === 0) return false;
  const parent = folder.find(claim.parent);
  const change = changeOf(parent, parts, found, claim);
  if (change === undefined) return false;
  const removal = { found, text: null };
  folder.write(change === null ? [removal] : [change, removal]);
  return true;
}

/** `null`: the parent has it all; `undefined`: it cannot take it. */
function changeOf(
  parent: Found | null,
  parts: readonly ClaimPart[],
  found: Found,
  child: ClaimFile,
): Change | null | undefined {
  if (parent?.claim != null && isLive(parent.state)) {
    const { claim } = parent;
    if (!mayBeWithin(child.session, claim.session)) return undefined;
    // Holdfast 0.1.0, as owner of a bound claim, would take a change for a loss.
    if (claim.bound !== null && !('parts' in claim.fields)) return undefined;
    return fitting(changeTo(parent, { ...claim, parts: extend(claim.parts, parts) }));
  }
  // While its session lives, a parent that has claimed nothing has not ended.
  if (parent?.state === 'invalid' || !isLive(found.state)) return undefined;
  const agent = child.parent as string;
  const text = formatClaim({
    agent,
    parts,
    id: randomUUID(),
    task: null,
    lockedAt: new Date(Math.floor(Date.now() / 1000) * 1000),
    expiresAt: child.expiresAt,
    bound: null,
    session: child.session,
    parent: null,
  });
  return fitting({ agent, text, bind: false });
}

function fitting(change: Change | null): Change | null | undefined {
  return Buffer.byteLength(change?.text ?? '') > CLAIM_LIMIT ? undefined : change;
}
