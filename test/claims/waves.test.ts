import { describe, expect, test } from 'vitest';
import { type ClaimRequest, Claims, type Plan } from '../../src/claims.js';
import { generator } from '../support/claims-random.js';
import { status } from '../support/claims-setting.js';

type Edge = [number, number];

const claims = new Claims('/nowhere/locks', { root: '/' });

const nameOf = (vertex: number): string => `agent-${vertex}`;
const vertexOf = (agent: string): number => Number(agent.slice('agent-'.length));

/** Requests that conflict exactly along the edges: each edge is a file that two ask for. */
function requestsOf(count: number, edges: Edge[]): ClaimRequest[] {
  return Array.from({ length: count }, (_, vertex) => ({
    agent: nameOf(vertex),
    files: [
      `own-${vertex}`,
      ...edges.filter((edge) => edge.includes(vertex)).map(([a, b]) => `edge-${a}-${b}`),
    ],
  }));
}

/** The fewest waves, by trying all; `later` are kept out of the first. */
function fewest(count: number, edges: Edge[], later: Set<number> = new Set()): number {
  const neighbours = Array.from({ length: count }, (_, vertex) =>
    edges.filter((edge) => edge.includes(vertex)).map(([a, b]) => (a === vertex ? b : a)),
  );
  const colours: number[] = [];
  const fits = (vertex: number, most: number, used: number): boolean => {
    if (vertex === count) return true;
    // Of waves that nobody has yet one is as good as another, but for the first.
    const end = Math.min(most, used + 1 + (later.size > 0 ? 1 : 0));
    for (let colour = later.has(vertex) ? 1 : 0; colour < end; colour++) {
      if (neighbours[vertex]?.some((other) => other < vertex && colours[other] === colour))
        continue;
      colours[vertex] = colour;
      if (fits(vertex + 1, most, Math.max(used, colour + 1))) return true;
    }
    return false;
  };
  let most = 1;
  while (!fits(0, most, 0)) most++;
  return most;
}

/** Every agent once, in the order of the requests, and no edge within a wave. */
function checkWaves(plan: Plan, count: number, edges: Edge[]): void {
  const waves = plan.waves.map((wave) => wave.map(vertexOf));
  expect(waves.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, v) => v));
  for (const wave of waves) {
    expect(wave.length).toBeGreaterThan(0);
    expect(wave).toEqual([...wave].sort((a, b) => a - b));
    for (const [a, b] of edges) expect(wave.includes(a) && wave.includes(b)).toBe(false);
  }
  const named = plan.conflicts.map(({ agents }) => agents.map(vertexOf).join());
  const sorted = [...edges].sort((x, y) => x[0] - y[0] || x[1] - y[1]);
  expect(named).toEqual(sorted.map((edge) => edge.join()));
}

function randomEdges(count: number, percent: number, next: (below: number) => number): Edge[] {
  const edges: Edge[] = [];
  for (let a = 0; a < count; a++) {
    for (let b = a + 1; b < count; b++) if (next(100) < percent) edges.push([a, b]);
  }
  return edges;
}

const cycle = (count: number): Edge[] =>
  Array.from({ length: count }, (_, at): Edge => {
    const next = (at + 1) % count;
    return at < next ? [at, next] : [next, at];
  });

const complete = (count: number): Edge[] => randomEdges(count, 100, () => 0);

/** The Grötzsch graph: without a triangle, and yet 4. */
function mycielski(count: number, edges: Edge[]): [number, Edge[]] {
  const more = edges.flatMap(([a, b]): Edge[] => [
    [a, count + b],
    [b, count + a],
  ]);
  const top = Array.from({ length: count }, (_, at): Edge => [count + at, 2 * count]);
  return [2 * count + 1, [...edges, ...more, ...top]];
}

/** Two sides, each joined with all of the other but its own: greedy may take half of it. */
function crown(half: number): Edge[] {
  const edges: Edge[] = [];
  for (let a = 0; a < half; a++) {
    for (let b = 0; b < half; b++) {
      // Side by side in the order, which is the worst for greedy.
      if (a !== b) edges.push([Math.min(2 * a, 2 * b + 1), Math.max(2 * a, 2 * b + 1)]);
    }
  }
  return edges;
}

function wheel(rim: number): [number, Edge[]] {
  return [rim + 1, [...cycle(rim), ...Array.from({ length: rim }, (_, at): Edge => [at, rim])]];
}

function petersen(): Edge[] {
  const edges: Edge[] = [];
  for (let at = 0; at < 5; at++) {
    edges.push([at, (at + 1) % 5], [at, at + 5], [5 + at, 5 + ((at + 2) % 5)]);
  }
  return edges.map(([a, b]): Edge => (a < b ? [a, b] : [b, a]));
}

describe('waves', () => {
  test('are as few as trying all finds, on random graphs', { tags: ['long'] }, () => {
    const next = generator(20260117);
    for (let turn = 0; turn < 400; turn++) {
      const count = 1 + next(9);
      const edges = randomEdges(count, 10 + next(80), next);
      const plan = claims.plan(requestsOf(count, edges));
      checkWaves(plan, count, edges);
      expect({ edges, waves: plan.waves.length }).toEqual({ edges, waves: fewest(count, edges) });
    }
  });

  test('are as few as trying all finds where some must wait for existing claims', () => {
    const next = generator(42);
    for (let turn = 0; turn < 300; turn++) {
      const count = 2 + next(7);
      const edges = randomEdges(count, 10 + next(70), next);
      const later = new Set(
        Array.from({ length: count }, (_, at) => at).filter(() => next(3) === 0),
      );
      // Somebody who is free keeps the first wave from being empty.
      const requests = [...requestsOf(count, edges), { agent: `agent-${count}` }];
      const existing = [...later].map((at) => status(`old-${at}`, [`own-${at}`]));
      const { waves, conflicts } = claims.plan(requests, { existing });
      for (const at of later) expect(waves[0]).not.toContain(nameOf(at));
      expect(conflicts).toHaveLength(edges.length + later.size);
      expect({ edges, later, waves: waves.length }).toEqual({
        edges,
        later,
        waves: fewest(count, edges, later),
      });
    }
  });

  const known: [name: string, count: number, edges: Edge[], waves: number][] = [
    ['a cycle of 13', 13, cycle(13), 3],
    ['a cycle of 16', 16, cycle(16), 2],
    ['all of 12', 12, complete(12), 12],
    ['all of 16', 16, complete(16), 16],
    ['the Grötzsch graph', ...mycielski(5, cycle(5)), 4],
    ['the graph of Mycielski of a cycle of 7', ...mycielski(7, cycle(7)), 4],
    ['a wheel with 15 on the rim', ...wheel(15), 4],
    ['a wheel with 14 on the rim', ...wheel(14), 3],
    ['the Petersen graph', 10, petersen(), 3],
    ['a crown of 12', 12, crown(6), 2],
    ['a crown of 16', 16, crown(8), 2],
    ['none of 16', 16, [], 1],
  ];

  test.each(known)('of %s are as few as can be', (_name, count, edges, waves) => {
    const plan = claims.plan(requestsOf(count, edges));
    checkWaves(plan, count, edges);
    expect(plan.waves).toHaveLength(waves);
  });

  test('of random graphs with 16 are as few as trying all finds', () => {
    const next = generator(7);
    for (const percent of [15, 30, 50, 70, 90]) {
      const edges = randomEdges(16, percent, next);
      const plan = claims.plan(requestsOf(16, edges));
      checkWaves(plan, 16, edges);
      expect(plan.waves).toHaveLength(fewest(16, edges));
    }
  });

  test('are minimal in each part that hangs together, however many parts there are', () => {
    const edges: Edge[] = [];
    for (let part = 0; part < 10; part++) {
      for (const [a, b] of cycle(5)) edges.push([part * 5 + a, part * 5 + b]);
    }
    const plan = claims.plan(requestsOf(50, edges));
    checkWaves(plan, 50, edges);
    expect(plan.waves).toHaveLength(3);
  });

  test('beyond 16 are no more than greedy by degree takes', { tags: ['long'] }, () => {
    const next = generator(99);
    for (let turn = 0; turn < 25; turn++) {
      const count = 17 + next(30);
      const edges = randomEdges(count, 5 + next(60), next);
      const neighbours = Array.from({ length: count }, (_, vertex) =>
        edges.filter((edge) => edge.includes(vertex)).map(([a, b]) => (a === vertex ? b : a)),
      );
      const colours = new Map<number, number>();
      const byDegree = neighbours
        .map((list, vertex) => ({ vertex, degree: list.length }))
        .sort((a, b) => b.degree - a.degree || a.vertex - b.vertex);
      for (const { vertex } of byDegree) {
        let colour = 0;
        while (neighbours[vertex]?.some((other) => colours.get(other) === colour)) colour++;
        colours.set(vertex, colour);
      }
      const plan = claims.plan(requestsOf(count, edges));
      checkWaves(plan, count, edges);
      expect(plan.waves.length).toBeLessThanOrEqual(Math.max(...colours.values()) + 1);
    }
  });

  test('and conflicts are the same for the same requests', () => {
    const next = generator(3);
    for (const count of [9, 16, 30]) {
      const edges = randomEdges(count, 40, next);
      const requests = requestsOf(count, edges);
      const [once, again] = [claims.plan(requests), new Claims('/elsewhere', { root: '/' })];
      expect(again.plan(structuredClone(requests))).toEqual(once);
    }
  });

  test('of nobody are none, and of one are one', () => {
    expect(claims.plan([])).toEqual({ waves: [], conflicts: [] });
    expect(claims.plan([{ agent: 'a', files: ['x'] }])).toEqual({ waves: [['a']], conflicts: [] });
  });

  test('have agents that claim nothing in the first wave, whatever the others do', () => {
    const requests = [...requestsOf(5, complete(5)), { agent: 'reviewer' }];
    requests.splice(2, 0, { agent: 'reader', files: [], directories: [] });
    const { waves, conflicts } = claims.plan(requests, {
      existing: [status('old', ['**'])],
    });
    expect(waves[0]).toEqual(['reader', 'reviewer']);
    expect(waves).toHaveLength(6);
    expect(conflicts.some(({ agents }) => agents.includes('reviewer'))).toBe(false);
  });

  test('do not mind a scope of which except leaves nothing', () => {
    const requests = [
      { agent: 'a', files: ['x'], except: ['x'] },
      { agent: 'b', files: ['x'] },
    ];
    expect(claims.plan(requests)).toEqual({ waves: [['a', 'b']], conflicts: [] });
  });
});
