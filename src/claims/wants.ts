// Who waits for whom, and who is served first. Pure: nothing is read here.
//
// 1. Who wants something waits for the holders in its way.
// 2. An older want stops a younger one that overlaps with it, so that many small
//    claims cannot starve a large one. It does not stop an agent that its own
//    agents wait for, directly or through others: that agent has to finish first.
// 3. An agent ends only after its wants, and a parent after its children.
// 4. So waits can form a circle. The youngest want in it is refused.
//
// A simpler exception, for agents that hold something of what the older want is
// for, is not enough: A holds p and wants q, which B holds; C came later and
// wants p and r; B asks for r. C waits for A, A for B, and C would stop B.
import type { Claimed } from './model.js';
import { listOf, ScopeIndex } from './scope.js';

/** What one call waits for. All its requests are granted together. */
export interface Want {
  readonly requests: readonly Claimed[];
  /** Its waiter has not touched it for a while: it keeps its place and stops nobody. */
  readonly stale: boolean;
}

export type ParentOf = (agent: string) => string | null;

export function agentsOf({ requests }: Pick<Want, 'requests'>): string[] {
  return requests.map(({ agent }) => agent);
}

/** A want, by its place, or an agent. */
type Node = number | string;

/** Worked out for all wants at once: whether one stops another depends on the others. */
export class Waits<W extends Want> {
  /** Of each want: the agents that hold something of it. */
  readonly #holders: readonly Set<string>[];
  /** Of each want: the older ones that stop it. */
  readonly #stops: W[][];
  /** Of each want: the agents that it waits for. */
  readonly #ahead: Set<string>[];
  /** Of each agent: its wants, and its children. */
  readonly #duties = new Map<string, Node[]>();

  /** `wants`: the oldest first. `holders`: all claims that are in force. */
  constructor(wants: readonly W[], holders: readonly Claimed[], parentOf: ParentOf) {
    const areRelated = relation(parentOf);
    this.#holders = holdersInTheWay(wants, holders, areRelated);
    this.#stops = wants.map(() => []);
    this.#ahead = this.#holders.map((agents) => new Set(agents));
    wants.forEach((want, at) => {
      for (const agent of agentsOf(want)) listOf(this.#duties, agent).push(at);
    });
    for (const agent of new Set([
      ...holders.map((each) => each.agent),
      ...wants.flatMap(agentsOf),
    ])) {
      const parent = parentOf(agent);
      if (parent !== null) listOf(this.#duties, parent).push(agent);
    }
    // The oldest first: whom it stops decides what the next one waits for.
    youngerInTheWay(wants, areRelated).forEach((younger, at) => {
      const want = wants[at] as W;
      if (want.stale || younger.length === 0) return;
      const older = agentsOf(want);
      // A want that is stopped here is not in there, so what it waits for from
      // now on adds nothing to it.
      const reached = this.#reach(older);
      for (const each of younger) {
        if (agentsOf(wants[each] as W).some((agent) => reached.has(agent))) continue;
        this.#stops[each]?.push(want);
        for (const agent of older) this.#ahead[each]?.add(agent);
      }
    });
  }

  /** The agents that the want at this place waits for; if there is none, it is its turn. */
  ahead(at: number): string[] {
    return [...(this.#ahead[at] ?? [])];
  }

  /** Those of them that hold something of it. */
  holders(at: number): string[] {
    return [...(this.#holders[at] ?? [])];
  }

  /** The older wants that stop it, the oldest first. */
  stoppedBy(at: number): W[] {
    return this.#stops[at] ?? [];
  }

  /**
   * The agents of a circle of waits that the want at this place must end,
   * because it is the youngest want in it: each waits for the next one, and the
   * last for the first, which is one of its own. `null`: there is none.
   */
  circle(at: number): string[] | null {
    const before = this.#reach([at]);
    if (!before.has(at)) return null;
    for (const node of before.keys()) {
      if (typeof node === 'number' && node > at && this.#reach([node]).has(at)) return null;
    }
    const agents: string[] = [];
    for (let node = before.get(at) as Node; node !== at; node = before.get(node) as Node) {
      if (typeof node === 'string') agents.push(node);
    }
    return [...agents.slice(0, 1), ...agents.slice(1).reverse()];
  }

  /** All that is waited for from these nodes on, each with the one that waits for it. */
  #reach(from: readonly Node[]): Map<Node, Node> {
    const before = new Map<Node, Node>();
    const queue = [...from];
    for (const node of queue) {
      const next = typeof node === 'number' ? this.#ahead[node] : this.#duties.get(node);
      for (const each of next ?? []) {
        if (before.has(each)) continue;
        before.set(each, node);
        queue.push(each);
      }
    }
    return before;
  }
}

type Relation = (one: string, other: string) => boolean;

/** Whether one of two agents is the other, or descends from it: they share their paths. */
export function relation(parentOf: ParentOf): Relation {
  const known = new Map<string, Set<string>>();
  const lineOf = (agent: string): Set<string> => {
    let line = known.get(agent);
    if (line === undefined) {
      line = new Set();
      // A chain that returns to itself ends there.
      for (let at: string | null = agent; at !== null && !line.has(at); at = parentOf(at))
        line.add(at);
      known.set(agent, line);
    }
    return line;
  };
  return (one, other) => lineOf(one).has(other) || lineOf(other).has(one);
}

function holdersInTheWay(
  wants: readonly Want[],
  holders: readonly Claimed[],
  areRelated: Relation,
): Set<string>[] {
  const index = new ScopeIndex<Claimed>();
  for (const each of holders) index.add(each);
  return wants.map((want) => {
    const found = new Set<string>();
    const own = new Set(agentsOf(want));
    for (const request of want.requests) {
      const isOther = ({ agent }: Claimed): boolean =>
        !found.has(agent) && !own.has(agent) && !areRelated(request.agent, agent);
      for (const { scope } of index.overlapsWith(request, isOther)) found.add(scope.agent);
    }
    return found;
  });
}

/** Of each want, the younger ones that overlap with it, by their places. */
function youngerInTheWay(wants: readonly Want[], areRelated: Relation): number[][] {
  const younger: number[][] = wants.map(() => []);
  const index = new ScopeIndex<Claimed & { at: number }>();
  wants.forEach((want, at) => {
    const own = new Set(agentsOf(want));
    const older = new Set<number>();
    for (const request of want.requests) {
      const isOther = (each: Claimed & { at: number }): boolean => {
        if (older.has(each.at) || own.has(each.agent)) return false;
        if (areRelated(request.agent, each.agent)) return false;
        return !agentsOf(wants[each.at] as Want).includes(request.agent);
      };
      for (const { scope } of index.overlapsWith(request, isOther)) older.add(scope.at);
    }
    for (const each of older) younger[each]?.push(at);
    for (const request of want.requests) index.add({ ...request, at });
  });
  return younger;
}
