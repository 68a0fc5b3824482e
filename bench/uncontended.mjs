// A free lock, acquired and released: ours against the same system calls in C,
// and against the locks of the peers.
//
// Each contestant is a process of its own that stays; a round asks each for
// one batch of cycles on a file of its own, one process at a time, all on one
// CPU. A batch is some 20 ms of CPU time, which other load hardly changes.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FileLock } from 'holdfast';
import { Child } from './child.mjs';
import { aside, FIRST_CPU } from './cpus.mjs';
import { compare, interleave, median } from './measure.mjs';
import { CHILDREN, LIMIT, lockPeers } from './prepare.mjs';
import { row } from './report.mjs';
import { compareCalls } from './same-calls.mjs';

const BATCH_MILLISECONDS = 20;
const WARM_UP_CYCLES = 20_000;
const SLOW_WARM_UP_CYCLES = 500;

/** The bytes of a record while held and of what a release leaves. */
function recordLengths(file) {
  const lock = FileLock.acquireSync(file);
  const held = readFileSync(file).length;
  lock.releaseSync();
  return [held, readFileSync(file).length];
}

function startAll(folder, peers, lengths) {
  const file = (name) => join(folder, `cycle-${name}`);
  const limit = (...args) => new Child(LIMIT, args, { cpu: FIRST_CPU });
  const node = (name) =>
    new Child(process.execPath, [join(CHILDREN, 'cycle.mjs'), name, file(name)], {
      cpu: FIRST_CPU,
    });
  const names = ['plain', 'json', 'async', 'asyncJson', ...lockPeers(peers)];
  if ('proper-lockfile' in peers) names.push('proper-lockfile-async');
  return {
    c: limit('cycle', file('c')),
    cJson: limit('record', file('cJson'), ...lengths),
    ...Object.fromEntries(names.map((name) => [name, node(name)])),
  };
}

/** A contestant's batch, sized by how long its cycles take; microseconds a cycle. */
async function prepareBatch(name, child) {
  const warmUp = name.startsWith('proper') ? SLOW_WARM_UP_CYCLES : WARM_UP_CYCLES;
  await child.ask(`${warmUp}\n`);
  const probe = warmUp / 10;
  const each = Number(await child.ask(`${probe}\n`)) / probe;
  const count = Math.ceil((BATCH_MILLISECONDS * 1e6) / each);
  return async () => Number(await child.ask(`${count}\n`)) / count / 1000;
}

async function measureCycles({ folder, quick, peers }, lengths) {
  const children = startAll(folder, peers, lengths);
  const contestants = {};
  for (const [name, child] of Object.entries(children)) {
    contestants[name] = await prepareBatch(name, child);
  }
  const samples = await interleave(contestants, quick ? 30 : 150);
  for (const child of Object.values(children)) await child.kill();
  return samples;
}

export async function measureUncontended(context) {
  const lengths = recordLengths(join(context.folder, 'lengths')).map(String);
  const samples = await aside(() => measureCycles(context, lengths));
  const against = (left, right) => compare(samples[left], samples[right], 'µs', 2);
  const peers = {
    'fs-ext': ['`openSync` + `flockSync` + `closeSync`, against ours without a record', 'plain'],
    'fs-native-extensions': [
      '`openSync` + `tryLock` + `unlock` + `closeSync`, against ours without a record',
      'plain',
    ],
    'proper-lockfile': ['`lockSync` + `release`, against ours with a record', 'json'],
    'proper-lockfile-async': [
      '`await lock` + `await release`, against ours with a record',
      'asyncJson',
    ],
  };
  const rows = Object.entries(peers)
    .filter(([name]) => name in samples)
    .map(([name, [title, ours]]) =>
      row({
        what: `${name.replace('-async', '')}: ${title}`,
        unit: '×',
        ...against(name, ours),
      }),
    );
  return {
    budgets: {
      sync: against('plain', 'c'),
      syncJson: against('json', 'cJson'),
      async: against('async', 'plain'),
      asyncJson: against('asyncJson', 'json'),
    },
    rows,
    notes: [compareCalls(context.folder, lengths)],
    figures: Object.fromEntries(
      Object.entries(samples).map(([name, values]) => [`cycle ${name}`, median(values)]),
    ),
  };
}
