// Was handed a lock as descriptor 3.
import { setTimeout as sleep } from 'node:timers/promises';
import { FileLock } from '../../dist/index.js';
import { LOCKS } from './locks.mjs';
import { Stay } from './oracle.mjs';
import { Random } from './random.mjs';
import { seatOf, World } from './world.mjs';

const FD = 3;
const { id, lock: index, mode, childSeed, ...plain } = JSON.parse(process.argv[2]);
const world = new World(plain);
const random = new Random(childSeed);
const lock = LOCKS[index];
const seat = seatOf(id);
const way = random.weighted({ release: 55, hold: 20, never: 25 });
const [before, inside] = [random.between(0, 20), random.between(0, 20)];

const stay = new Stay(world, lock, id, FD, mode);
stay.look();
if (random.chance(0.5)) await sleep(before);
stay.look();
if (way === 'never') {
  world.count(seat, 'never adopted');
  // Long enough for somebody to replace the file under those who wait.
  if (lock.files === 'replaced' && random.chance(0.25)) await sleep(6000);
  stay.leave();
} else {
  await adopt();
}

async function adopt() {
  let held;
  try {
    held = FileLock.adopt(FD, world.pathOf(lock), {
      ...(lock.files === 'kept' ? {} : { keepFile: random.chance(0.3) }),
    });
  } catch (error) {
    stay.leave();
    if (lock.files === 'replaced' && error.code === 'ERR_LOCK_LOST') {
      world.count(seat, 'found lost');
      return;
    }
    throw world.violation('error', lock, id, `adopt: ${error.stack}`);
  }
  world.count(seat, 'adopted');
  world.log(lock, id, `has adopted, token ${held.token}`);
  if (held.mode !== mode) throw world.violation('error', lock, id, `adopted ${held.mode}`);
  if (mode === 'exclusive') stay.checkAdopted(held.token);
  await sleep(inside);
  stay.look();
  stay.leave();
  if (way === 'release') held.releaseSync();
  else world.count(seat, 'children that ended holding');
}
