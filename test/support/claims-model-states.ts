// How the model's states are counted, and what its agents can ask for.
import { type ModelWant, NAMES, PATHS, type State, type World } from './claims-model.js';

/** As people read it. */
export const show = ({ holds, wants }: State): string => {
  const letters = (mask: number): string => PATHS.filter((_, bit) => mask & (1 << bit)).join('');
  const held = holds.map((mask, agent) => `${NAMES[agent]}=${letters(mask)}`).join(' ');
  const wanted = wants.map(({ parts, stale }) => {
    return (
      parts.map(([agent, mask]) => `${NAMES[agent]}${letters(mask)}`).join('+') + (stale ? '!' : '')
    );
  });
  return `${held} | ${wanted.join(' < ')}`;
};

function permutations(count: number): number[][] {
  if (count === 0) return [[]];
  return permutations(count - 1).flatMap((each) =>
    Array.from({ length: count }, (_, at) => [...each.slice(0, at), count - 1, ...each.slice(at)]),
  );
}

export const textOf = ({ holds, wants }: State): string =>
  `${holds}|${wants.map(({ parts, stale, replaces }) => `${stale ? '!' : ''}${replaces ? 'r' : ''}${parts}`).join('<')}`;

/** One text for all states that differ only in names. */
export function canonicalIn({ agents, paths, family = false }: World): (state: State) => string {
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

/** All wants that there can be. */
export function requestsIn({
  agents,
  paths,
  together = false,
  replaces = false,
}: World): ModelWant[] {
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
