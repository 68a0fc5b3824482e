// A process with waits pending: `pending.mjs`. Each line on stdin is a JSON
// array, a command and its arguments; the answer is a line of JSON.
import { setMaxListeners } from 'node:events';
import { stat } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { FileLock } from 'holdfast';

let stop = new AbortController();
let waits = [];

const commands = {
  /** Starts `count` waits on `PREFIX0` alone, or on as many paths. */
  async wait(prefix, count, onOnePath) {
    stop = new AbortController();
    setMaxListeners(0, stop.signal);
    const options = { signal: stop.signal, record: false };
    for (let number = 0; number < count; number++) {
      waits.push(FileLock.acquire(`${prefix}${onOnePath ? 0 : number}`, options));
    }
    // Time for all threads to be blocked.
    await pause(200);
    return count;
  },
  async abort() {
    stop.abort();
    const results = await Promise.allSettled(waits);
    waits = [];
    await pause(50);
    return results.every(({ status }) => status === 'rejected');
  },
  /** Microseconds per `fs.stat`, one after the other. */
  async stat(file, count) {
    const start = process.hrtime.bigint();
    for (let done = 0; done < count; done++) {
      await new Promise((resolve, reject) => {
        stat(file, (error) => (error === null ? resolve() : reject(error)));
      });
    }
    return Number(process.hrtime.bigint() - start) / count / 1000;
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
