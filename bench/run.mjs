// node bench/run.mjs [--quick] [--only NAME]… [--no-verdict] [--write]
//
// Measures Holdfast against its budgets (docs/performance.md) and prints a
// table; a whole run also writes it to docs/performance.md, and a chart beside it;
// a quick one with --write does so too, and says that it was quick. Exits 1 when a
// budget is missed, but for --no-verdict, which is for a busy machine. Needs `npm ci && npm run build`, a C compiler and Linux.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { drawChart } from './chart.mjs';
import { measureClaims } from './claims.mjs';
import { measureElection } from './election.mjs';
import { measureGrowth } from './growth.mjs';
import { measureHandoff } from './handoff.mjs';
import { measurePending } from './pending.mjs';
import { compileLimit, installPeers } from './prepare.mjs';
import { describeMachine, formatReport } from './report.mjs';
import { measureStartUp } from './start-up.mjs';
import { measureUncontended } from './uncontended.mjs';

const groups = {
  uncontended: measureUncontended,
  handoff: measureHandoff,
  pending: measurePending,
  'start-up': measureStartUp,
  claims: measureClaims,
  election: measureElection,
  growth: measureGrowth,
};

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    'no-verdict': { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: Object.keys(groups) },
  },
});
const unknown = values.only.find((name) => !(name in groups));
if (unknown !== undefined) {
  console.error(`no group '${unknown}'; there are: ${Object.keys(groups).join(', ')}`);
  process.exit(64);
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

compileLimit();
const peers = installPeers();
const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const rows = [];
const notes = [];
const sections = [];
const chart = { bars: [], lines: [] };
for (const [name, measure] of Object.entries(groups)) {
  if (!values.only.includes(name)) continue;
  console.error(`${name} …`);
  const result = await measure({ folder, peers, quick: values.quick });
  if (result.title === undefined) rows.push(...result.rows);
  else sections.push(result);
  notes.push(...(result.notes ?? []));
  for (const part of ['bars', 'lines']) chart[part].push(...(result.chart?.[part] ?? []));
}
const format = (part) => formatReport({ notes: [], peers, quick: values.quick, ...part });
const report = [
  format({ rows, notes }),
  ...sections.map((each) => `\n## ${each.title}\n\n${tableOf(format({ rows: each.rows }))}`),
].join('');
console.log(report);
const whole = (!values.quick || values.write) && values.only.length === Object.keys(groups).length;
if (whole) {
  writeFileSync(new URL('../docs/performance.md', import.meta.url), report);
  const caption = describeMachine(peers);
  writeFileSync(
    new URL('../docs/performance.svg', import.meta.url),
    drawChart({ ...chart, caption }),
  );
}
const missed = [rows, ...sections.map((each) => each.rows)]
  .flat()
  .some(({ budget, median }) => median > budget);
process.exit(missed && !values['no-verdict'] ? 1 : 0);

function tableOf(text) {
  return text.slice(text.indexOf('| what |'));
}
