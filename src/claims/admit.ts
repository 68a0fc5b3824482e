import { Family } from './family.js';
import type { ClaimsFolder } from './folder.js';
import { heldByAnother, isForeign } from './foreign.js';
import type { Found, Wanted } from './model.js';
import { ownParent } from './request.js';
import { isAlive, isOfSession, notRunning, type SessionMark } from './session.js';
import { isLive } from './states.js';

/** Requests with the sessions that their claims will have. */
export interface Admission {
  admitted: Wanted[];
  family: Family;
}

/**
 * Whether these agents may claim under their names, and with which sessions.
 * Throws `ERR_LOCK_HELD` for a name that is another session's, unless `force` is
 * set. Call it in the exclusive section.
 */
export function admit(
  folder: ClaimsFolder,
  wanted: readonly Wanted[],
  { force }: { force: boolean },
): Admission {
  const named = new Map<string, Wanted>();
  for (const each of wanted) {
    if (each.session !== null && isAlive(each.session) === false) {
      throw notRunning(each.session.pid, 'request.session');
    }
    const found = folder.find(each.agent);
    named.set(each.agent, found === null ? each : { ...each, ...placeOf(each, found, force) });
  }
  const admitted = [...named.values()].map((each) => {
    if (each.parent === null) return each;
    const asked = named.get(each.parent);
    if (asked !== undefined) return { ...each, session: each.session ?? asked.session };
    const parent = folder.find(each.parent);
    return parent === null ? each : { ...each, session: sessionBelow(each, parent) };
  });
  const family = Family.in(folder, admitted);
  const returning = admitted.find(({ agent }) => family.isInCircle(agent));
  if (returning !== undefined) throw ownParent('request', returning.agent);
  return { admitted, family };
}

/**
 * The session of a claim that takes the place of `found`, of the same agent.
 *
 * One session may be known by two processes, one below the other: `claim run --
 * codex` binds to the wrapper that npm has installed, and the hook of codex to
 * the program that the wrapper has started. The claim stays with the upper one:
 * 1. It was made for the upper process, which may start another program when
 *    the lower one has ended. Bound to the lower one, what the upper has
 *    claimed would be free too early.
 * 2. A program usually waits for those it starts, so the upper one ends last,
 *    and nothing of the lower one is free too early. Nor is it free too late:
 *    both have one name, so all of it belongs to the upper one.
 * A process above the one that has the claim is another session: a terminal is
 * above all agents that were started in it.
 */
function placeOf(
  { session, bind, extend, released, only }: Wanted,
  found: Found,
  force: boolean,
): Pick<Wanted, 'session' | 'isTaken'> {
  const { claim } = found;
  if (claim === null || !isLive(found.state)) return { session };
  if (claim.bound !== null) {
    // Changed in place, it stays with the process that has bound it.
    const isChange = extend || released.length > 0;
    if (!force && !isChange && isForeign(found)) throw heldByAnother(found);
    return { session };
  }
  if (claim.session === null) return { session };
  const isSame =
    // A process that holds the claim need not be in the claim's session.
    (only !== undefined && only === claim.id) || isOfSession(claim.session, session);
  if (!isSame && !force) throw heldByAnother(found);
  if (bind) return { session: null, isTaken: !isSame };
  return isSame ? { session: claim.session } : { session, isTaken: true };
}

/** The session of a claim whose parent has one: one session has one process, the upper one. */
function sessionBelow({ session }: Wanted, parent: Found): SessionMark | null {
  const upper = parent.claim?.session ?? null;
  if (upper === null || !isLive(parent.state)) return session;
  if (!isOfSession(upper, session)) throw heldByAnother(parent);
  return upper;
}
