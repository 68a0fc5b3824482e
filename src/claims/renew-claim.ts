import { LockLostError } from '../base/errors.js';
import { printable } from '../base/holder.js';
import { invalidClaims } from './errors.js';
import { expiryAfter } from './expiry.js';
import type { ClaimsFolder } from './folder.js';
import { isLive } from './states.js';

/** See `renew` of `Claims`. */
export async function renewClaim(
  folder: ClaimsFolder,
  agent: string,
  { ttl, ifHalfGone }: { ttl: number; ifHalfGone: boolean },
): Promise<Date> {
  const now = Date.now();
  if (ifHalfGone) {
    const found = await folder.shared(() => folder.look(agent));
    const last = found?.claim?.expiresAt;
    const isFound = found !== null && last !== undefined && isLive(found.state);
    if (isFound && last.getTime() - now >= ttl / 2) return last;
  }
  const expiresAt = expiryAfter(now, ttl);
  const renewed = await folder.exclusivelyIfThere(() => {
    const found = folder.find(agent);
    if (found?.state === 'invalid') throw invalidClaims(folder.path, [found]);
    if (found === null || !isLive(found.state)) return false;
    return folder.renew(found, expiresAt);
  });
  if (renewed === true) return expiresAt;
  const message = `${printable(agent)} has no active claim to renew: claim again`;
  throw new LockLostError(folder.fileOf(agent), message);
}
