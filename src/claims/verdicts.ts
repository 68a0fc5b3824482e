// What claims mean for paths and for each other. Pure: nothing is read here.

import { describeWitness } from './conflict-words.js';
import { conflictsAmong } from './conflicts.js';
import type { LocatedPath } from './locate.js';
import type { Claimed, Found } from './model.js';
import { plainPath } from './pattern.js';
import { isCovered, ScopeIndex } from './scope.js';
import { claimed, statusOf } from './status.js';
import type { ClaimStatus, Conflict, PathVerdict } from './types.js';

/** Whose each path is, for the agent `as`. */
export function verdictsOf(
  paths: readonly LocatedPath[],
  found: readonly Found[],
  as: string | undefined,
): PathVerdict[] {
  const index = new ScopeIndex<Claimed & { found: Found }>();
  for (const each of found) {
    if (each.state === 'active') index.add({ ...claimed(each), found: each });
  }
  return paths.map(({ pattern, tree }) => {
    const here = { parts: [{ patterns: [pattern], except: [], tree }] };
    const overlaps = [...index.overlapsWith(here)];
    const path = plainPath(pattern);
    const first = overlaps.find(({ scope }) => scope.agent !== as) ?? overlaps[0];
    const isOther = first !== undefined && first.scope.agent !== as;
    // A folder may be claimed in part only.
    if (first === undefined || !(isOther || isCovered(pattern, first.scope, tree))) {
      return { path, verdict: 'unclaimed', owner: null, matchedBy: null };
    }
    return {
      path,
      verdict: isOther ? 'other' : 'mine',
      owner: statusOf(first.scope.found),
      matchedBy: first.other.pattern.pattern,
    };
  });
}

/** The overlaps among active claims. */
export function conflictsOf(found: readonly Found[]): Conflict[] {
  return conflictsAmong(found.filter(({ state }) => state === 'active').map(claimed), []);
}

/** All claims as users see them: those that overlap are `conflicting`. */
export function statusesOf(found: readonly Found[]): ClaimStatus[] {
  const reasons = new Map<string, string>();
  for (const { agents, witness } of conflictsOf(found)) {
    const [one, other] = agents;
    reasons.set(one, `overlaps with ${other}: ${describeWitness(witness)}`);
    reasons.set(other, `overlaps with ${one}: ${describeWitness(witness)}`);
  }
  return found.map((each) => {
    const reason = reasons.get(each.agent);
    const status = statusOf(each);
    return reason === undefined ? status : { ...status, state: 'conflicting', reason };
  });
}
