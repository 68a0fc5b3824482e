// Updates of one JSON file: by eight processes at once, on the clock, and by one
// alone, in CPU time. The peers are proper-lockfile and write-file-atomic together,
// which sync the file, but not its folder, as Holdfast does.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child } from './child.mjs';
import { aside, FIRST_CPU } from './cpus.mjs';
import { compare, interleave } from './measure.mjs';
import { CHILDREN } from './prepare.mjs';
import { row, skipped } from './report.mjs';

const PROCESSES = 8;
const CONTENT = `${JSON.stringify({ n: 0, text: 'x'.repeat(1000) })}\n`;
const PEERS = ['proper-lockfile', 'write-file-atomic'];
const AGAINST = `against ${PEERS.join(' + ')}`;

function start(name, folder, cpu) {
  const file = join(folder, `${name}.json`);
  writeFileSync(file, CONTENT);
  const script = join(CHILDREN, 'update.mjs');
  return new Child(process.execPath, [script, name, file], { cpu });
}

function p99(values) {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.ceil(sorted.length * 0.99) - 1];
}

/** Updates a second, and of the slowest process the 99th percentile in ms. */
async function together(children, milliseconds) {
  const [first] = children;
  const before = await first.command('count');
  const begin = performance.now();
  const taken = await Promise.all(children.map((child) => child.command('for', milliseconds)));
  const seconds = (performance.now() - begin) / 1000;
  const updates = taken.flat().length;
  const lost = updates - ((await first.command('count')) - before);
  if (lost !== 0) throw new Error(`${lost} of ${updates} updates were lost`);
  return { rate: updates / seconds, slowest: Math.max(...taken.map(p99)) };
}

async function measureTogether(names, { folder, quick }) {
  const contestants = {};
  const children = [];
  for (const name of names) {
    const own = Array.from({ length: PROCESSES }, () => start(name, folder));
    children.push(...own);
    await Promise.all(own.map((child) => child.command('cpu', 2)));
    contestants[name] = () => together(own, quick ? 1000 : 3000);
  }
  const samples = await interleave(contestants, quick ? 2 : 8);
  await Promise.all(children.map((child) => child.kill()));
  return samples;
}

async function measureAlone(names, { folder, quick }) {
  const children = names.map((name) => [name, start(name, folder, FIRST_CPU)]);
  const contestants = Object.fromEntries(
    children.map(([name, child]) => [name, () => child.command('cpu', 50)]),
  );
  await interleave(contestants, 2);
  const samples = await interleave(contestants, quick ? 5 : 30);
  await Promise.all(children.map(([, child]) => child.kill()));
  return samples;
}

export async function measureUpdate(context) {
  const missing = PEERS.find((name) => !(name in context.peers));
  if (missing !== undefined) {
    return { rows: [skipped(`updates of a file, ${AGAINST}`, `${missing} is not here`)] };
  }
  const names = ['holdfast', 'peers'];
  const many = await measureTogether(names, context);
  const alone = await aside(() => measureAlone(names, context));
  const of = (name, field) => many[name].map((sample) => sample[field]);
  const inAll = (field, unit) => compare(of('holdfast', field), of('peers', field), unit, 0);
  const what = `\`updateJson\` of one file by ${PROCESSES} processes`;
  return {
    rows: [
      row({
        what: `${what}: updates a second (more is better), ${AGAINST}`,
        unit: '×',
        ...inAll('rate', 'a second'),
      }),
      row({
        what: `${what}: 99th percentile of the slowest process, ${AGAINST}`,
        unit: '×',
        ...inAll('slowest', 'ms'),
      }),
      row({
        what: `\`updateJson\` by one process: CPU, ${AGAINST}`,
        unit: '×',
        ...compare(alone.holdfast, alone.peers, 'µs', 0),
      }),
    ],
  };
}
