// A process with two lanes and, one after the other, worker threads
// with a lane each. In between it rests, and looks whether it has kept anything.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { census, compareCensus } from './census.mjs';
import { Lane } from './lane.mjs';
import { livingChildren } from './processes.mjs';
import { Random } from './random.mjs';
import { DELIBERATE, FIELD, idOf, SEATS_OF_MEMBER, World } from './world.mjs';

const { position, life, ...plain } = JSON.parse(process.argv[2]);
const world = new World(plain);
const first = position * SEATS_OF_MEMBER;
const seats = { lanes: [first, first + 1], worker: first + 2, children: first + 3 };
const name = `member/${position}/${life}`;
const random = new Random(plain.seed, name);
let stopping = false;
let workers = 0;

process.on('message', () => {
  stopping = true;
});
process.on('disconnect', () => {
  if (!stopping) process.exit(0);
});
process.on('warning', (warning) => {
  if (warning.name === 'ExperimentalWarning') return;
  throw world.violation('warning', null, idOf(first, life), warning.stack);
});

// Children, workers and libuv's pool make descriptors and threads that stay.
await once(spawn('true', { stdio: 'ignore' }), 'exit');
await once(new Worker('', { eval: true }), 'exit');
await Promise.all(Array.from({ length: 4 }, () => stat('.')));
await sleep(1);
const before = census(world.folder);

const lanes = seats.lanes.map(
  (seat, index) =>
    new Lane(world, {
      random: new Random(plain.seed, `${name}/${index}`),
      seat,
      childSeat: seats.children + index,
      life,
    }),
);
while (!stopping) {
  const turns = random.between(15, 60);
  await Promise.all([
    ...lanes.map((lane) => lane.run(turns, () => stopping)),
    runWorkers(random.between(0, 3)),
  ]);
  await lookForLeaks();
}
// And then nothing keeps the process.
process.disconnect();

async function runWorkers(count) {
  for (let index = 0; index < count && !stopping; index++) await runWorker();
}

async function runWorker() {
  workers++;
  const lane = { seat: seats.worker, childSeat: seats.children + 2, life, sub: workers };
  const lifetime = random.between(20, 900);
  const workerData = { plain, lane, turns: random.between(5, 40), name: `${name}/w${workers}` };
  const worker = new Worker(new URL('./worker.mjs', import.meta.url), { workerData });
  let error;
  worker.on('error', (thrown) => {
    error = thrown;
  });
  const exit = new Promise((resolve) => worker.once('exit', resolve));
  await Promise.race([exit, new Promise((resolve) => worker.once('message', resolve))]);
  const ended = await Promise.race([exit, sleep(lifetime, 'no', { ref: false })]);
  if (ended === 'no') await worker.terminate();
  world.count(seats.worker, ended === 'no' ? 'worker terminations' : 'worker ends');
  world.set(seats.worker, FIELD.waitsFor, 0, 0);
  world.bury(idOf(seats.worker, life, workers));
  if (error !== undefined && error.message !== DELIBERATE) throw error;
  await awaitChild(lane.childSeat);
}

/** Of a worker that cannot wait for it any more; it may have had no time to begin. */
async function awaitChild(seat) {
  const child = world.get(seat, FIELD.child);
  while (livingChildren(world.folder).has(child)) await sleep(20);
  world.bury(child);
}

async function lookForLeaks() {
  world.count(first, 'idle checks');
  const more = await compareCensus(world.folder, before);
  if (more !== null) throw world.violation('leak', null, idOf(first, life), more);
}
