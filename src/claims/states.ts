import { isOtherNamespace } from '../holders/process-identity.js';
import type { ClaimFile } from './claim-file.js';
import { GRACE_MILLISECONDS } from './expiry.js';
import type { Found } from './model.js';
import { isAlive, type SessionMark } from './session.js';
import type { ClaimState } from './types.js';

type State = Pick<Found, 'state' | 'reason'>;

/** Whether a claim in this state stands in the way of others. */
export function isLive(state: ClaimState): boolean {
  return state === 'active' || state === 'unverified';
}

/** Whether the clock can end the claim. It cannot while a process is known to have it. */
export function endsByClock({ state, claim }: Found): boolean {
  if (claim === null || claim.bound !== null) return false;
  return claim.session === null || state === 'unverified';
}

/** Remembers what it was told: many claims of a folder are of one session. */
export function remembered(
  ask: (mark: SessionMark) => boolean | null = isAlive,
): (mark: SessionMark) => boolean | null {
  const known = new Map<string, boolean | null>();
  return (mark) => {
    const key = `${mark.pid} ${mark.start} ${mark.boot} ${mark.namespace}`;
    let answer = known.get(key);
    if (answer === undefined) {
      answer = ask(mark);
      known.set(key, answer);
    }
    return answer;
  };
}

/** Of a claim that no descriptor locks. */
export function stateOf(
  { session, expiresAt }: ClaimFile,
  now: number,
  lives: (mark: SessionMark) => boolean | null = isAlive,
): State {
  const alive = session === null ? null : lives(session);
  if (alive === true) return { state: 'active', reason: null };
  if (alive === false) {
    return { state: 'orphaned', reason: `its session, pid ${session?.pid}, has ended` };
  }
  if (now >= expiresAt.getTime() + GRACE_MILLISECONDS) {
    return { state: 'expired', reason: `expired at ${expiresAt.toISOString()}` };
  }
  if (session === null) return { state: 'active', reason: null };
  // In another pid namespace its pid would mean another process.
  const which = isOtherNamespace(session.namespace) ? 'in another container' : `pid ${session.pid}`;
  const reason = `it is unknown here whether its session, ${which}, still runs: it ends when it expires`;
  return { state: 'unverified', reason };
}
