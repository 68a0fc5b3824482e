import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { argumentError } from '../base/arguments.js';
import { printable } from '../base/holder.js';
import { emitHoldfastWarning } from '../base/warning.js';
import { ownIdentity } from '../holders/process-identity.js';
import { CLAIM_LIMIT, type ClaimFile, formatClaim } from './claim-file.js';
import { RequestedScopes } from './conflicts.js';
import { ClaimInvalidError, invalidClaims } from './errors.js';
import { expiryAfter } from './expiry.js';
import type { ClaimsFolder, Relevance } from './folder.js';
import type { HeldClaim } from './held-claim.js';
import type { LiveClaims } from './live-claims.js';
import type { Found, Wanted } from './model.js';
import { prefilter } from './prefilter.js';
import { patternsOf } from './scope.js';
import { claimed } from './status.js';
import type { Conflict } from './types.js';

/** Either all claims, or the conflicts and the claims that cause them. */
export interface Decision {
  claims: HeldClaim[];
  conflicts: Conflict[];
  blockers: Found[];
}

/** The folder of the claims, and what of them this process holds. */
export interface Place {
  folder: ClaimsFolder;
  live: LiveClaims;
}

/**
 * Grants all that is wanted, or says what is in the way. Call it in the
 * exclusive section of the folder.
 */
export function decide(
  place: Place,
  wanted: readonly Wanted[],
  { ignoreInvalid }: { ignoreInvalid: boolean },
): Decision {
  const { folder } = place;
  const agents = new Set(wanted.map(({ agent }) => agent));
  const requested = new RequestedScopes(wanted);
  const invalid: Found[] = [];
  const conflicts: Conflict[] = [];
  const blockers: Found[] = [];
  const ended: Found[] = [];
  const known = new Set<string>();
  const mayOverlap = prefilter(wanted.flatMap(patternsOf), folder.root);
  const isRelevant: Relevance | undefined =
    mayOverlap && ((agent, text) => agents.has(agent) || mayOverlap(text));
  for (const found of folder.each(isRelevant)) {
    known.add(found.agent);
    const isOwn = agents.has(found.agent);
    if (found.claim === null) {
      if (!ignoreInvalid || isOwn) invalid.push(found);
    } else if (isOwn) {
      // Will be replaced.
    } else if (found.state !== 'active') {
      if (requested.overlapWith(found.claim)) ended.push(found);
    } else {
      const own = requested.conflictsWith(claimed(found));
      conflicts.push(...own);
      if (own.length > 0) blockers.push(found);
    }
  }
  if (invalid.length > 0) throw invalidClaims(folder.path, invalid);
  if (conflicts.length > 0) return { claims: [], conflicts, blockers };
  // Before the check of the names: a wanted claim may need the very file of one of these.
  for (const each of ended) overwrite(folder, each);
  checkNames(folder, wanted, known);
  return { claims: write(place, wanted), conflicts, blockers };
}

/** Takes a grant back: the folder was replaced while it was written. */
export function undo({ folder }: Place, { claims }: Decision): void {
  for (const claim of claims) {
    const found = folder.find(claim.granted.agent);
    if (found !== null && claim.wrote(found)) folder.remove(found);
    claim.end();
  }
}

function write({ folder, live }: Place, wanted: readonly Wanted[]): HeldClaim[] {
  const contents = contentsOf(wanted);
  const texts = contents.map(formatClaim);
  const tooLong = texts.find((text) => Buffer.byteLength(text) > CLAIM_LIMIT);
  if (tooLong !== undefined) {
    const rule = `at most ${CLAIM_LIMIT} bytes as a claim's file`;
    throw argumentError('ERR_OUT_OF_RANGE', 'request', rule, tooLong);
  }
  const drafts = wanted.map(({ agent, bind }, at) => ({ agent, bind, text: texts[at] as string }));
  const locks = folder.write(drafts);
  return wanted.map(({ ttl, keepAlive }, at) => {
    const claim = contents[at] as Omit<ClaimFile, 'fields'>;
    return live.start({ folder, claim, lock: locks[at] ?? null, ttl, keepAlive });
  });
}

function contentsOf(wanted: readonly Wanted[]): Omit<ClaimFile, 'fields'>[] {
  const now = Date.now();
  const { pid, start } = ownIdentity();
  return wanted.map(({ agent, parts, task, ttl, bind }) => ({
    agent,
    parts,
    task,
    id: randomUUID(),
    lockedAt: new Date(Math.floor(now / 1000) * 1000),
    expiresAt: expiryAfter(now, ttl),
    bound: bind ? { pid, start } : null,
  }));
}

/** Removes a claim that has ended; warns if it ended by the clock. */
function overwrite(folder: ClaimsFolder, found: Found): void {
  folder.remove(found);
  if (found.state !== 'expired') return;
  const message = `Overwriting expired lock for ${printable(found.agent)}`;
  emitHoldfastWarning('HOLDFAST_CLAIM_EXPIRED', message);
}

/** If two names mean one file (`api` and `API`), one claim would replace the other. */
function checkNames(
  folder: ClaimsFolder,
  wanted: readonly Wanted[],
  known: ReadonlySet<string>,
): void {
  const reason = 'this file system gives an agent of another name the same file';
  const taken = wanted
    .map(({ agent }) => ({ agent, file: folder.fileOf(agent) }))
    .filter(({ agent, file }) => !known.has(agent) && existsSync(file))
    .map(({ file }) => ({ file, reason }));
  if (taken.length > 0) throw new ClaimInvalidError(folder.path, taken);
}
