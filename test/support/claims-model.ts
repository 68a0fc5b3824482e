// A few agents that claim, wait, shrink and die, and the tested rules. Plain bits
// say what must never happen: the judge does not use the library's scopes.
import type { Claimed, ClaimPart } from '../../src/claims/model.js';
import { parsePattern } from '../../src/claims/parse-pattern.js';
import { Waits, type Want } from '../../src/claims/wants.js';

export interface World {
  agents: number;
  paths: number;
  /** Wants that an agent may have at the same time. */
  most?: number;
  /** The last agent is a child of the first. */
  family?: boolean;
  /** A want may be for two agents at once. */
  together?: boolean;
  /** A grant may replace what the agent has, and a waiter may give up a path. */
  replaces?: boolean;
  /** Waiters may be stopped, and go on. */
  stops?: boolean;
  /** Waiters look for a circle when they begin alone, and not at every look. */
  looksOnce?: boolean;
}

export interface ModelWant {
  /** An agent, and the bits of the paths that it wants. */
  parts: [agent: number, mask: number][];
  stale: boolean;
  /** Granted, it is all that its agents have. */
  replaces: boolean;
}

export interface State {
  /** What each agent holds. */
  holds: number[];
  /** The oldest first. */
  wants: ModelWant[];
}

/** What the rules say about the wants of a state. */
export interface Verdicts {
  isBlocked(at: number): boolean;
  isRefused(at: number): boolean;
}

export type Rules = (state: State, world: World) => Verdicts;

export const NAMES = ['A', 'B', 'C', 'D'];
const ROOT = { path: '/', real: '/', ignoresCase: false };
export const PATHS = ['p', 'q', 'r', 's'];
const PATTERNS = PATHS.map((path) => parsePattern(path, 'file', ROOT, 'path'));
const claims = new Map<string, Claimed>();

function claimOf(agent: number, mask: number): Claimed {
  const key = `${agent} ${mask}`;
  let claim = claims.get(key);
  if (claim === undefined) {
    const patterns = PATTERNS.filter((_, bit) => (mask & (1 << bit)) !== 0);
    const part: ClaimPart = { patterns, except: [], tree: null, by: 'hand', touched: null };
    claim = {
      agent: NAMES[agent] as string,
      parts: [part],
      task: null,
      expiresAt: null,
      pid: null,
    };
    claims.set(key, claim);
  }
  return claim;
}

/** The rules of the library. */
export const rules: Rules = ({ holds, wants }, { agents, family = false }) => {
  const [first, last] = [NAMES[0] as string, NAMES[agents - 1]];
  const all: Want[] = wants.map(({ parts, stale }) => ({
    requests: parts.map(([agent, mask]) => claimOf(agent, mask)),
    stale,
  }));
  const holders = holds.map((mask, agent) => claimOf(agent, mask)).filter((_, at) => holds[at]);
  const waits = new Waits(all, holders, (agent) => (family && agent === last ? first : null));
  return {
    isBlocked: (at) => waits.ahead(at).length > 0,
    isRefused: (at) => waits.circle(at) !== null,
  };
};

export const has = ({ parts }: ModelWant, agent: number): boolean =>
  parts.some(([each]) => each === agent);

export function isRelated({ agents, family = false }: World, one: number, other: number): boolean {
  if (one === other) return true;
  return family && Math.min(one, other) === 0 && Math.max(one, other) === agents - 1;
}

export function holdersOf(state: State, want: ModelWant, world: World): number[] {
  return state.holds.flatMap((mask, holder) => {
    const isInTheWay = want.parts.some(
      ([agent, wanted]) => (mask & wanted) !== 0 && !isRelated(world, agent, holder),
    );
    return isInTheWay && !has(want, holder) ? [holder] : [];
  });
}

/** Whether two wants overlap. */
export function meet(one: ModelWant, other: ModelWant, world: World): boolean {
  return one.parts.some(([a, mask]) =>
    other.parts.some(
      ([b, wanted]) =>
        (mask & wanted) !== 0 && !has(one, b) && !has(other, a) && !isRelated(world, a, b),
    ),
  );
}

export function granted({ holds, wants }: State, at: number): State {
  const next = holds.slice();
  const { parts, replaces } = wants[at] as ModelWant;
  for (const [agent, mask] of parts) next[agent] = replaces ? mask : (next[agent] as number) | mask;
  return { holds: next, wants: wants.filter((_, index) => index !== at) };
}

export const without = ({ holds, wants }: State, at: number): State => ({
  holds,
  wants: wants.filter((_, index) => index !== at),
});
