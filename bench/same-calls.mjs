// Checks the limit: with strace, one cycle of ours and one of limit.c must make
// the same system calls.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHILDREN, LIMIT } from './prepare.mjs';

function callsOf(folder, command) {
  const output = join(folder, 'strace');
  const { status, error } = spawnSync('strace', ['-o', output, ...command], { timeout: 30_000 });
  if (error !== undefined || status !== 0) return null;
  const text = readFileSync(output, 'utf8');
  const between = text.slice(text.indexOf('bench-mark-begin'), text.indexOf('bench-mark-end'));
  // Name and result, but for descriptors and for the length of a record, in
  // which a pid may have a digit more.
  return between
    .split('\n')
    .slice(1, -1)
    .map((line) =>
      line.replace(/^(\w+)\(.* = (-?\d+).*$/, (_, name, result) => call(name, result)),
    );
}

function call(name, result) {
  return name === 'openat' || name === 'pwrite64' ? name : `${name} ${result}`;
}

/** One sentence for the report. */
export function compareCalls(folder, lengths) {
  const differences = [];
  for (const [kind, sizes] of Object.entries({ plain: [], json: lengths })) {
    const file = join(folder, `trace-${kind}`);
    const c = callsOf(folder, [LIMIT, 'trace', `${file}-c`, ...sizes]);
    const ours = callsOf(folder, [process.execPath, join(CHILDREN, 'trace.mjs'), file, kind]);
    if (c === null || ours === null) return 'System calls not compared: strace does not run here.';
    if (c.join() !== ours.join()) {
      differences.push(`${kind}: ours ${ours.join(', ')}; C ${c.join(', ')}`);
    }
  }
  return differences.length === 0
    ? 'System calls of both cycles compared by strace: the same in C and in Holdfast.'
    : `SYSTEM CALLS DIFFER, so the limit is not the limit. ${differences.join('. ')}`;
}
