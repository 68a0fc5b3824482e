// A free lock, taken and given back: ours against the same system calls in C,
// and what the peers take for what they call a lock.
//
// Each contestant is a process of its own that stays; a round asks each for
// one batch of cycles on a file of its own, one process at a time. A batch
// lasts some 20 ms, short against anything else that happens on the machine.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FileLock } from 'holdfast';
import { Child } from './child.mjs';
import { interleave, median, ratios } from './measure.mjs';
import { CHILDREN, LIMIT } from './prepare.mjs';
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

export async function measureUncontended({ folder, quick, peers }) {
  const lengths = recordLengths(join(folder, 'lengths')).map(String);
  const file = (name) => join(folder, `cycle-${name}`);
  const limit = (...args) => new Child(LIMIT, args);
  const node = (name) =>
    new Child(process.execPath, [join(CHILDREN, 'cycle.mjs'), name, file(name)]);
  const children = {
    c: limit('cycle', file('c')),
    cRecord: limit('record', file('cRecord'), ...lengths),
    plain: node('plain'),
    json: node('json'),
    async: node('async'),
    asyncJson: node('asyncJson'),
  };
  for (const name of Object.keys(peers)) children[name] = node(name);
  if ('proper-lockfile' in peers) children['proper-lockfile-async'] = node('proper-lockfile-async');

  const contestants = {};
  for (const [name, child] of Object.entries(children)) {
    const slow = name.startsWith('proper');
    const warmUp = slow ? SLOW_WARM_UP_CYCLES : WARM_UP_CYCLES;
    await child.ask(`${warmUp}\n`);
    const probe = warmUp / 10;
    const each = Number(await child.ask(`${probe}\n`)) / probe;
    const count = Math.ceil((BATCH_MILLISECONDS * 1e6) / each);
    contestants[name] = async () => Number(await child.ask(`${count}\n`)) / count / 1000;
  }
  const samples = await interleave(contestants, quick ? 30 : 150);
  for (const child of Object.values(children)) await child.kill();

  const against = (what, left, right, budget) =>
    row({
      what,
      values: ratios(samples[left], samples[right]),
      unit: '×',
      budget,
      detail: `${median(samples[left]).toFixed(2)} µs against ${median(samples[right]).toFixed(2)} µs`,
    });
  const rows = [
    against('acquireSync + releaseSync, `record: false`, against C', 'plain', 'c', 1.5),
    against('acquireSync + releaseSync, JSON record, against C', 'json', 'cRecord', 1.5),
    against('await acquire + release, `record: false`, against sync', 'async', 'plain', 1.3),
    against('await acquire + release, JSON record, against sync', 'asyncJson', 'json', 1.3),
  ];
  const titles = {
    'fs-ext': 'fs-ext: openSync + flockSync + closeSync, against ours without a record',
    'fs-native-extensions':
      'fs-native-extensions: openSync + tryLock + unlock + closeSync, against ours without a record',
    'proper-lockfile': 'proper-lockfile: lockSync + release, against ours with a record',
    'proper-lockfile-async': 'proper-lockfile: await lock + release, against ours with a record',
  };
  const ours = { 'proper-lockfile': 'json', 'proper-lockfile-async': 'asyncJson' };
  for (const [name, title] of Object.entries(titles)) {
    if (name in samples) rows.push(against(title, name, ours[name] ?? 'plain'));
  }
  const bars = [
    ['lock and release', 'C', 'c'],
    ['lock and release', 'Holdfast', 'plain'],
    ['lock and release', 'fs-ext', 'fs-ext'],
    ['lock and release', 'fs-native-extensions', 'fs-native-extensions'],
    ['lock and release, with a record', 'Holdfast', 'json'],
    ['lock and release, with a record', 'proper-lockfile', 'proper-lockfile'],
  ]
    .filter(([, , name]) => name in samples)
    .map(([what, who, name]) => [what, who, median(samples[name])]);
  return { rows, notes: [compareCalls(folder, lengths)], chart: { bars } };
}
