// npm run torture -- --minutes N --seed S
//
// Many processes and threads fight for a few locks, while a driver kills and
// stops them and meddles with the files; independent checkers look on. The same
// seed makes the same decisions (the kernel's scheduler makes its own). Ends
// with counts and code 0, or at the first violation with what is known of it
// and code 1. `--plant NAME` makes somebody break a rule on purpose.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Driver } from './driver.mjs';
import { checkEnd, lastEvents, tidy } from './ending.mjs';
import { LOCKS } from './locks.mjs';
import { Watch } from './watch.mjs';
import { World } from './world.mjs';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: `${Math.floor(Math.random() * 2 ** 31)}` },
    plant: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new RangeError(`--minutes ${values.minutes}`);
const folder = mkdtempSync(join(tmpdir(), 'holdfast-torture-'));
for (const name of ['locks', 'oracle']) mkdirSync(join(folder, name));

// A copy: a build in the middle of a long run is not to change it.
const root = fileURLToPath(new URL('../..', import.meta.url));
const copy = join(folder, 'package');
for (const name of ['dist', 'prebuilds', 'package.json', 'test/torture']) {
  cpSync(join(root, name), join(copy, name), { recursive: true });
}
symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));

console.log(`torture: ${minutes} minutes, seed ${values.seed}, in ${folder}`);
const world = new World({ folder, seed: values.seed, plant: values.plant });
const driver = new Driver(world);
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await driver.abandon();
    process.exit(130);
  });
}
const began = Date.now();
const broken = awaitViolation();
const watch = new Watch(world, driver);
const tidying = setInterval(() => tidy(world), 5000);
driver.start();
await Promise.race([driver.run(began + minutes * 60_000), broken.seen]);
if (!broken.yes) {
  const busy = await Promise.race([driver.end(), broken.seen]);
  if (busy?.length > 0) world.violation('end', null, 0, `do not end: ${busy}`);
}
watch.end();
clearInterval(tidying);
if (!broken.yes) checkEnd(world, driver);
broken.look();
if (broken.yes) {
  report();
  await driver.abandon();
} else {
  console.log(`torture: nothing violated in ${((Date.now() - began) / 1000).toFixed(0)} s`);
}
printCounts();
if (!values.keep && !broken.yes) rmSync(folder, { recursive: true, force: true });
process.exit(broken.yes ? 1 : 0);

function awaitViolation() {
  const state = { yes: false, look: () => {}, seen: null };
  state.look = () => {
    const file = join(folder, 'violations');
    // A whole line: it may be seen while it is being written.
    state.yes = existsSync(file) && readFileSync(file, 'utf8').includes('\n');
    return state.yes;
  };
  state.seen = (async () => {
    while (!state.look()) await sleep(25);
  })();
  return state;
}

function report() {
  const lines = readFileSync(join(folder, 'violations'), 'utf8').split('\n').slice(0, -1);
  const after = Date.now() - began;
  console.log(`torture: VIOLATION, seed ${values.seed}, after ${after} ms; all is in ${folder}`);
  for (const line of lines.slice(0, 5)) {
    const { kind, lock, id, pid, at, detail } = JSON.parse(line);
    console.log(`  ${kind}: lock ${lock}, id ${id}, pid ${pid}, at ${at}:\n    ${detail}`);
  }
  const { lock: name, at } = JSON.parse(lines[0]);
  const lock = LOCKS.find((each) => each.name === name);
  if (lock !== undefined) {
    const events = lastEvents(world, lock).split('\n').slice(1);
    const until = events.filter((event) => Number.parseInt(event, 10) <= at + 5);
    console.log(`last events of ${name}:\n  ${until.slice(-40).join('\n  ')}`);
  }
  console.log(`last deeds of the driver:\n  ${driver.deeds.slice(-15).join('\n  ')}`);
}

function printCounts() {
  const counts = { ...world.totals(), ...driver.counts };
  for (const [name, count] of Object.entries(counts)) console.log(`  ${name}: ${count}`);
}
