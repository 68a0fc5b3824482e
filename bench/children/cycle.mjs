// Uncontended cycles of one contestant: `cycle.mjs NAME FILE`. A line on stdin
// is a count, the answer is the nanoseconds of CPU that so many cycles took, of all
// threads of the process: what is collected later is paid for as well.
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { peerPath } from '../prepare.mjs';

const [name, file] = process.argv.slice(2);
const require = createRequire(import.meta.url);

function repeat(cycle) {
  return (count) => {
    for (let done = 0; done < count; done++) cycle();
  };
}

const contestants = {
  async plain() {
    const { FileLock } = await import('holdfast');
    const options = { record: false };
    return repeat(() => FileLock.acquireSync(file, options).releaseSync());
  },
  async json() {
    const { FileLock } = await import('holdfast');
    return repeat(() => FileLock.acquireSync(file).releaseSync());
  },
  async async() {
    const { FileLock } = await import('holdfast');
    const options = { record: false };
    return async (count) => {
      for (let done = 0; done < count; done++) {
        const lock = await FileLock.acquire(file, options);
        await lock.release();
      }
    };
  },
  async asyncJson() {
    const { FileLock } = await import('holdfast');
    return async (count) => {
      for (let done = 0; done < count; done++) {
        const lock = await FileLock.acquire(file);
        await lock.release();
      }
    };
  },
  'fs-ext'() {
    const { flockSync } = require(peerPath('fs-ext'));
    return repeat(() => {
      const fd = openSync(file, 'a+', 0o600);
      flockSync(fd, 'exnb');
      closeSync(fd);
    });
  },
  'fs-native-extensions'() {
    const { tryLock, unlock } = require(peerPath('fs-native-extensions'));
    return repeat(() => {
      const fd = openSync(file, 'a+', 0o600);
      if (!tryLock(fd)) throw new Error('not locked');
      unlock(fd);
      closeSync(fd);
    });
  },
  'proper-lockfile'() {
    const { lockSync } = require(peerPath('proper-lockfile'));
    writeFileSync(file, '');
    return repeat(() => lockSync(file)());
  },
  'proper-lockfile-async'() {
    const { lock } = require(peerPath('proper-lockfile'));
    writeFileSync(file, '');
    return async (count) => {
      for (let done = 0; done < count; done++) await (await lock(file))();
    };
  },
};

const run = await contestants[name]();
for await (const line of createInterface({ input: process.stdin })) {
  const before = process.cpuUsage();
  const pending = run(Number(line));
  if (pending !== undefined) await pending;
  const { user, system } = process.cpuUsage(before);
  console.log(String((user + system) * 1000));
}
