import type { Root } from './pattern.js';
import { type Party, resolve } from './resolutions.js';
import { type Meeting, ScopeIndex } from './scope.js';
import type { Conflict, Entry } from './types.js';

/** An agent's scope with what a conflict says of it. */
export interface Claimed extends Party {
  readonly task: string | null;
  /** `null`: asked for and not claimed yet. */
  readonly expiresAt: Date | null;
}

/** One conflict for each of `others` that overlaps with `claimed`. */
export function conflictsWith(
  claimed: Claimed,
  others: readonly Claimed[],
  root: Root,
): Conflict[] {
  // The one is put into the index, and not the many: each of these is then
  // compared with what is near it.
  const index = new ScopeIndex<Claimed>(root);
  index.add(claimed);
  const conflicts: Conflict[] = [];
  for (const other of others) {
    if (other.agent === claimed.agent) continue;
    const meetings = [...index.meetings(other, () => true)].map(turned(other));
    if (meetings.length > 0) conflicts.push(describe(claimed, other, meetings, root));
  }
  return conflicts;
}

/** All conflicts among `claims`, and of these with `existing` ones. */
export function conflictsAmong(
  claims: readonly Claimed[],
  existing: readonly Claimed[],
  root: Root,
): Conflict[] {
  const index = new ScopeIndex<Claimed>(root);
  const place = new Map<Claimed, number>();
  const conflicts: { order: [number, number]; conflict: Conflict }[] = [];
  for (const claimed of [...existing, ...claims]) {
    const isNew = place.size >= existing.length;
    if (isNew) {
      const met = new Map<Claimed, Meeting<Claimed>[]>();
      for (const meeting of index.meetings(claimed, (other) => other.agent !== claimed.agent)) {
        const known = met.get(meeting.scope);
        if (known === undefined) met.set(meeting.scope, [meeting]);
        else known.push(meeting);
      }
      for (const [other, meetings] of met) {
        const order: [number, number] = [place.get(other) as number, place.size];
        // Among equals in the order of the list; to an existing claim it is
        // the new one that comes to it.
        const conflict =
          order[0] < existing.length
            ? describe(claimed, other, meetings, root)
            : describe(other, claimed, meetings.map(turned(claimed)), root);
        conflicts.push({ order, conflict });
      }
    }
    place.set(claimed, place.size);
    index.add(claimed);
  }
  conflicts.sort((a, b) => a.order[0] - b.order[0] || a.order[1] - b.order[1]);
  return conflicts.map(({ conflict }) => conflict);
}

/** The same meeting, seen by the other one. */
function turned(scope: Claimed): (meeting: Meeting<Claimed>) => Meeting<Claimed> {
  return ({ own, other, witness }) => ({ scope, own: other, other: own, witness });
}

function describe(
  one: Claimed,
  other: Claimed,
  meetings: readonly Meeting[],
  root: Root,
): Conflict {
  const [first] = meetings as [Meeting];
  return {
    agents: [one.agent, other.agent],
    entries: [entryOf(first.own), entryOf(first.other)],
    witness: first.witness,
    task: other.task,
    expiresAt: other.expiresAt,
    resolutions: resolve(one, other, meetings, root, other.expiresAt !== null),
  };
}

function entryOf({ kind, pattern }: Entry): Entry {
  return { kind, pattern };
}
