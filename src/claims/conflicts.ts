import type { Related } from './family.js';
import type { Claimed } from './model.js';
import { resolve } from './resolutions.js';
import { type Overlap, type Scope, ScopeIndex, witnessOf } from './scope.js';
import type { Conflict, Entry } from './types.js';

/**
 * The scopes of a request, to compare claims with. The index holds these and
 * not the claims: there may be thousands of claims, and each is compared once.
 */
export class RequestedScopes {
  readonly #requested: readonly Claimed[];
  readonly #index = new ScopeIndex<Claimed>();

  constructor(requested: readonly Claimed[]) {
    this.#requested = requested;
    for (const each of requested) this.#index.add(each);
  }

  /** Whether `other` overlaps with any of them. */
  overlapWith(other: Scope): boolean {
    return this.#index.overlapsWith(other).next().done === false;
  }

  /** One conflict for each of them that `other` overlaps with. */
  conflictsWith(other: Claimed): Conflict[] {
    const found = new Map<Claimed, Overlap<Claimed>[]>();
    for (const overlap of this.#index.overlapsWith(other)) {
      collect(found, overlap.scope, turned(other)(overlap));
    }
    return this.#requested
      .filter((each) => found.has(each))
      .map((each) => describe(each, other, found.get(each) ?? []));
  }
}

/** All conflicts among `claims`, and between these and `existing` ones; none among related agents. */
export function conflictsAmong(
  claims: readonly Claimed[],
  existing: readonly Claimed[],
  areRelated: Related = () => false,
): Conflict[] {
  const index = new ScopeIndex<Claimed>();
  const place = new Map<Claimed, number>();
  const conflicts: { order: [number, number]; conflict: Conflict }[] = [];
  for (const claimed of [...existing, ...claims]) {
    const isNew = place.size >= existing.length;
    if (isNew) {
      const found = new Map<Claimed, Overlap<Claimed>[]>();
      const isAnother = ({ agent }: Claimed): boolean =>
        agent !== claimed.agent && !areRelated(agent, claimed.agent);
      for (const overlap of index.overlapsWith(claimed, isAnother)) {
        collect(found, overlap.scope, overlap);
      }
      for (const [other, overlaps] of found) {
        const order: [number, number] = [place.get(other) as number, place.size];
        // New claims appear in the order of their list. In a conflict with an
        // existing claim the new one comes first.
        const conflict =
          order[0] < existing.length
            ? describe(claimed, other, overlaps)
            : describe(other, claimed, overlaps.map(turned(claimed)));
        conflicts.push({ order, conflict });
      }
    }
    place.set(claimed, place.size);
    index.add(claimed);
  }
  conflicts.sort((a, b) => a.order[0] - b.order[0] || a.order[1] - b.order[1]);
  return conflicts.map(({ conflict }) => conflict);
}

function collect<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

/** The same overlap, from the other side. */
function turned(scope: Claimed): (overlap: Overlap<Claimed>) => Overlap<Claimed> {
  return ({ own, other }) => ({ scope, own: other, other: own });
}

function describe(one: Claimed, other: Claimed, overlaps: readonly Overlap[]): Conflict {
  const [first] = overlaps as [Overlap];
  const { own, other: theirs } = first;
  return {
    agents: [one.agent, other.agent],
    entries: [entryOf(own.pattern), entryOf(theirs.pattern)],
    witness: witnessOf(own, theirs) ?? '',
    task: other.task,
    expiresAt: other.expiresAt,
    pid: other.pid,
    ...(other.inOtherContainer === true && { inOtherContainer: true }),
    resolutions: resolve(one, other, overlaps),
  };
}

function entryOf({ kind, pattern }: Entry): Entry {
  return { kind, pattern };
}
