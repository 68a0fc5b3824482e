// npm run torture:engines -- --engine NAME --minutes N --seed S [--plant NAME]
//
// Four processes fight for two locks of a real server, while a driver kills and
// stops them, ends their sessions, restarts the server, and lets a relay in
// between swallow, delay and cut. A register refuses smaller tokens, and an
// oracle judges what the processes say. The same seed makes the same decisions
// (the scheduler and the server make their own). Ends with counts and code 0,
// with the first violation and code 1, or with code 2 where there is no server.
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { now } from './engines/clock.mjs';
import { Driver } from './engines/driver.mjs';
import { OnEtcd } from './engines/on-etcd.mjs';
import { OnPostgres } from './engines/on-postgres.mjs';
import { plant, plantsOf } from './engines/plants.mjs';

const ENGINES = { postgres: OnPostgres, etcd: OnEtcd };

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'postgres' },
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: `${Math.floor(Math.random() * 2 ** 31)}` },
    plant: { type: 'string' },
  },
});
const { engine, seed } = values;
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new RangeError(`--minutes ${values.minutes}`);
if (!(engine in ENGINES)) throw new RangeError(`--engine: one of ${Object.keys(ENGINES)}`);
if (values.plant !== undefined && !plantsOf(engine).includes(values.plant)) {
  throw new RangeError(`--plant: one of ${plantsOf(engine)}`);
}
const lacks = ENGINES[engine].lacks();
if (lacks !== null) {
  console.error(`torture: ${lacks}`);
  process.exit(2);
}

// A copy: a build in the middle of a long run is not to change it.
const folder = mkdtempSync(join(tmpdir(), 'holdfast-torture-'));
const root = fileURLToPath(new URL('../..', import.meta.url));
for (const name of ['dist', 'prebuilds', 'package.json', 'test/torture']) {
  cpSync(join(root, name), join(folder, name), { recursive: true });
}
symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
if (values.plant !== undefined) plant(folder, engine, values.plant);
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

console.log(`torture: ${engine}, ${minutes} minutes, seed ${seed}`);
const target = await ENGINES[engine].start();
const driver = new Driver({ target, folder, seed, plant: values.plant });
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    driver.stop();
    process.exit(130);
  });
}
await driver.start();
const began = now();
await driver.run(began + minutes * 60_000);
driver.stop();
report();
await target.remove();
process.exit(driver.isBroken ? 1 : 0);

function report() {
  const seconds = ((now() - began) / 1000).toFixed(1);
  if (driver.isBroken) {
    console.log(`torture: VIOLATION, seed ${seed}, after ${seconds} s`);
    for (const { kind, detail } of driver.violations.slice(0, 4)) {
      console.log(`  ${kind}: ${detail}`);
    }
    console.log(`last deeds of the driver:\n  ${driver.deeds.join('\n  ')}`);
  } else {
    console.log(`torture: nothing violated in ${seconds} s`);
  }
  const counts = { ...driver.oracle.counts, ...driver.counts };
  for (const [name, count] of Object.entries(counts)) console.log(`  ${name}: ${count}`);
  const sorted = driver.recoveries.sort((left, right) => left - right);
  const at = (part) => Math.round(sorted[Math.floor((sorted.length - 1) * part)] ?? 0);
  console.log(`  ms from a fault to a grant, median: ${at(0.5)}`);
  console.log(`  ms from a fault to a grant, 95 %: ${at(0.95)}`);
  console.log(`  ms from a fault to a grant, most: ${at(1)}`);
}
