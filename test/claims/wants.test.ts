import { describe, expect, test } from 'vitest';
import {
  has,
  holdersOf,
  type ModelWant,
  meet,
  type Rules,
  rules,
  type World,
} from '../support/claims-model.js';
import { explore } from '../support/claims-model-explore.js';

const three: World = { agents: 3, paths: 3 };

describe('whatever three agents do with three paths', () => {
  test('nothing is granted twice, nobody waits forever, no newcomer passes an older want, and a refusal in a circle is right', () => {
    const { troubles, states } = explore(three, rules);
    expect([...troubles]).toEqual([]);
    expect(states).toBe(1416);
  });

  test.for<[string, World]>([
    ['with a parent and its child', { ...three, family: true }],
    ['with waiters that are stopped and go on', { ...three, paths: 2, stops: true }],
    ['with claims that replace others', { ...three, paths: 2, replaces: true }],
    ['with claims for two agents at once', { ...three, paths: 2, together: true }],
  ])('the same %s', ([, world]) => {
    expect([...explore(world, rules).troubles]).toEqual([]);
  });

  test.for<[string, World]>([
    [
      'with claims that replace others, also for two agents',
      { ...three, replaces: true, together: true },
    ],
    ['with two wants each', { ...three, paths: 2, most: 2 }],
    ['with two wants each, a parent and its child', { ...three, paths: 2, most: 2, family: true }],
    ['with waiters that are stopped and go on', { ...three, stops: true }],
  ])('the same with more states, %s', { tags: ['long'], timeout: 300_000 }, ([, world]) => {
    expect([...explore(world, rules).troubles]).toEqual([]);
  });
});

describe('the exploration finds the faults of simpler rules', () => {
  test('without a look for a circle at every look there is a deadlock', () => {
    const { troubles } = explore({ ...three, paths: 2, family: true, looksOnce: true }, rules);
    expect([...troubles.keys()]).toEqual(['deadlock']);
  });

  test('where an older want stops all but the holders in its way, waits form circles of wants', () => {
    const { troubles } = explore(three, exceptHolders);
    expect([...troubles.keys()]).toContain('refused although the holdings form no circle');
  });

  test('where nobody is stopped, newcomers pass', () => {
    const free: Rules = (state, world) => ({
      isBlocked: (at) => holdersOf(state, state.wants[at] as ModelWant, world).length > 0,
      isRefused: (at) => rules(state, world).isRefused(at),
    });
    const { troubles } = explore({ ...three, agents: 2, paths: 2 }, free);
    expect([...troubles.keys()]).not.toContain('overlap');
    expect([...explore({ ...three, paths: 2 }, free).troubles.keys()]).toContain(
      'a newcomer passes an older want',
    );
    expect(troubles.size).toBeLessThan(2);
  });
});

/** An older want stops all agents but those that hold something of it. */
const exceptHolders: Rules = (state, world) => {
  const { wants, holds } = state;
  const next = wants.map((want, at) => {
    const stopping = wants.flatMap((older, index) => {
      if (index >= at || !meet(older, want, world)) return [];
      const isHolder = ([agent]: [number, number]): boolean =>
        older.parts.some(([, mask]) => ((holds[agent] as number) & mask) !== 0);
      return want.parts.some(isHolder) ? [] : [index];
    });
    const holding = holdersOf(state, want, world).flatMap((agent) =>
      wants.flatMap((each, index) => (has(each, agent) ? [index] : [])),
    );
    const isFree = stopping.length === 0 && holdersOf(state, want, world).length === 0;
    return { isFree, wants: [...stopping, ...holding] };
  });
  return {
    isBlocked: (at) => next[at]?.isFree === false,
    isRefused(at) {
      const reached = (from: number): Set<number> => {
        const found = new Set<number>();
        const queue = [from];
        for (const each of queue)
          for (const to of next[each]?.wants ?? [])
            if (!found.has(to)) {
              found.add(to);
              queue.push(to);
            }
        return found;
      };
      const circle = reached(at);
      if (!circle.has(at)) return false;
      return ![...circle].some((each) => each > at && reached(each).has(at));
    },
  };
};
