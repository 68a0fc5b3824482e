// Takes a slot, stays a moment and leaves it, over and over, until it is killed
// or asked to stop. It has an oracle that knows nothing of locks: a file for
// each slot, which only one process can create.
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Slots } from '../../dist/slots.js';
import { serve, tell } from './serve.mjs';

function isAlive(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state, , , , , , flags] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // Its locks go while it exits.
    return !/[ZX]/.test(state) && (Number(flags) & 4) === 0;
  } catch {
    return false;
  }
}

function enter(marks, number) {
  const mark = join(marks, String(number));
  try {
    writeFileSync(mark, String(process.pid), { flag: 'wx' });
  } catch {
    const other = Number(readFileSync(mark, 'utf8'));
    // Killed between the two steps of a write: nobody's.
    if (other !== 0 && isAlive(other)) tell('violation', `${number}`, [other, process.pid]);
    writeFileSync(mark, String(process.pid));
  }
  return mark;
}

let stopping = false;

serve({
  async run(directory, count, marks) {
    const slots = new Slots(directory, { slots: count });
    let entries = 0;
    while (!stopping) {
      const slot = await slots.acquire();
      if (slot.number < 1 || slot.number > count) tell('violation', 'number', slot.number);
      const mark = enter(marks, slot.number);
      appendFileSync(join(marks, 'entries'), '.');
      entries++;
      if (entries % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      rmSync(mark);
      await slot.release();
      // Otherwise it takes the slot that it has just left.
      await new Promise(setImmediate);
    }
    return entries;
  },
  stop() {
    stopping = true;
  },
});
