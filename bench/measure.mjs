// The statistics. A figure is never only an absolute time: contestants are
// measured in turns within one run, round by round, and a ratio compares times of
// the same round. The median of those ratios is the figure, their quartiles are
// its spread, and what else the machine was doing hits both sides.

function quantile(sorted, part) {
  const position = (sorted.length - 1) * part;
  const below = Math.floor(position);
  const above = Math.ceil(position);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
}

/** Median and quartiles. */
export function summarize(values) {
  const sorted = [...values].sort((left, right) => left - right);
  return {
    median: quantile(sorted, 0.5),
    low: quantile(sorted, 0.25),
    high: quantile(sorted, 0.75),
    count: sorted.length,
  };
}

export function median(values) {
  return summarize(values).median;
}

/** Round by round: `left` against `right`. */
export function ratios(left, right) {
  return left.map((value, round) => value / right[round]);
}

/** The same with the two medians beside it. */
export function compare(left, right, unit, digits = 1) {
  const figure = (values) => `${median(values).toFixed(digits)} ${unit}`;
  return { values: ratios(left, right), detail: `${figure(left)} against ${figure(right)}` };
}

export function differences(left, right) {
  return left.map((value, round) => value - right[round]);
}

/**
 * Lets each contestant, an async function from nothing to a number, have its
 * turn in every round, and returns the numbers by name. The order changes from
 * round to round, so that none always runs behind the same neighbour.
 */
export async function interleave(contestants, rounds) {
  const names = Object.keys(contestants);
  const samples = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + round) % names.length];
      samples[name][round] = await contestants[name]();
    }
  }
  return samples;
}
