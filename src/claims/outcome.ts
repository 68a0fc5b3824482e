import { randomUUID } from 'node:crypto';
import { LockLostError } from '../base/errors.js';
import { printable } from '../base/holder.js';
import { ownIdentity } from '../holders/process-identity.js';
import { extend, shrink } from './change-scope.js';
import type { ClaimFile } from './claim-file.js';
import { formatClaim, otherFields } from './claim-text.js';
import { expiryAfter } from './expiry.js';
import type { ClaimsFolder } from './folder.js';
import { heldByAnother, isForeign } from './foreign.js';
import type { ClaimPart, Found, Wanted } from './model.js';
import { isLive } from './states.js';
import type { Change } from './write-claims.js';

type Content = Omit<ClaimFile, 'fields'>;

/** What a granted request makes of its agent's claim. */
export interface Outcome {
  wanted: Wanted;
  /** The claim that is changed; `null`: there is a new one. */
  base: Found | null;
  /** What stays of it. */
  kept: readonly ClaimPart[];
  /** Without parts: there is no claim any more. */
  claim: Content;
  /** `null`: all stays as it is. */
  change: Change | null;
}

/**
 * Works out what a request would make of the claim that its agent has. Throws
 * if that claim must not be changed.
 */
export function outcomeOf(
  folder: ClaimsFolder,
  wanted: Wanted,
  found: Found | undefined,
  now: number,
): Outcome {
  const base = baseOf(folder, wanted, found);
  if (base !== null) return changed(wanted, base, now);
  const claim = newClaim(wanted, now);
  const { agent, bind } = wanted;
  const change = claim.parts.length > 0 ? { agent, bind, text: formatClaim(claim) } : null;
  return { wanted, base: null, kept: [], claim, change };
}

/** `null`: the agent has no claim, or loses all of it. */
function baseOf(folder: ClaimsFolder, wanted: Wanted, found: Found | undefined): Found | null {
  const { agent, extend: extends_, released, only, bind, isTaken = false } = wanted;
  if (!extends_ && released.length === 0) return null;
  const isBase = found !== undefined && isLive(found.state) && !isTaken;
  const base = isBase && found.claim !== null ? found : null;
  if (only !== undefined && base?.claim?.id !== only) {
    const message = `${printable(agent)} no longer has this claim, so it cannot be changed: claim again`;
    throw new LockLostError(folder.fileOf(agent), message);
  }
  if (base !== null) checkChangeable(base, { bind });
  return base;
}

/**
 * Holdfast 0.1.0, as owner of a bound claim, takes a change of its scope for a
 * loss. Its claims have no `parts`.
 */
export function checkChangeable(found: Found, { bind }: { bind: boolean }): void {
  const { claim } = found;
  if (claim === null || claim.bound === null) return;
  const isOld = !('parts' in claim.fields);
  if ((isOld || bind) && isForeign(found)) throw heldByAnother(found);
}

function changed(wanted: Wanted, base: Found, now: number): Outcome {
  const before = base.claim as ClaimFile;
  const kept = shrink(before.parts, wanted.released);
  const parts = extend(kept, wanted.parts);
  const claim = { ...before, ...later(wanted, before, now), parts };
  claim.id ??= randomUUID();
  claim.task = wanted.task ?? before.task;
  if (wanted.bind) claim.bound ??= boundHere();
  claim.session = claim.bound === null ? wanted.session : null;
  claim.parent = wanted.parent ?? before.parent;
  return { wanted, base, kept, claim, change: changeTo(base, claim) };
}

function later(
  { parts, ttl }: Wanted,
  { expiresAt }: ClaimFile,
  now: number,
): Pick<Content, 'expiresAt'> {
  const next = expiryAfter(now, ttl);
  return { expiresAt: parts.length > 0 && next > expiresAt ? next : expiresAt };
}

/**
 * How the file of `found` comes to say what `claim` does. To end a claim that
 * another process has bound takes force.
 */
export function changeTo(
  found: Found,
  claim: Content,
  { force = false }: { force?: boolean } = {},
): Change | null {
  const before = found.claim as ClaimFile;
  if (claim.parts.length === 0) {
    if (!force && before.bound !== null && isForeign(found)) throw heldByAnother(found);
    return { found, text: null };
  }
  const other = otherFields(before);
  const text = formatClaim(claim, other);
  if (text === formatClaim(before, other)) return null;
  if (before.bound !== null) return { found, text };
  return { agent: claim.agent, text, bind: claim.bound !== null };
}

function newClaim(wanted: Wanted, now: number): Content {
  const { agent, parts, task, ttl, bind, session, parent } = wanted;
  return {
    agent,
    parts,
    task,
    id: randomUUID(),
    lockedAt: new Date(Math.floor(now / 1000) * 1000),
    expiresAt: expiryAfter(now, ttl),
    bound: bind ? boundHere() : null,
    session,
    parent,
  };
}

function boundHere(): NonNullable<Content['bound']> {
  const { pid, start } = ownIdentity();
  return { pid, start };
}
