// node several.mjs: what one process does with several locks, a command a line.
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { FileLock, withLock, withLocks } from '../../dist/index.js';

/** Microseconds of CPU for each of `rounds` calls. */
async function cpuOf(rounds, once) {
  const before = process.cpuUsage();
  for (let round = 0; round < rounds; round++) await once();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / rounds;
}

const sequential = (paths, rounds) =>
  cpuOf(rounds, async () => {
    for (const path of paths) await (await FileLock.acquire(path)).release();
  });

const nested = (paths, rounds) => {
  const inside = (at) => () =>
    at < paths.length ? withLock(paths[at], inside(at + 1)) : undefined;
  return cpuOf(rounds, inside(0));
};

const together = (paths, rounds) => cpuOf(rounds, () => withLocks(paths, () => {}));

/** Takes one of the locks again and again, each time for `hold` milliseconds. */
async function disturb(paths, milliseconds, hold) {
  const end = performance.now() + milliseconds;
  let turns = 0;
  for (; performance.now() < end; turns++) {
    const path = paths[Math.floor(Math.random() * paths.length)];
    await withLock(path, () => pause(hold));
  }
  return turns;
}

/**
 * The other way to take several locks without a deadlock: hold none while you
 * wait. Waits for the one that was refused, alone, and then tries all again.
 */
async function tryAll(paths, timeout, fn) {
  const end = performance.now() + timeout;
  while (performance.now() < end) {
    const held = [];
    let refused;
    for (const path of paths) {
      const lock = FileLock.tryAcquire(path);
      if (lock === null) {
        refused = path;
        break;
      }
      held.push(lock);
    }
    if (refused === undefined) await fn();
    for (const lock of held) lock.releaseSync();
    if (refused === undefined) return;
    await withLock(refused, () => {});
  }
}

const WAYS = {
  together: (paths, timeout, fn) => withLocks(paths, { timeout }, fn),
  none: tryAll,
};

/** Turns with all of the locks, and the longest wait for one in milliseconds. */
async function takeAll(paths, milliseconds, hold, way) {
  const end = performance.now() + milliseconds;
  let [turns, longest] = [0, 0];
  while (performance.now() < end) {
    const start = performance.now();
    let waited;
    await WAYS[way](paths, milliseconds, async () => {
      waited = performance.now() - start;
      turns++;
      await pause(hold);
    });
    longest = Math.max(longest, waited ?? performance.now() - start);
  }
  return [turns, longest];
}

const COMMANDS = { sequential, nested, together, disturb, takeAll };

for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...args] = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(await COMMANDS[name](...args))}\n`);
}
