import { printable } from '../base/holder.js';
import { monotonicTime, sleep } from '../base/timers.js';
import type { PathVerdict } from '../claims/types.js';
import type { ClaimArguments } from './claim-options.js';
import { groupsOf } from './claim-paths.js';
import { verdictLines } from './claim-show.js';
import { EXIT } from './exit-codes.js';
import { print, type Streams, say } from './streams.js';

const LOOK_MILLISECONDS = 1000;

/**
 * `holdfast claim wait` where the folder cannot be written to: it looks each
 * second until the paths are free, and claims nothing.
 */
export async function lookUntilFree(given: ClaimArguments, streams: Streams): Promise<number> {
  const { agent, timeout, ignoreInvalid, quiet } = given;
  const groups = groupsOf(given.paths, given);
  const began = monotonicTime();
  for (let looks = 0; ; looks++) {
    const others: PathVerdict[] = [];
    for (const { claims, places, words } of groups) {
      const paths = words.map((word) => places.path(word));
      const verdicts = (await claims?.check(paths, { as: agent, ignoreInvalid })) ?? [];
      others.push(...verdicts.filter(({ verdict }) => verdict === 'other'));
    }
    const left = timeout - (monotonicTime() - began);
    if (others.length === 0) {
      const why = `${printable(given.claims.directory)} cannot be written to`;
      if (!quiet) print(streams, [`free, but not claimed: ${why}`]);
      return EXIT.ok;
    }
    if (left <= 0) {
      if (!quiet) for (const line of verdictLines(others)) say(streams, line);
      return EXIT.refused;
    }
    if (looks === 0 && !quiet) {
      for (const line of verdictLines(others)) say(streams, `waiting: ${line}`);
    }
    await sleep(Math.min(left, LOOK_MILLISECONDS), undefined);
  }
}
