/**
 * Assigns vertices to waves, numbered from 0, with as few waves as possible.
 * An edge joins two vertices that may not share a wave; the vertices in `later`
 * cannot be in the first one.
 *
 * This is graph colouring: Brélaz, "New methods to color the vertices of a
 * graph" (1979). Exact for connected parts of up to 16 vertices; beyond that,
 * the better of DSATUR and greedy by degree. The same input always gives the
 * same result.
 */
export function colour(
  neighbours: readonly ReadonlySet<number>[],
  later: ReadonlySet<number>,
): number[] {
  const colours = new Array<number>(neighbours.length).fill(-1);
  for (const part of components(neighbours)) {
    for (const [vertex, wave] of colourPart(part, neighbours, later)) colours[vertex] = wave;
  }
  return colours;
}

const EXACT_LIMIT = 16;

type Colouring = Map<number, number>;

function components(neighbours: readonly ReadonlySet<number>[]): number[][] {
  const seen = new Set<number>();
  const parts: number[][] = [];
  for (let start = 0; start < neighbours.length; start++) {
    if (seen.has(start)) continue;
    const part = [start];
    seen.add(start);
    for (const vertex of part) {
      for (const next of neighbours[vertex] ?? []) {
        if (seen.has(next)) continue;
        seen.add(next);
        part.push(next);
      }
    }
    parts.push(part.sort((a, b) => a - b));
  }
  return parts;
}

function colourPart(
  part: number[],
  neighbours: readonly ReadonlySet<number>[],
  later: ReadonlySet<number>,
): Colouring {
  const degree = (vertex: number): number => neighbours[vertex]?.size ?? 0;
  const byDegree = [...part].sort((a, b) => degree(b) - degree(a) || a - b);
  const graph = { neighbours, later };
  const greedy = byDegree.reduce((colouring: Colouring, vertex) => {
    return colouring.set(vertex, free(vertex, colouring, graph));
  }, new Map());
  const saturated = dsatur(part, graph);
  const best = count(saturated) < count(greedy) ? saturated : greedy;
  return part.length <= EXACT_LIMIT ? improve(part, best, graph) : best;
}

interface Graph {
  neighbours: readonly ReadonlySet<number>[];
  later: ReadonlySet<number>;
}

function count(colouring: Colouring): number {
  return Math.max(...colouring.values()) + 1;
}

function taken(vertex: number, colouring: Colouring, { neighbours, later }: Graph): Set<number> {
  const colours = new Set<number>(later.has(vertex) ? [0] : []);
  for (const next of neighbours[vertex] ?? []) {
    const wave = colouring.get(next);
    if (wave !== undefined) colours.add(wave);
  }
  return colours;
}

function free(vertex: number, colouring: Colouring, graph: Graph): number {
  const colours = taken(vertex, colouring, graph);
  let wave = 0;
  while (colours.has(wave)) wave++;
  return wave;
}

/** The vertex with the fewest waves left; among equals, the one with most neighbours. */
function tightest(part: number[], colouring: Colouring, graph: Graph): number | null {
  let best: number | null = null;
  let most = [-1, -1];
  for (const vertex of part) {
    if (colouring.has(vertex)) continue;
    const now = [taken(vertex, colouring, graph).size, graph.neighbours[vertex]?.size ?? 0];
    if (
      best === null ||
      (now[0] as number) > (most[0] as number) ||
      (now[0] === most[0] && (now[1] as number) > (most[1] as number))
    ) {
      best = vertex;
      most = now;
    }
  }
  return best;
}

function dsatur(part: number[], graph: Graph): Colouring {
  const colouring: Colouring = new Map();
  for (;;) {
    const vertex = tightest(part, colouring, graph);
    if (vertex === null) return colouring;
    colouring.set(vertex, free(vertex, colouring, graph));
  }
}

/** Branch and bound: tries every wave below the best number so far. */
function improve(part: number[], known: Colouring, graph: Graph): Colouring {
  let best = known;
  const colouring: Colouring = new Map();
  const extend = (used: number): void => {
    if (used >= count(best)) return;
    const vertex = tightest(part, colouring, graph);
    if (vertex === null) {
      best = new Map(colouring);
      return;
    }
    const colours = taken(vertex, colouring, graph);
    // All waves that are not in use yet are alike, except the first.
    for (let wave = 0; wave <= used + (used === 0 ? 1 : 0) && wave < count(best) - 1; wave++) {
      if (colours.has(wave)) continue;
      colouring.set(vertex, wave);
      extend(Math.max(used, wave + 1));
      colouring.delete(vertex);
    }
  };
  extend(0);
  return best;
}
