// What can only be seen from outside: a lock that is free, and somebody waits.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { LOCKS } from './locks.mjs';
import { isInside } from './oracle.mjs';
import { FIELD, Numbers, SEATS, SEATS_OF_MEMBER } from './world.mjs';

const INTERVAL = 100;
const LATE = 250;

/** How much longer everything may take because others want the processors as well. */
export function slowness() {
  return Math.max(1, loadavg()[0] / cpus().length);
}

/** The kernel's own list: who holds which inode. Not those who wait ("->"). */
export function kernelHolders() {
  const holders = [];
  for (const line of readFileSync('/proc/locks', 'latin1').split('\n')) {
    const found = /^\d+: (?:FLOCK|OFDLCK).* (-?\d+) [^ ]+:(\d+) \d+ \w+$/.exec(line);
    if (found !== null) holders.push({ pid: Number(found[1]), inode: found[2] });
  }
  return holders;
}

/** The file at the path, as the kernel's list and the oracle name it. */
function fileAt(path) {
  const file = statSync(path, { bigint: true, throwIfNoEntry: false });
  return file && { inode: `${file.ino}`, key: `${file.ino}.${file.birthtimeNs}` };
}

/** What the kernel knows of a file, and what the threads of those it names do. */
function lookClosely(inode) {
  const lines = readFileSync('/proc/locks', 'latin1').split('\n');
  const about = lines.filter((line) => line.includes(`:${inode} `));
  const pids = new Set(about.map((line) => / (\d+) [^ ]+:\d+ /.exec(line)?.[1]));
  const threads = [...pids].flatMap((pid) => {
    try {
      return readdirSync(`/proc/${pid}/task`).map((tid) => {
        const folder = `/proc/${pid}/task/${tid}`;
        const state = readFileSync(`${folder}/stat`, 'latin1').split(') ')[1]?.[0];
        return `${pid}/${tid} ${state} ${readFileSync(`${folder}/wchan`, 'latin1')}`;
      });
    } catch {
      return [`${pid} has ended`];
    }
  });
  return [...about, ...threads].join('\n');
}

export class Watch {
  #world;
  #driver;
  #timer;
  #last = Date.now();
  #busy = LOCKS.map(() => Date.now());

  /** `driver` knows who runs, who is stopped, and since when they run again. */
  constructor(world, driver) {
    this.#world = world;
    this.#driver = driver;
    this.#timer = setInterval(() => this.#look(), INTERVAL);
  }

  end() {
    clearInterval(this.#timer);
  }

  #look() {
    const now = Date.now();
    // A machine that is too slow to look is too slow to be judged.
    if (now - this.#last > LATE) this.#busy.fill(now);
    this.#last = now;
    for (const lock of LOCKS) {
      if (this.#isHeld(lock)) this.#busy[lock.index] = now;
      const free = Math.max(this.#busy[lock.index], this.#world.progressOf(lock));
      const limit = lock.wakeUp * slowness();
      if (now - free <= limit) continue;
      const waiter = this.#longestWaiter(lock, free);
      if (now - waiter.since <= limit) continue;
      const detail = `free for ${now - free} ms, seat ${waiter.seat} waits for ${now - waiter.since}`;
      const kernel = lookClosely(fileAt(this.#world.pathOf(lock))?.inode);
      this.#world.violation('wake-up', lock, waiter.seat, `${detail}\n${kernel}`);
    }
  }

  /** By one inside; or by one who is not to be expected to go inside now. */
  #isHeld(lock) {
    const file = fileAt(this.#world.pathOf(lock));
    const key = lock.files === 'replaced' ? file?.key : 'path';
    if (key !== undefined) {
      const words = new Numbers(join(this.#world.folder, 'oracle', `${lock.name}.${key}`));
      const inside = isInside(this.#world, words);
      words.close();
      if (inside) return true;
    }
    return kernelHolders().some(
      ({ pid, inode }) => inode === file?.inode && !this.#driver.isRunningMember(pid),
    );
  }

  #longestWaiter(lock, free) {
    let longest = { since: Number.POSITIVE_INFINITY, seat: -1 };
    for (let seat = 0; seat < SEATS; seat++) {
      if (this.#world.get(seat, FIELD.waitsFor) !== lock.index + 1) continue;
      const awake = this.#driver.awakeSince(Math.floor(seat / SEATS_OF_MEMBER));
      const since = Math.max(this.#world.get(seat, FIELD.waitsSince), awake, free);
      if (since < longest.since) longest = { since, seat };
    }
    return longest;
  }
}
