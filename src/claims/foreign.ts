// Claims that are not this process's to change.
import { LockHeldError } from '../base/errors.js';
import { printable } from '../base/holder.js';
import { commandOf } from '../holders/ancestors.js';
import { isOtherNamespace, namespaceOf, ownIdentity } from '../holders/process-identity.js';
import { isOwn, isRunning } from '../holders/running-process.js';
import type { Found } from './model.js';
import { isAlive, isInSession } from './session.js';
import { isLive } from './states.js';

/** Whether another process holds it, or another session. */
export function isForeign({ state, claim }: Found): boolean {
  if (claim === null || !isLive(state)) return false;
  if (claim.bound === null) return claim.session !== null && !isInSession(claim.session);
  const { hostname, boot } = ownIdentity();
  return !isOwn({ ...claim.bound, hostname, boot });
}

/** Whether the process that bound a claim still has its pid. A child of it may have the claim. */
function isItself(bound: { pid: number; start: string } | null): boolean {
  if (bound === null) return true;
  const { hostname, boot } = ownIdentity();
  return isRunning({ ...bound, hostname, boot }) === true;
}

/** The name is taken; or the claim is not this process's to release. */
export function heldByAnother({ agent, file, claim }: Found): LockHeldError {
  const { session = null, bound = null } = claim ?? {};
  const who = bound ?? session;
  // In another pid namespace its pid would mean another process.
  const namespace = bound === null ? session?.namespace : namespaceOf(bound.start);
  const inOtherContainer = isOtherNamespace(namespace ?? '');
  const isHere = bound === null ? session !== null && isAlive(session) === true : !inOtherContainer;
  const pid = isHere ? (who?.pid ?? null) : null;
  const command = pid === null || !isItself(bound) ? null : commandOf(pid);
  const holder = {
    pid,
    self: false,
    source: 'record' as const,
    verified: false,
    inOtherContainer,
    since: claim?.lockedAt ?? null,
    command,
    hostname: null,
    data: null,
  };
  const named = inOtherContainer
    ? 'a process in another container'
    : `pid ${who?.pid}${command === null ? '' : ` (${command})`}`;
  const end = 'use another name, or force to take it';
  const message =
    bound !== null
      ? `the claim of ${printable(agent)} is bound to ${named}, which still holds it (or a child of it does): it ends with them; ${end}`
      : isHere
        ? `the claim of ${printable(agent)} is of another session, ${named}, which still runs: it ends with that session; ${end}`
        : `the claim of ${printable(agent)} is of another session, ${named}, which may still run: it ends when it expires; ${end}`;
  return new LockHeldError(file, holder, message);
}
