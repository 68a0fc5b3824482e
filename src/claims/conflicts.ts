import { type Party, resolve } from './resolutions.js';
import { type Meeting, meet, type Scope, ScopeIndex } from './scope.js';
import type { Conflict, Entry } from './types.js';

/** An agent's scope with what a conflict says of it. */
export interface Claimed extends Party {
  readonly task: string | null;
  /** `null`: asked for and not claimed yet. */
  readonly expiresAt: Date | null;
}

/**
 * What is wanted, to compare claims with. It is these that are put into an
 * index: the claims that exist may be thousands, and each is looked at once.
 */
export class Wishes {
  readonly #wanted: readonly Claimed[];
  readonly #index = new ScopeIndex<Claimed>();

  constructor(wanted: readonly Claimed[]) {
    this.#wanted = wanted;
    for (const each of wanted) this.#index.add(each);
  }

  /** Whether `other` overlaps with something wanted. */
  isMetBy(other: Scope): boolean {
    return this.#index.meetings(other, () => true).next().done === false;
  }

  /** One conflict for each that `other` overlaps with. */
  conflictsWith(other: Claimed): Conflict[] {
    const met = new Map<Claimed, Meeting<Claimed>[]>();
    for (const meeting of this.#index.meetings(other, () => true)) {
      const meetings = met.get(meeting.scope);
      if (meetings === undefined) met.set(meeting.scope, [turned(other)(meeting)]);
      else meetings.push(turned(other)(meeting));
    }
    return this.#wanted
      .filter((each) => met.has(each))
      .map((each) => describe(each, other, met.get(each) ?? []));
  }
}

/** All conflicts among `claims`, and of these with `existing` ones. */
export function conflictsAmong(
  claims: readonly Claimed[],
  existing: readonly Claimed[],
): Conflict[] {
  const index = new ScopeIndex<Claimed>();
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
            ? describe(claimed, other, meetings)
            : describe(other, claimed, meetings.map(turned(claimed)));
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
  return ({ own, other }) => ({ scope, own: other, other: own });
}

function describe(one: Claimed, other: Claimed, meetings: readonly Meeting[]): Conflict {
  const [first] = meetings as [Meeting];
  return {
    agents: [one.agent, other.agent],
    entries: [entryOf(first.own), entryOf(first.other)],
    witness: meet({ scope: one, pattern: first.own }, { scope: other, pattern: first.other }) ?? '',
    task: other.task,
    expiresAt: other.expiresAt,
    resolutions: resolve(one, other, meetings, other.expiresAt !== null),
  };
}

function entryOf({ kind, pattern }: Entry): Entry {
  return { kind, pattern };
}
