import { existsSync } from 'node:fs';
import { argumentError } from '../base/argument-errors.js';
import { printable } from '../base/holder.js';
import { emitHoldfastWarning } from '../base/warning.js';
import { admit } from './admit.js';
import { CLAIM_LIMIT } from './claim-file.js';
import { conflictsAmong, RequestedScopes } from './conflicts.js';
import { ClaimInvalidError, invalidClaims } from './errors.js';
import { inCircle, type Related } from './family.js';
import type { ClaimsFolder, Relevance } from './folder.js';
import { handOver } from './hand-over.js';
import type { HeldClaim } from './held-claim.js';
import type { LiveClaims } from './live-claims.js';
import type { Found, Wanted } from './model.js';
import { type Outcome, outcomeOf } from './outcome.js';
import { prefilter } from './prefilter.js';
import { patternsOf } from './scope.js';
import { isLive } from './states.js';
import { claimed } from './status.js';
import type { Conflict } from './types.js';

/** Either all claims, or the conflicts and the claims that cause them. */
export interface Decision {
  claims: HeldClaim[];
  /** Those of `claims` that this process did not hold before. */
  begun: HeldClaim[];
  conflicts: Conflict[];
  blockers: Found[];
}

/** The folder of the claims, and what of them this process holds. */
export interface Place {
  folder: ClaimsFolder;
  live: LiveClaims;
}

export interface DecideOptions {
  ignoreInvalid: boolean;
  /** Takes names that are another session's. */
  force: boolean;
  /** The conflicts with those who wait in front, given the claims in the way. */
  stoppedBy: (blockers: readonly Found[]) => Conflict[];
}

/**
 * Grants all that is wanted, or says what is in the way. Call it in the
 * exclusive section of the folder.
 */
export function decide(place: Place, wanted: readonly Wanted[], options: DecideOptions): Decision {
  const { folder } = place;
  const { ignoreInvalid, stoppedBy } = options;
  const { admitted, family } = admit(folder, wanted, options);
  const agents = new Set(wanted.map(({ agent }) => agent));
  const requested = new RequestedScopes(wanted);
  const invalid: Found[] = [];
  const conflicts: Conflict[] = [];
  const blockers: Found[] = [];
  const ended: Found[] = [];
  const known = new Map<string, Found>();
  const mayOverlap = prefilter(wanted.flatMap(patternsOf), folder.root);
  const isRelevant: Relevance | undefined =
    mayOverlap && ((agent, text) => agents.has(agent) || mayOverlap(text));
  // A request that only releases cannot take anything from an unreadable claim.
  const mayIgnore = ignoreInvalid || wanted.every(({ parts }) => parts.length === 0);
  for (const found of folder.each(isRelevant)) {
    known.set(found.agent, found);
    const isOwn = agents.has(found.agent);
    if (found.claim === null) {
      if (!mayIgnore || isOwn) invalid.push(found);
    } else if (isOwn) {
      // Will be replaced or changed.
    } else if (!isLive(found.state)) {
      if (requested.overlapWith(found.claim)) ended.push(found);
    } else if (!mayIgnore && found.claim.parent !== null && family.isInCircle(found.agent)) {
      invalid.push(inCircle(found));
    } else {
      const met = requested
        .conflictsWith(claimed(found))
        .filter(({ agents: [agent] }) => !family.areRelated(agent, found.agent));
      conflicts.push(...met);
      if (met.length > 0) blockers.push(found);
    }
  }
  if (invalid.length > 0) throw invalidClaims(folder.path, invalid);
  // What an ended sub-agent leaves to its parent may be in the way. Then decide
  // again: each round has fewer ended ones, so this ends.
  if (ended.filter((each) => handOver(folder, each)).length > 0) {
    return decide(place, wanted, options);
  }
  const now = Date.now();
  const outcomes = admitted.map((each) => outcomeOf(folder, each, known.get(each.agent), now));
  for (const { conflict, base } of conflictsWithKept(wanted, outcomes, family.areRelated)) {
    conflicts.push(conflict);
    blockers.push(base);
  }
  conflicts.push(...stoppedBy(blockers));
  if (conflicts.length > 0) return { claims: [], begun: [], conflicts, blockers };
  // Before the check of the names: a wanted claim may need the file of one of these.
  for (const each of ended) overwrite(folder, each);
  checkNames(folder, outcomes, known);
  const written = write(place, outcomes);
  for (const { agent, parts } of wanted) {
    const found = known.get(agent);
    if (found !== undefined && parts.length > 0) warnIfExpired(found);
  }
  return { ...written, conflicts, blockers };
}

/** Takes a grant back: the folder was replaced while it was written. */
export function undo({ folder }: Place, { claims, begun }: Decision): void {
  for (const claim of claims) {
    const found = folder.find(claim.granted.agent);
    if (found !== null && claim.wrote(found)) folder.remove(found);
  }
  // What was held before went with the old folder; its owner hears of the loss.
  for (const claim of begun) claim.end();
}

/** What agents of the same call keep may be in the way of what others are to get. */
function conflictsWithKept(
  wanted: readonly Wanted[],
  outcomes: readonly Outcome[],
  areRelated: Related,
): { conflict: Conflict; base: Found }[] {
  const bases = new Map<string, Found>();
  const kept = outcomes.flatMap(({ base, kept: parts }) => {
    if (base === null || parts.length === 0) return [];
    bases.set(base.agent, base);
    return [{ ...claimed(base), parts }];
  });
  if (kept.length === 0 || wanted.length === 1) return [];
  return conflictsAmong(wanted, kept, areRelated).map((conflict) => {
    const [, other] = conflict.agents;
    return { conflict, base: bases.get(other) as Found };
  });
}

function write(
  { folder, live }: Place,
  outcomes: readonly Outcome[],
): Pick<Decision, 'claims' | 'begun'> {
  const changes = outcomes.flatMap(({ change }) => (change === null ? [] : [change]));
  const texts = changes.map(({ text }) => text ?? '');
  const tooLong = texts.find((text) => Buffer.byteLength(text) > CLAIM_LIMIT);
  if (tooLong !== undefined) {
    const rule = `at most ${CLAIM_LIMIT} bytes as a claim's file`;
    throw argumentError('ERR_OUT_OF_RANGE', 'request', rule, tooLong);
  }
  const locks = changes.length > 0 ? folder.write(changes) : [];
  const begun: HeldClaim[] = [];
  const claims = outcomes.map(({ wanted: { ttl, keepAlive }, base, claim, change }) => {
    const lock = (change && locks[changes.indexOf(change)]) ?? null;
    const parts = { folder, claim, lock, ttl, keepAlive };
    if (claim.parts.length === 0) return live.end(base, parts);
    if (base !== null) {
      const { claim: changed, isNew } = live.goOn(base, parts);
      if (isNew) begun.push(changed);
      return changed;
    }
    const started = live.start(parts);
    begun.push(started);
    return started;
  });
  return { claims, begun };
}

/** Removes a claim that has ended; warns if it ended by the clock. */
function overwrite(folder: ClaimsFolder, found: Found): void {
  folder.remove(found);
  warnIfExpired(found);
}

function warnIfExpired(found: Found): void {
  if (found.state !== 'expired') return;
  const message = `Overwriting expired lock for ${printable(found.agent)}`;
  emitHoldfastWarning('HOLDFAST_CLAIM_EXPIRED', message);
}

/** If two names mean one file (`api` and `API`), one claim would replace the other. */
function checkNames(
  folder: ClaimsFolder,
  outcomes: readonly Outcome[],
  known: ReadonlyMap<string, Found>,
): void {
  const reason =
    'this file system has one file for this name and that of another agent: use another name';
  const taken = outcomes
    .filter(({ change }) => change !== null)
    .map(({ wanted: { agent } }) => ({ agent, file: folder.fileOf(agent) }))
    .filter(({ agent, file }) => !known.has(agent) && existsSync(file))
    .map(({ file }) => ({ file, reason }));
  if (taken.length > 0) throw new ClaimInvalidError(folder.path, taken);
}
