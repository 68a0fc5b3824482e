import { printable } from '../base/holder.js';
import { LONGEST_TIMER } from '../base/timers.js';
import type { Claims } from '../claims/claims.js';
import { DEFAULT_TTL } from '../claims/expiry.js';
import { certain, moveToSession, releaseCertain } from '../claims/move-to-session.js';
import type { ClaimArguments } from './claim-options.js';
import { groupsOf } from './claim-paths.js';
import { optionsOf, refusal, requestOf } from './claim-request.js';
import { runCommand } from './command.js';
import { EXIT, Exit, usageError } from './exit-codes.js';
import { type Streams, say } from './streams.js';

const SHORTEST_PAUSE = 1000;

/**
 * `holdfast claim run`: claims, runs the command, releases.
 *
 * The command never runs unclaimed, and no claim is left behind, even if this
 * process is killed at any point:
 * 1. The claim is bound to this process. If it is killed, the claim is free.
 * 2. The command starts and inherits the claim's descriptor, so from its first
 *    moment it has the claim as well.
 * 3. The claim becomes one of the command's session: it ends with the command,
 *    whoever else has inherited the descriptor, and its hooks find in it their
 *    own session.
 * 4. The command has ended, and the claim is released. If this process is gone
 *    by then, the claim is free all the same.
 * Where it cannot be told whether a process still runs, step 3 is left out: the
 * claim is free once no process has the descriptor any more.
 */
export async function runClaimed(given: ClaimArguments, streams: Streams): Promise<number> {
  const { agent, command, ttl = DEFAULT_TTL, force, quiet, conflictCode } = given;
  const [group, other] = groupsOf(given.paths, given);
  if (group === undefined || other !== undefined) {
    throw usageError('claim run takes the paths of one repository', 'claim run');
  }
  // Says what to do.
  const claims = group.claims ?? given.claims;
  if (!force && (await hasClaim(claims, agent))) {
    if (!quiet) {
      const what = `${printable(agent)} has a claim already, which would be replaced and then released`;
      say(streams, `${what}; use another --agent, or --force`);
    }
    return conflictCode;
  }
  const claim = await claims
    .claim({ ...requestOf(group, false, given), bind: true }, optionsOf(given, streams))
    .catch((error: unknown) => refusal(error, given, streams));
  if (typeof claim === 'number') {
    if (!quiet) say(streams, 'command not run');
    return claim;
  }
  const own = certain(claims.directory, claims.root, agent);
  // Seen from another pid namespace, it lives by its expiry.
  const pause = Math.min(Math.max(ttl / 3, SHORTEST_PAUSE), LONGEST_TIMER);
  const renewal = setInterval(() => claims.renew(agent, ttl).catch(() => {}), pause).unref();
  let moved: Promise<unknown> = Promise.resolve();
  try {
    const { fd } = claim;
    if (own === null || fd === -1) {
      throw new Exit(EXIT.data, `the claim of ${printable(agent)} is gone; command not run`);
    }
    return await runCommand(command, fd, {
      environment: {
        HOLDFAST_AGENT: agent,
        // The default folder is found from each path: given, it would be taken for
        // paths of submodules as well, which have one of their own.
        ...(given.hasFolder && { HOLDFAST_CLAIMS: claims.directory }),
      },
      caller: streams.caller,
      onStart: (pid) => {
        // If it fails, the descriptor has the claim.
        moved = moveToSession(own, pid).catch(() => {});
      },
    });
  } finally {
    clearInterval(renewal);
    await moved;
    await claim.release();
    if (own !== null) await releaseCertain(own);
  }
}

/** Whether a claim of this agent's, of the same session, would be lost. */
async function hasClaim(claims: Claims, agent: string): Promise<boolean> {
  const own = (await claims.list()).find((each) => each.agent === agent);
  if (own?.session == null && own?.bound == null) return false;
  return own.state === 'active' || own.state === 'unverified' || own.state === 'conflicting';
}
