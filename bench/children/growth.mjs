// node growth.mjs: what one process of the growth bench does, a command a line.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { FileLock } from '../../dist/index.js';

const quiet = { record: false };

/** Microseconds for each of `count` waits in one queue, from the release on. */
async function waiters(path, count) {
  const first = FileLock.acquireSync(path, quiet);
  const waits = Array.from({ length: count }, async () => {
    const lock = await FileLock.acquire(path, quiet);
    lock.releaseSync();
  });
  // All are in the kernel's queue before the first is let in.
  while (queued(path) < count) await new Promise((resolve) => setTimeout(resolve, 1));
  const start = performance.now();
  first.releaseSync();
  await Promise.all(waits);
  return ((performance.now() - start) * 1000) / count;
}

/** How many wait for the file, by the kernel's table. */
function queued(path) {
  const { ino } = statSync(path);
  const table = readFileSync('/proc/locks', 'utf8');
  return table.split('\n').filter((line) => /->/.test(line) && line.includes(`:${ino} `)).length;
}

/** Microseconds of CPU for one more lock while `count` are held. */
function held(folder, count, rounds) {
  const locks = Array.from({ length: count }, (_, at) =>
    FileLock.acquireSync(join(folder, `held-${at}.lock`), quiet),
  );
  const path = join(folder, 'one-more.lock');
  const before = process.cpuUsage();
  for (let round = 0; round < rounds; round++) FileLock.acquireSync(path, quiet).releaseSync();
  const { user, system } = process.cpuUsage(before);
  const time = (user + system) / rounds;
  for (const lock of locks) lock.releaseSync();
  return time;
}

/** `rounds` cycles in competition with others. */
async function contend(path, rounds) {
  for (let round = 0; round < rounds; round++) {
    const lock = await FileLock.acquire(path, quiet);
    lock.releaseSync();
  }
  return rounds;
}

const COMMANDS = { waiters, held, contend };

for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...args] = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(await COMMANDS[name](...args))}\n`);
}
