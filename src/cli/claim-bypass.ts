import { bypassUntil } from '../agents/bypass.js';
import type { ClaimArguments } from './claim-options.js';
import { type Streams, say } from './streams.js';
import { clockTime } from './time.js';

/** Says that a person lets all writes through, whatever the answer is. */
export function sayBypass({ claimsHere, quiet }: ClaimArguments, streams: Streams): boolean {
  const until = claimsHere === null ? null : bypassUntil(claimsHere.directory);
  if (until === null) return false;
  if (!quiet) {
    const problem = `claims do not stop writes: a person lets hooks pass until ${clockTime(until)}`;
    say(streams, `${problem} (holdfast claim bypass)`);
  }
  return true;
}
