// Scope claims: adding one beside many, and how that and planning grow. Each
// time is the CPU time of a process of its own, which has compiled nothing yet.
import { rmSync } from 'node:fs';
import { ClaimsFolder, DAY, literal, scope, scopes } from './claims-data.mjs';
import { startWork, timeWork } from './claims-work.mjs';
import { aside } from './cpus.mjs';
import { compare, interleave, median, ratios } from './measure.mjs';
import { measurePlans } from './plan.mjs';
import { row } from './report.mjs';

const SIZES = [1000, 2000, 4000, 8000, 16_000, 32_000];

// The new claim: as the others, and one with tests of all packages.
const NEW = scope('newcomer', 20);
const TESTER = { ...NEW, files: [...NEW.files.slice(1), 'packages/*/src/**/*_test.go'] };

async function measureAdding(bench, rounds) {
  const existing = scopes(1000, 20);
  const unbound = bench.claimed('unbound', existing);
  const bound = bench.directory('bound');
  const all = bench.input(existing.map((each) => ({ ...each, bind: true, ttl: DAY })));
  const holder = startWork('hold', all, bound, bench.root);
  await holder.hear();
  const none = bench.directory('none');
  const [usual, tester] = [NEW, TESTER].map((each) => bench.input([each]));
  const contestants = {
    usual: () => timeWork('claim', usual, unbound, bench.root),
    read: () => timeWork('read', usual, unbound, bench.root),
    tester: () => timeWork('claim', tester, unbound, bench.root),
    bound: () => timeWork('claim', usual, bound, bench.root),
    none: () => timeWork('claim', usual, none, bench.root),
  };
  await interleave(contestants, 2);
  const samples = await interleave(contestants, rounds);
  await holder.kill();
  const inside = (name) => samples[name].map(([milliseconds]) => milliseconds);
  const imported = median(samples.usual.map(([, milliseconds]) => milliseconds)).toFixed(1);
  const alone = median(inside('none')).toFixed(1);
  const usualCost = compare(inside('usual'), inside('read'), 'ms');
  const against = (what, name) =>
    row({
      what: `the same claim ${what}, against reading and parsing`,
      unit: '×',
      ...compare(inside(name), inside('read'), 'ms'),
    });
  return {
    budgets: {
      claim: {
        ...usualCost,
        detail: `${usualCost.detail}; with the import ${imported} ms; beside none ${alone} ms`,
      },
    },
    rows: [
      against('with `packages/*/src/**/*_test.go` among the 20', 'tester'),
      against('beside 1,000 that are bound and held', 'bound'),
    ],
  };
}

/** Time per entry; with few of them it is what a process compiles first. */
async function measureGrowth(bench, rounds, sizes) {
  const empty = bench.directory('growth');
  const one = bench.input([NEW]);
  const contestants = {};
  for (const size of sizes) {
    const requests = literal(size);
    const input = bench.input(requests);
    const claimed = bench.claimed(`growth-${size}`, requests);
    contestants[`plan ${size}`] = () => timeWork('plan', input, empty, bench.root);
    contestants[`claim ${size}`] = () => timeWork('claim', one, claimed, bench.root);
  }
  await interleave(contestants, 1);
  const samples = await interleave(contestants, rounds);
  const times = (what, size) => samples[`${what} ${size}`].map(([milliseconds]) => milliseconds);
  const [smaller, largest] = [sizes[2], sizes.at(-1)];
  const titles = {
    plan: 'planning, literal paths',
    claim: 'adding a claim beside others, literal paths',
  };
  return Object.entries(titles).map(([what, title]) => {
    const perEntry = (size) => times(what, size).map((milliseconds) => milliseconds / size);
    return row({
      what: `${title}: time per entry with ${largest} entries, against ${smaller}`,
      values: ratios(perEntry(largest), perEntry(smaller)),
      unit: '×',
      most: 1.5,
      detail: sizes
        .map((size) => `${size / 1000}k ${(median(perEntry(size)) * 1000).toFixed(2)} µs`)
        .join(', '),
    });
  });
}

export async function measureClaims({ folder, quick }) {
  const bench = new ClaimsFolder(folder);
  try {
    return await aside(async () => {
      const adding = await measureAdding(bench, quick ? 8 : 40);
      const plans = await measurePlans(bench, quick ? 2 : 15);
      const growth = await measureGrowth(bench, quick ? 2 : 15, SIZES);
      return {
        title: 'Scope claims',
        budgets: { ...adding.budgets, ...plans.budgets },
        rows: [...adding.rows, ...plans.rows, ...growth],
      };
    });
  } finally {
    rmSync(bench.root, { recursive: true, force: true });
  }
}
