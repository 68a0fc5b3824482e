// The process that lets go: `handoff-holder.mjs SYSTEM FILE`. `limit holder`
// is the same in C. Commands are bytes on stdin:
//   h  take the lock, answer "held"
//   r  note the time, release, and say nothing: on one CPU every microsecond
//      spent after the release is one that the waiter does not get
//   t  answer the time of the release (CLOCK_MONOTONIC, nanoseconds)
// It reads with a blocking read, so between commands it costs nothing.
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { peerPath } from '../prepare.mjs';

const [system, file] = process.argv.slice(2);
const require = createRequire(import.meta.url);

const systems = {
  async plain() {
    const { FileLock } = await import('holdfast');
    let lock;
    return [() => (lock = FileLock.acquireSync(file, { record: false })), () => lock.releaseSync()];
  },
  async json() {
    const { FileLock } = await import('holdfast');
    let lock;
    return [() => (lock = FileLock.acquireSync(file)), () => lock.releaseSync()];
  },
  'fs-ext'() {
    const { flockSync } = require(peerPath('fs-ext'));
    let fd;
    const take = () => {
      fd = openSync(file, 'a+', 0o600);
      flockSync(fd, 'exnb');
    };
    const release = () => {
      flockSync(fd, 'un');
      closeSync(fd);
    };
    return [take, release];
  },
  'fs-native-extensions'() {
    const { tryLock, unlock } = require(peerPath('fs-native-extensions'));
    let fd;
    const take = () => {
      fd = openSync(file, 'a+', 0o600);
      if (!tryLock(fd)) throw new Error('not locked');
    };
    const release = () => {
      unlock(fd);
      closeSync(fd);
    };
    return [take, release];
  },
};

const [take, release] = await systems[system.replace(/-lock$/, '')]();
const command = Buffer.alloc(1);
let released = 0n;
while (readSync(0, command, 0, 1, null) === 1) {
  switch (String.fromCharCode(command[0])) {
    case 'h':
      take();
      writeSync(1, 'held\n');
      break;
    case 'r':
      released = process.hrtime.bigint();
      release();
      break;
    case 't':
      writeSync(1, `${released}\n`);
      break;
  }
}
