// All states that the agents of the model can reach under the tested rules.
import {
  granted,
  has,
  holdersOf,
  isRelated,
  type ModelWant,
  meet,
  type Rules,
  type State,
  type Verdicts,
  type World,
  without,
} from './claims-model.js';
import { canonicalIn, requestsIn, show, textOf } from './claims-model-states.js';

/** Each kind of reachable problem, with one example, and the number of states. */
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
  /** A newcomer holds nothing that an older want could wait for. */
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

/** An agent that waits for nothing ends. */
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
