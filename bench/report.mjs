// bench/README.md: every figure, with its quartiles, and what it may be at most.
import { readFileSync } from 'node:fs';
import { BUDGETS } from './budgets.mjs';
import { summarize } from './measure.mjs';

/** A figure: the median of `values`; with a `most`, it may not be above it. */
export function row({ what, values, unit, most, detail = '' }) {
  return { what, ...summarize(values), unit, most, detail };
}

export function skipped(what, reason) {
  return { what, reason };
}

/** The rows of all budgets, from `{ values, detail }` or `{ reason }` by their ids. */
export function budgetRows(measured) {
  return BUDGETS.map(({ id, what, unit, most }) => {
    const { values, detail, reason } = measured[id] ?? { reason: 'left out of this run' };
    return values === undefined ? skipped(what, reason) : row({ what, values, unit, most, detail });
  });
}

export function isMissed({ median, most }) {
  return most !== undefined && median > most;
}

function figure(value, unit) {
  const size = Math.abs(value);
  const digits = unit === '×' || size < 10 ? 2 : size < 100 ? 1 : 0;
  return `${value.toFixed(digits)} ${unit}`;
}

function line(entry) {
  const { what, reason, low, high, unit, most, detail } = entry;
  if (reason !== undefined) return `| ${what} | not measured: ${reason} | | | | |`;
  const cells = [
    figure(entry.median, unit),
    `${figure(low, unit)} to ${figure(high, unit)}`,
    most === undefined ? '' : `${most} ${unit}`,
    most === undefined ? '' : isMissed(entry) ? '**miss**' : 'pass',
    detail,
  ];
  return `| ${[what, ...cells].join(' | ')} |`;
}

function table(rows) {
  return [
    '| what | measured | quartiles | at most | | |',
    '|---|---|---|---|---|---|',
    ...rows.map(line),
  ].join('\n');
}

/** Puts the values at their names, `{{name}}`; there must be one for each. */
export function fillTemplate(name, values) {
  const template = readFileSync(new URL(`templates/${name}`, import.meta.url), 'utf8');
  return template.replaceAll(/\{\{(\w+)\}\}/g, (_, key) => {
    if (values[key] === undefined) throw new Error(`templates/${name}: nothing for ${key}`);
    return values[key];
  });
}

export function formatReport({ budgets, rows, sections, notes, machine, quick }) {
  const { date, subject, processors, system, load, software } = machine;
  const kind = quick ? 'A quick run, of few rounds:' : 'A full run:';
  const unknown = budgets.filter(({ reason }) => reason !== undefined).length;
  const missed = budgets.filter(isMissed).length;
  const kept = budgets.length - unknown - missed;
  return fillTemplate('README.md', {
    run: `${kind} ${subject}, ${date}; ${processors}, ${system}, load ${load}; ${software.join(', ')}.`,
    verdict: `Kept: ${kept}; missed: ${missed}; not measured: ${unknown}.`,
    budgets: table(budgets),
    notes: notes.join('\n\n'),
    others: table(rows),
    sections: sections.map(({ title, rows }) => `## ${title}\n\n${table(rows)}`).join('\n\n'),
  });
}
