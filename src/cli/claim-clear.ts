import { printable } from '../base/holder.js';
import type { ClaimStatus } from '../claims/types.js';
import type { ClaimArguments } from './claim-options.js';
import { reportInvalid } from './claim-show.js';
import { EXIT } from './exit-codes.js';
import { print, type Streams } from './streams.js';

/** `holdfast claim clear`. */
export async function clear(
  { claims, force, quiet }: ClaimArguments,
  streams: Streams,
): Promise<number> {
  const report = (cleared: readonly ClaimStatus[]): void => {
    if (quiet) return;
    const names = cleared.map(({ agent }) => printable(agent)).join(', ');
    const what = cleared.length === 1 ? '1 claim' : `${cleared.length} claims`;
    print(streams, [cleared.length === 0 ? 'no claims to clear' : `cleared ${what}: ${names}`]);
  };
  try {
    report(await claims.releaseAll({ force }));
  } catch (error) {
    // Claims of others stay; the rest was removed.
    const { released = [] } = Object(error) as { released?: ClaimStatus[] };
    if (released.length > 0) report(released);
    throw error;
  }
  await reportInvalid(claims, streams);
  return EXIT.ok;
}
