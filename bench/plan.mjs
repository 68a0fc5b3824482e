// Planning many requests at once, by this code and by that of 0.1.0.

import { crowded, scopes, somewhatCrowded } from './claims-data.mjs';
import { CLAIMS, timeWork } from './claims-work.mjs';
import { buildFirstRelease } from './first-release.mjs';
import { compare, interleave } from './measure.mjs';
import { row } from './report.mjs';

export async function measurePlans(bench, rounds) {
  const requests = scopes(200, 50);
  const directory = bench.directory('plan');
  const many = bench.input(crowded(requests));
  const few = bench.input(somewhatCrowded(requests));
  const first = buildFirstRelease(bench.root);
  const plan = (input, module) => () => timeWork('plan', input, directory, bench.root, module);
  const contestants = { many: plan(many, CLAIMS), few: plan(few, CLAIMS) };
  if (first.claims !== undefined) contestants.first = plan(many, first.claims);
  const samples = await interleave(contestants, rounds);
  const times = (name) => samples[name].map(([milliseconds]) => milliseconds);
  const [[, , found]] = samples.many;
  const counts = `${found[0]} conflicts, ${found[1]} waves`;
  return {
    budgets: { plan: first.reason === undefined ? againstFirst() : { reason: first.reason } },
    rows: [
      row({
        what: 'planning 200 requests of 50 entries, few conflicts',
        values: times('few'),
        unit: 'ms',
        detail: `${samples.few[0][2][0]} conflicts, ${samples.few[0][2][1]} waves`,
      }),
      row({
        what: 'planning 200 requests of 50 entries, many conflicts',
        values: times('many'),
        unit: 'ms',
        detail: counts,
      }),
    ],
  };

  function againstFirst() {
    const [[, , before]] = samples.first;
    if (before.join() !== found.join()) {
      throw new Error(`plan found ${found.join(', ')}, in 0.1.0 ${before.join(', ')}`);
    }
    const compared = compare(times('many'), times('first'), 'ms');
    return { ...compared, detail: `${compared.detail}; both find ${counts}` };
  }
}
