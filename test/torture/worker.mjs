// A thread with one lane, which may be terminated at any moment from the first
// message on: V8 itself may crash where modules are still being loaded.
import { parentPort, workerData } from 'node:worker_threads';
import { Lane } from './lane.mjs';
import { Random } from './random.mjs';
import { World } from './world.mjs';

const { plain, lane, turns, name } = workerData;
const world = new World(plain);
parentPort.postMessage('begins');
new Lane(world, { ...lane, random: new Random(plain.seed, name) }).run(turns);
