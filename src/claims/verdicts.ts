// What claims mean for paths and for each other. Pure: nothing is written here.

import { printable } from '../base/holder.js';
import { describeWitness } from './conflict-words.js';
import { conflictsAmong } from './conflicts.js';
import { type Family, familyOf, withoutCircles } from './family.js';
import type { LocatedPath } from './locate.js';
import type { Claimed, Found } from './model.js';
import { plainPath } from './pattern.js';
import { isCovered, type Overlap, ScopeIndex } from './scope.js';
import { isLive } from './states.js';
import { claimed, statusOf } from './status.js';
import type { ClaimStatus, Conflict, PathVerdict } from './types.js';

type Owned = Claimed & { found: Found };

/** Whether a claim is of another session, so that its agent only has the same name. */
export type IsForeign = (found: Found) => boolean;

/**
 * Whose each path is, for the agent `as`. `isForeign` is asked about claims of this
 * name, and of its sub-agents.
 */
export function verdictsOf(
  paths: readonly LocatedPath[],
  found: readonly Found[],
  as: string | undefined,
  isForeign: IsForeign = () => false,
): PathVerdict[] {
  const index = new ScopeIndex<Owned>();
  const family = familyOf(found);
  for (const each of found) {
    // What is above a sub-agent is not its own: it claims the path for itself.
    const isAbove = as !== undefined && family.isAbove(each.agent, as);
    if (isLive(each.state) && !isAbove) index.add({ ...claimed(each), found: each });
  }
  return paths.map(({ pattern, tree }) => {
    const here = { parts: [{ patterns: [pattern], except: [], tree }] };
    const overlaps = [...index.overlapsWith(here)];
    const path = plainPath(pattern);
    const isOthers = ({ scope }: Overlap<Owned>): boolean =>
      as === undefined ||
      (scope.agent !== as && !family.isAbove(as, scope.agent)) ||
      isForeign(scope.found);
    const others = overlaps.filter(isOthers);
    // A folder may be claimed in part only.
    const covering = (): Overlap<Owned>[] =>
      overlaps.filter(({ scope }) => isCovered(pattern, scope, tree));
    const first = innermost(others.length > 0 ? others : covering(), family);
    if (first === undefined) {
      return { path, verdict: 'unclaimed', owner: null, matchedBy: null, notice: null };
    }
    const { agent } = first.scope;
    const isBelow = others.length === 0 && agent !== as;
    return {
      path,
      verdict: others.length > 0 ? 'other' : 'mine',
      owner: statusOf(first.scope.found),
      matchedBy: first.other.pattern.pattern,
      notice: isBelow ? `${printable(agent)}, a sub-agent of ${as}, has it as well` : null,
    };
  });
}

/** Of agents and their sub-agents the lowest one; else the first. */
function innermost(
  overlaps: readonly Overlap<Owned>[],
  family: Family,
): Overlap<Owned> | undefined {
  let lowest = overlaps[0];
  for (const each of overlaps) {
    if (lowest !== undefined && family.isAbove(lowest.scope.agent, each.scope.agent)) lowest = each;
  }
  return lowest;
}

/**
 * Whether a path that `as` is about to write has to enter its own claim: nobody
 * has it, or a sub-agent alone, whose claim ends before that of its parent.
 */
export function isToBeClaimed({ verdict, notice }: PathVerdict): boolean {
  return verdict === 'unclaimed' || (verdict === 'mine' && notice !== null);
}

/** The overlaps among active claims. */
export function conflictsOf(found: readonly Found[]): Conflict[] {
  const live = found.filter(({ state }) => isLive(state));
  return conflictsAmong(live.map(claimed), [], familyOf(live).areRelated);
}

/** What is not a valid claim, alone or with others. */
export function invalidAmong(found: readonly Found[]): Found[] {
  return withoutCircles(found, familyOf(found)).filter(({ state }) => state === 'invalid');
}

/** All claims as users see them: those that overlap are `conflicting`. */
export function statusesOf(found: readonly Found[]): ClaimStatus[] {
  const reasons = new Map<string, string>();
  for (const { agents, witness } of conflictsOf(found)) {
    const [one, other] = agents;
    reasons.set(one, `overlaps with ${other}: ${describeWitness(witness)}`);
    reasons.set(other, `overlaps with ${one}: ${describeWitness(witness)}`);
  }
  return withoutCircles(found, familyOf(found)).map((each) => {
    const reason = reasons.get(each.agent);
    const status = statusOf(each);
    return reason === undefined || each.state === 'invalid'
      ? status
      : { ...status, state: 'conflicting', reason };
  });
}
