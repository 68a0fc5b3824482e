// How the cost of one more grows with what is there already: waits in a queue,
// locks held, processes that contend. Close to flat is good; the figure is the
// ratio of the cost at the largest number to that at the middle one.
import { join } from 'node:path';
import { Child } from './child.mjs';
import { interleave, median, ratios } from './measure.mjs';
import { CHILDREN } from './prepare.mjs';
import { row } from './report.mjs';

class Grower extends Child {
  constructor() {
    super(process.execPath, [join(CHILDREN, 'growth.mjs')]);
  }
}

const CYCLES = 2000;

async function measureWaiters(folder, rounds) {
  const child = new Grower();
  const path = join(folder, 'growth-waiters.lock');
  await child.command('waiters', path, 100);
  const counts = [1, 10, 100, 1000];
  const contestants = byCount(counts, (count) => child.command('waiters', path, count));
  const samples = await interleave(contestants, rounds);
  await child.kill();
  return { name: 'a wait that is served, by waits in the queue', unit: 'µs', counts, samples };
}

async function measureHeld(folder, rounds) {
  const child = new Grower();
  await child.command('held', folder, 1, CYCLES);
  const counts = [1, 10, 100, 1000, 10_000];
  const contestants = byCount(counts, (count) => child.command('held', folder, count, CYCLES));
  const samples = await interleave(contestants, rounds);
  await child.kill();
  return { name: 'one more lock and release, by locks held', unit: 'µs', counts, samples };
}

async function measureProcesses(folder, rounds) {
  const counts = [1, 2, 4, 8, 16, 32, 64];
  const children = Array.from({ length: counts.at(-1) }, () => new Grower());
  const path = join(folder, 'growth-processes.lock');
  await Promise.all(children.map((child) => child.command('contend', path, 10)));
  const contestants = byCount(counts, async (count) => {
    const each = Math.ceil(CYCLES / count);
    const start = performance.now();
    await Promise.all(
      children.slice(0, count).map((child) => child.command('contend', path, each)),
    );
    return ((performance.now() - start) * 1000) / (each * count);
  });
  const samples = await interleave(contestants, rounds);
  await Promise.all(children.map((child) => child.kill()));
  return { name: 'a lock and release, by processes that contend', unit: 'µs', counts, samples };
}

function byCount(counts, run) {
  return Object.fromEntries(counts.map((count) => [`${count}`, () => run(count)]));
}

export async function measureGrowth({ folder, quick }) {
  const rounds = quick ? 3 : 15;
  const series = [
    await measureWaiters(folder, rounds),
    await measureHeld(folder, rounds),
    await measureProcesses(folder, rounds),
  ];
  const rows = series.map(({ name, unit, counts, samples }) => {
    const [most, middle] = [counts.at(-1), counts[Math.floor(counts.length / 2)]];
    return row({
      what: `${name}: with ${most} against with ${middle}`,
      values: ratios(samples[most], samples[middle]),
      unit: '×',
      detail: counts
        .map((count) => `${count}: ${median(samples[count]).toFixed(1)} ${unit}`)
        .join(', '),
    });
  });
  return { title: 'Growth', rows };
}
