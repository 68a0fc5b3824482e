import { conflictsAmong } from './conflicts.js';
import type { Related } from './family.js';
import type { Claimed } from './model.js';
import type { Plan } from './types.js';
import { colour } from './waves.js';

/**
 * Who can work at the same time. A request that overlaps with an existing
 * claim is not in the first wave: that agent is at work already.
 */
export function makePlan(
  requests: readonly Claimed[],
  existing: readonly Claimed[],
  areRelated?: Related,
): Plan {
  const asked = new Set(requests.map(({ agent }) => agent));
  const others = existing.filter(({ agent }) => !asked.has(agent));
  const conflicts = conflictsAmong(requests, others, areRelated);
  const place = new Map(requests.map(({ agent }, index) => [agent, index]));
  const neighbours = requests.map(() => new Set<number>());
  const later = new Set<number>();
  for (const { agents } of conflicts) {
    const one = place.get(agents[0]) as number;
    const other = place.get(agents[1]);
    if (other === undefined) later.add(one);
    else {
      neighbours[one]?.add(other);
      neighbours[other]?.add(one);
    }
  }
  return { waves: wavesOf(requests, colour(neighbours, later)), conflicts };
}

function wavesOf(requests: readonly Claimed[], colours: readonly number[]): string[][] {
  const waves: string[][] = [];
  requests.forEach(({ agent }, index) => {
    const wave = colours[index] as number;
    while (waves.length <= wave) waves.push([]);
    waves[wave]?.push(agent);
  });
  return waves.filter((wave) => wave.length > 0);
}
