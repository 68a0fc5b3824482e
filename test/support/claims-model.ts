// All states that a few agents can reach who claim, wait, shrink and die, by the
// rules that are under test. What must never happen is said in plain bits: the
// judge knows nothing of the library's scopes.
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
  /** A grant may replace what the agent has; and who waits may give up a path. */
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

const NAMES = ['A', 'B', 'C', 'D'];
const ROOT = { path: '/', real: '/', ignoresCase: false };
const PATHS = ['p', 'q', 'r', 's'];
const PATTERNS = PATHS.map((path) => parsePattern(path, 'file', ROOT, 'path'));
const claims = new Map<string, Claimed>();

function claimOf(agent: number, mask: number): Claimed {
  const key = `${agent} ${mask}`;
  let claim = claims.get(key);
  if (claim === undefined) {
    const patterns = PATTERNS.filter((_, bit) => (mask & (1 << bit)) !== 0);
    const part: ClaimPart = { patterns, except: [], tree: null, by: 'hand', touched: null };
    claim = { agent: NAMES[agent] as string, parts: [part], task: null, expiresAt: null };
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

function granted({ holds, wants }: State, at: number): State {
  const next = holds.slice();
  const { parts, replaces } = wants[at] as ModelWant;
  for (const [agent, mask] of parts) next[agent] = replaces ? mask : (next[agent] as number) | mask;
  return { holds: next, wants: wants.filter((_, index) => index !== at) };
}

const without = ({ holds, wants }: State, at: number): State => ({
  holds,
  wants: wants.filter((_, index) => index !== at),
});

const show = ({ holds, wants }: State): string => {
  const letters = (mask: number): string => PATHS.filter((_, bit) => mask & (1 << bit)).join('');
  const held = holds.map((mask, agent) => `${NAMES[agent]}=${letters(mask)}`).join(' ');
  const wanted = wants.map(({ parts, stale }) => {
    return (
      parts.map(([agent, mask]) => `${NAMES[agent]}${letters(mask)}`).join('+') + (stale ? '!' : '')
    );
  });
  return `${held} | ${wanted.join(' < ')}`;
};

/** Who waits for nothing ends. */
function letGo(state: State, world: World): State {
  const waits = (agent: number): boolean =>
    state.wants.some((want) =>
      want.parts.some(([each]) => each === agent || (agent === 0 && isRelated(world, 0, each))),
    );
  return { holds: state.holds.map((mask, agent) => (waits(agent) ? mask : 0)), wants: state.wants };
}

/** Whether waits could be served one after the other if `isFree` alone counted. */
function isServed(
  start: State,
  world: World,
  isFree: (state: State, at: number) => boolean,
  isRefused: (state: State, at: number) => boolean,
): boolean {
  // A holder that is stopped is waited for, and rightly.
  const isStopped = ({ parts, stale }: ModelWant): boolean =>
    stale && parts.some(([agent]) => start.holds[agent]);
  if (start.wants.some(isStopped)) return true;
  for (let state = start; ; ) {
    state = letGo(state, world);
    const { wants } = state;
    if (wants.every(({ stale }) => stale)) return true;
    const at = wants.findIndex(({ stale }, index) => !stale && isFree(state, index));
    const refused = at < 0 ? wants.findLastIndex((_, index) => isRefused(state, index)) : -1;
    if (at < 0 && refused < 0) return false;
    state = at < 0 ? without(state, refused) : granted(state, at);
  }
}

function permutations(count: number): number[][] {
  if (count === 0) return [[]];
  return permutations(count - 1).flatMap((each) =>
    Array.from({ length: count }, (_, at) => [...each.slice(0, at), count - 1, ...each.slice(at)]),
  );
}

const textOf = ({ holds, wants }: State): string =>
  `${holds}|${wants.map(({ parts, stale, replaces }) => `${stale ? '!' : ''}${replaces ? 'r' : ''}${parts}`).join('<')}`;

/** One text for all states that differ only in names. */
function canonicalIn({ agents, paths, family = false }: World): (state: State) => string {
  const ways = permutations(agents).filter(
    (each) => !family || (each[0] === 0 && each[agents - 1] === agents - 1),
  );
  const masks = permutations(paths).map((to) =>
    Array.from({ length: 1 << paths }, (_, mask) =>
      to.reduce((sum, place, bit) => sum | (((mask >> bit) & 1) << place), 0),
    ),
  );
  return ({ holds, wants }) => {
    let best = '';
    for (const to of ways) {
      for (const map of masks) {
        const held: (number | undefined)[] = [];
        holds.forEach((mask, agent) => {
          held[to[agent] as number] = map[mask];
        });
        let text = held.join('.');
        for (const { parts, stale, replaces } of wants) {
          const moved = parts.map(([agent, mask]) => `${to[agent]}:${map[mask]}`);
          const mark = `${stale ? '!' : ','}${replaces ? 'r' : ''}`;
          text += mark + (moved.length > 1 ? moved.sort().join('+') : moved[0]);
        }
        if (best === '' || text < best) best = text;
      }
    }
    return best;
  };
}

function requestsIn({ agents, paths, together = false, replaces = false }: World): ModelWant[] {
  const masks = Array.from({ length: (1 << paths) - 1 }, (_, at) => at + 1);
  const all = Array.from({ length: agents }, (_, agent) => agent);
  const single = all.flatMap((agent) => masks.map((mask): ModelWant['parts'] => [[agent, mask]]));
  const pairs = together
    ? single.flatMap(([one]) =>
        single.flatMap(([other]) => {
          const [[a, m], [b, n]] = [one, other] as [[number, number], [number, number]];
          return a < b && (m & n) === 0
            ? [
                [
                  [a, m],
                  [b, n],
                ] as ModelWant['parts'],
              ]
            : [];
        }),
      )
    : [];
  const one = (parts: ModelWant['parts'], isReplacing: boolean): ModelWant => ({
    parts,
    stale: false,
    replaces: isReplacing,
  });
  return [
    ...single.map((parts) => one(parts, false)),
    ...(replaces ? single.map((parts) => one(parts, true)) : []),
    // They would conflict with each other if they kept what they have.
    ...pairs.map((parts) => one(parts, true)),
  ];
}

/** Each kind of trouble that can be reached, with one example; and how many states there are. */
export function explore(
  world: World,
  rulesOf: Rules,
): { troubles: Map<string, string>; states: number } {
  const { agents, paths, most = 1, stops = false, looksOnce = false } = world;
  const canonical = canonicalIn(world);
  const known = new Map<string, Verdicts>();
  const decide: Rules = (state) => {
    const text = textOf(state);
    let verdicts = known.get(text);
    if (verdicts === undefined) {
      verdicts = rulesOf(state, world);
      known.set(text, verdicts);
    }
    return verdicts;
  };
  const requests = requestsIn(world);
  const troubles = new Map<string, string>();
  const report = (kind: string, state: State, more = ''): void => {
    if (!troubles.has(kind)) troubles.set(kind, `${show(state)} ${more}`);
  };
  const start: State = { holds: Array<number>(agents).fill(0), wants: [] };
  const seen = new Set([canonical(start)]);
  const queue = [start];
  const reached = new Set<string>();
  const go = (state: State): void => {
    const text = textOf(state);
    if (reached.has(text)) return;
    reached.add(text);
    for (let one = 0; one < agents; one++)
      for (let other = one + 1; other < agents; other++)
        if (
          !isRelated(world, one, other) &&
          (state.holds[one] as number) & (state.holds[other] as number)
        )
          report('overlap', state);
    const key = canonical(state);
    if (seen.has(key)) return;
    seen.add(key);
    const served = isServed(
      state,
      world,
      (each, at) => !decide(each, world).isBlocked(at),
      (each, at) => !looksOnce && decide(each, world).isRefused(at),
    );
    if (!served) report('deadlock', state);
    queue.push(state);
  };
  /** A newcomer has nothing that an older want could wait for. */
  const checkFairness = (state: State, at: number): void => {
    const want = state.wants[at] as ModelWant;
    const passed = state.wants
      .slice(0, at)
      .some(
        (older, index) =>
          !older.stale && meet(older, want, world) && isNewcomer(state, want, index, world),
      );
    if (passed) report('a newcomer passes an older want', state);
  };
  for (const state of queue) {
    for (const request of requests) {
      const isBusy = ([agent]: [number, number]): boolean =>
        state.wants.filter((want) => has(want, agent)).length >= most;
      const isHeld = ([agent, mask]: [number, number]): boolean =>
        (mask & ~(state.holds[agent] as number)) === 0;
      if (request.parts.some(isBusy)) continue;
      if (!request.replaces && request.parts.every(isHeld)) continue;
      const asked = { holds: state.holds, wants: [...state.wants, request] };
      const at = state.wants.length;
      const verdicts = decide(asked, world);
      if (!verdicts.isBlocked(at)) {
        checkFairness(asked, at);
        go(granted(asked, at));
      } else if (verdicts.isRefused(at)) {
        const isFree = (each: State, index: number): boolean =>
          holdersOf(each, each.wants[index] as ModelWant, world).length === 0;
        // Whether a waiter is stopped makes no difference to that.
        const wants = asked.wants.map((want) => ({ ...want, stale: false }));
        const areServed = isServed({ ...asked, wants }, world, isFree, () => false);
        if (areServed) report('refused although the holdings form no circle', asked);
      } else go(asked);
    }
    state.wants.forEach((want, at) => {
      if (stops) {
        const other = { ...want, stale: !want.stale };
        go({ ...state, wants: state.wants.map((each, index) => (index === at ? other : each)) });
      }
      if (want.stale) return;
      const verdicts = decide(state, world);
      if (!verdicts.isBlocked(at)) {
        checkFairness(state, at);
        go(granted(state, at));
      } else if (!looksOnce && verdicts.isRefused(at)) go(without(state, at));
      go(without(state, at));
    });
    state.holds.forEach((mask, agent) => {
      const waits = state.wants.some((want) => has(want, agent));
      const next = (left: number): number[] =>
        state.holds.map((each, at) => (at === agent ? left : each));
      for (let bit = 0; bit < paths && (!waits || world.replaces === true); bit++)
        if (mask & (1 << bit)) go({ holds: next(mask & ~(1 << bit)), wants: state.wants });
      if (mask || waits)
        go({ holds: next(0), wants: state.wants.filter((want) => !has(want, agent)) });
    });
  }
  return { troubles, states: seen.size };
}

function isNewcomer(state: State, want: ModelWant, before: number, world: World): boolean {
  const older = state.wants.slice(0, before);
  return want.parts.every(([agent]) =>
    state.holds.every(
      (mask, each) =>
        !isRelated(world, agent, each) || (mask === 0 && !older.some((one) => has(one, each))),
    ),
  );
}
