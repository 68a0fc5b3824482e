// A process with waits pending: `pending.mjs`. Each line on stdin is a JSON
// array, a command and its arguments; the answer is a line of JSON.
import { setMaxListeners } from 'node:events';
import { openSync, stat } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { FileLock } from 'holdfast';
import { peerPath } from '../prepare.mjs';

const require = createRequire(import.meta.url);

let stop = new AbortController();
let waits = [];

/** All threads are blocked in the kernel: starting them is not what waiting costs. */
async function untilIdle() {
  let spent;
  do {
    const before = process.cpuUsage();
    await pause(200);
    const { user, system } = process.cpuUsage(before);
    spent = user + system;
  } while (spent > 1000);
}

const commands = {
  /** Starts `count` waits on `PREFIX0` alone, or on as many paths. */
  async wait(prefix, count, onOnePath) {
    stop = new AbortController();
    setMaxListeners(0, stop.signal);
    const options = { signal: stop.signal, record: false };
    for (let number = 0; number < count; number++) {
      waits.push(FileLock.acquire(`${prefix}${onOnePath ? 0 : number}`, options));
    }
    await untilIdle();
    return count;
  },
  /** As many waits of fs-native-extensions, for a lock of this process. */
  async waitNatively(file, count) {
    const { tryLock, waitForLock } = require(peerPath('fs-native-extensions'));
    if (!tryLock(openSync(file, 'a+'))) throw new Error('not locked');
    for (let number = 0; number < count; number++) void waitForLock(openSync(file, 'a+'));
    await untilIdle();
    return count;
  },
  async abort() {
    stop.abort();
    const results = await Promise.allSettled(waits);
    waits = [];
    await pause(50);
    return results.every(({ status }) => status === 'rejected');
  },
  /** Microseconds per `fs.stat`, one after the other: of CPU, and on the clock. */
  async stat(file, count) {
    const [start, before] = [performance.now(), process.cpuUsage()];
    for (let done = 0; done < count; done++) {
      await new Promise((resolve, reject) => {
        stat(file, (error) => (error === null ? resolve() : reject(error)));
      });
    }
    const { user, system } = process.cpuUsage(before);
    return { cpu: (user + system) / count, wall: ((performance.now() - start) * 1000) / count };
  },
  /** Milliseconds of CPU, user and system, that the process takes meanwhile. */
  async cpu(milliseconds) {
    const before = process.cpuUsage();
    await pause(milliseconds);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  },
  rss() {
    return process.memoryUsage.rss();
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...args] = JSON.parse(line);
  console.log(JSON.stringify(await commands[command](...args)));
}
process.kill(process.pid, 'SIGKILL');
