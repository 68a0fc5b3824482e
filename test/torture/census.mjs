// What a process may keep when it has nothing to do: nothing of the locks.
import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

// Waiting threads that stay for five seconds, by design (test/support/census.ts).
const IDLE_THREADS = 4;

export function census(folder) {
  const threads = readdirSync('/proc/self/task').length;
  const counts = { descriptors: 0, ofLocks: 0, threads, open: [] };
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      // A worker that is terminated while it loads leaves Node's own descriptor.
      if (/\.m?js$/.test(path)) continue;
      counts.descriptors++;
      counts.open.push(path.replace(folder, ''));
      if (path.startsWith(`${folder}/locks`)) counts.ofLocks++;
    } catch {
      // The one that listed the folder.
    }
  }
  counts.listeners = process
    .eventNames()
    .reduce((sum, event) => sum + process.listenerCount(event), 0);
  counts.timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  return counts;
}

/** `null`, or what is too much still after a while: closing ends on other threads. */
export async function compareCensus(folder, before) {
  let found;
  for (let round = 0; round < 200; round++) {
    await sleep(round < 20 ? 1 : 25);
    const now = census(folder);
    const room = { descriptors: 0, ofLocks: 0, threads: IDLE_THREADS, listeners: 0, timers: 0 };
    found = Object.keys(room).filter((name) => now[name] > before[name] + room[name]);
    if (found.length === 0) return null;
    found = found.map((name) => `${name}: ${now[name]}, at first ${before[name]}`);
    found.push(`open: ${now.open.join(' ')}`);
  }
  return found.join('; ');
}
