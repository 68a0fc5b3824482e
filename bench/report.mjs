// The table, and what it was measured on.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { summarize } from './measure.mjs';

/**
 * A figure: the median of `values` against a `budget`, which is the most it
 * may be; without one it is for information.
 */
export function row({ what, values, unit, budget, detail = '' }) {
  return { what, ...summarize(values), unit, budget, detail };
}

export function skipped(what, reason) {
  return { what, reason };
}

function figure(value, unit) {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return unit === '×' ? `${value.toFixed(2)} ×` : `${value.toFixed(digits)} ${unit}`;
}

function verdict({ median, budget }) {
  if (budget === undefined) return '';
  return median <= budget ? 'pass' : '**miss**';
}

function line(entry) {
  if (entry.reason !== undefined)
    return `| ${entry.what} | not measured: ${entry.reason} | | | | |`;
  const { what, median, low, high, unit, budget, detail } = entry;
  const spread = `${figure(low, unit)} to ${figure(high, unit)}`;
  const most = budget === undefined ? '' : `${budget} ${unit}`;
  return `| ${what} | ${figure(median, unit)} | ${spread} | ${most} | ${verdict(entry)} | ${detail} |`;
}

export function describeMachine(peers) {
  const cpu = os.cpus()[0]?.model.trim() ?? 'unknown CPU';
  const load = readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 2).join(' ');
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  return [
    `Holdfast ${version}${commit()}, ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC.`,
    `${os.cpus().length} × ${cpu}, ${os.type()} ${os.release()}, ${fileSystem(os.tmpdir())}, load ${load}.`,
    `Node ${process.version}, ${Object.entries(peers)
      .map(([name, peerVersion]) => `${name} ${peerVersion}`)
      .join(', ')}.`,
  ].join(' ');
}

function commit() {
  try {
    const options = { cwd: new URL('.', import.meta.url), encoding: 'utf8' };
    return ` (${execFileSync('git', ['describe', '--always', '--dirty'], options).trim()})`;
  } catch {
    return '';
  }
}

function fileSystem(path) {
  const options = { encoding: 'utf8' };
  return execFileSync('stat', ['-f', '-c', '%T', path], options).trim();
}

export function formatReport({ rows, notes, peers, quick }) {
  return [
    '# Performance',
    '',
    `${describeMachine(peers)}${quick ? ' Quick run: few rounds.' : ''}`,
    '',
    'Medians with quartiles; ratios are taken round by round within one run. By `node bench/run.mjs`.',
    '',
    '| what | measured | quartiles | at most | | |',
    '|---|---|---|---|---|---|',
    ...rows.map(line),
    '',
    ...notes.map((note) => `${note}\n`),
  ].join('\n');
}
