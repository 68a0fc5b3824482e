import { shrink } from './change-scope.js';
import type { ClaimFile } from './claim-file.js';
import { invalidClaims } from './errors.js';
import { heldByAnother, isForeign } from './foreign.js';
import type { Place } from './grant.js';
import { endClaim } from './hand-over.js';
import type { ClaimPart, Found } from './model.js';
import { changeTo, checkChangeable } from './outcome.js';
import type { Pattern } from './pattern.js';
import { statusOf } from './status.js';
import type { ClaimStatus } from './types.js';

/**
 * Releases an agent's claim, or some paths of it. False: there is nothing to
 * release. Call it in the exclusive section of the folder.
 */
export function releaseClaim(
  place: Place,
  agent: string,
  { force, paths }: { force: boolean; paths: readonly Pattern[] | null },
): boolean {
  const found = place.folder.find(agent);
  if (found === null) return false;
  if (found.state === 'invalid') throw invalidClaims(place.folder.path, [found]);
  if (paths !== null) return releasePaths(place, found, { force, paths });
  if (!force && isAnothers(place, found)) throw heldByAnother(found);
  return removeClaim(place, found, endClaim);
}

/** Releases all valid claims. Throws after that if some are others'. */
export function releaseAll(place: Place, { force }: { force: boolean }): ClaimStatus[] {
  const found = place.folder.read().filter(({ state }) => state !== 'invalid');
  const kept = force ? [] : found.filter((each) => isAnothers(place, each));
  const ours = found.filter((each) => !kept.includes(each));
  const released = ours.filter((each) => removeClaim(place, each)).map(statusOf);
  if (kept[0] !== undefined) throw Object.assign(heldByAnother(kept[0]), { released });
  return released;
}

/**
 * Whether it is another process's to release. A process that has claimed for a
 * session which it is not in itself may end what it has claimed.
 */
export function isAnothers({ live }: Place, found: Found): boolean {
  if (!isForeign(found)) return false;
  return found.claim?.bound !== null || live.ownerOf(found) === undefined;
}

/** A claim of this process ends with its file, and is not lost. */
export function removeClaim(
  { folder, live }: Place,
  found: Found,
  remove: typeof endClaim = (from, each) => from.remove(each),
): boolean {
  const own = live.ownerOf(found);
  const removed = remove(folder, found);
  own?.end();
  return removed;
}

function releasePaths(
  place: Place,
  found: Found,
  { force, paths }: { force: boolean; paths: readonly Pattern[] },
): boolean {
  const { bound, parts } = found.claim as ClaimFile;
  checkChangeable(found, { bind: false });
  if (!force && bound === null && isAnothers(place, found)) throw heldByAnother(found);
  return keepParts(place, found, shrink(parts, paths), { force });
}

/** Leaves an agent with these parts of its claim. False: it has no more anyway. */
export function keepParts(
  { folder, live }: Place,
  found: Found,
  parts: readonly ClaimPart[],
  { force }: { force: boolean },
): boolean {
  checkChangeable(found, { bind: false });
  const claim = { ...(found.claim as ClaimFile), parts };
  const change = changeTo(found, claim, { force });
  if (change === null) return false;
  const own = live.ownerOf(found);
  folder.write([change]);
  if (claim.parts.length === 0) own?.end();
  else own?.goOn({ claim, lock: null, ttl: own.ttl, keepAlive: false });
  return true;
}
