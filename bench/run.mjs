// node bench/run.mjs [--quick] [--only NAME]… [--no-verdict] [--write]
//
// Measures Holdfast against its budgets, C and its peers, and prints what becomes
// bench/README.md: see there for the options. Exits 1 if a budget is missed or
// the README has other figures, unless --no-verdict says that the machine is
// busy. Needs `npm ci && npm run build`, a C compiler and Linux.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { drawChart } from './chart.mjs';
import { measureClaims } from './claims.mjs';
import { measureCrash } from './crash.mjs';
import { measureElection } from './election.mjs';
import { measureEngines } from './engines.mjs';
import { measureGrowth } from './growth.mjs';
import { measureHandoff } from './handoff.mjs';
import { describeMachine } from './machine.mjs';
import { measureMessages } from './messages.mjs';
import { formatPage } from './page.mjs';
import { measurePending } from './pending.mjs';
import { compilePrograms, installPeers } from './prepare.mjs';
import { compareReadme } from './readme-figures.mjs';
import { budgetRows, formatReport, isMissed } from './report.mjs';
import { measureSeveral } from './several.mjs';
import { measureSlots } from './slots.mjs';
import { measureStartUp } from './start-up.mjs';
import { measureUncontended } from './uncontended.mjs';
import { measureUpdate } from './update.mjs';

const groups = {
  uncontended: measureUncontended,
  handoff: measureHandoff,
  crash: measureCrash,
  pending: measurePending,
  'start-up': measureStartUp,
  claims: measureClaims,
  election: measureElection,
  update: measureUpdate,
  slots: measureSlots,
  messages: measureMessages,
  engines: measureEngines,
  growth: measureGrowth,
  several: measureSeveral,
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

compilePrograms();
const { quick } = values;
const peers = installPeers();
const machine = describeMachine(peers);
const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const measured = {};
const figures = {};
const [rows, sections, notes] = [[], [], []];
for (const [name, measure] of Object.entries(groups)) {
  if (!values.only.includes(name)) continue;
  const start = performance.now();
  const result = await measure({ folder, peers, quick });
  console.error(`${name}: ${((performance.now() - start) / 1000).toFixed(0)} s`);
  Object.assign(measured, result.budgets);
  Object.assign(figures, result.figures);
  if (result.title === undefined) rows.push(...result.rows);
  else sections.push(result);
  notes.push(...(result.notes ?? []));
}
const budgets = budgetRows(measured);
const report = formatReport({ budgets, rows, sections, notes, machine, quick });
console.log(report);

const isWhole = values.only.length === Object.keys(groups).length;
const disagreement = isWhole ? writePages() : null;
if (disagreement !== null) console.error(disagreement);
const isBad = disagreement !== null || budgets.some(isMissed);
process.exit(isBad && !values['no-verdict'] ? 1 : 0);

/** Returns how the README differs from the new pages, or `null`. */
function writePages() {
  const page = formatPage({ figures, machine, quick });
  const isFinal = !quick && machine.isClean;
  const isPublished = isFinal || (quick && values.write);
  const here = (path) => fileURLToPath(new URL(path, import.meta.url));
  mkdirSync(here('build/'), { recursive: true });
  const written = [
    [here(isPublished ? 'README.md' : 'build/README.md'), report],
    [here(isPublished ? '../docs/performance.md' : 'build/performance.md'), page],
    // A chart is believed at a glance, so only full runs draw it.
    [
      here(isFinal ? '../docs/performance.svg' : 'build/performance.svg'),
      drawChart({ figures, machine }),
    ],
  ];
  for (const [file, content] of written) {
    writeFileSync(file, content);
    console.error(`written: ${file}`);
  }
  if (!quick && !machine.isClean) console.error('not published: the tree has changes');
  return isPublished ? compareReadme(readFileSync(here('../README.md'), 'utf8'), page) : null;
}
