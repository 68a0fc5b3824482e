// The process that waits: `handoff-waiter.mjs SYSTEM FILE`. `limit waiter` is
// the same in C. At a byte on stdin it starts to wait for the lock, says
// "waiting", and once its JavaScript runs with the lock notes the time
// (CLOCK_MONOTONIC, nanoseconds), releases, and answers that time.
import { closeSync, fstatSync, openSync, statSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { peerPath } from '../prepare.mjs';

const [system, file] = process.argv.slice(2);
const require = createRequire(import.meta.url);

async function holdfast(options) {
  const { FileLock } = await import('holdfast');
  return async () => {
    const pending = FileLock.acquire(file, options);
    writeSync(1, 'waiting\n');
    const lock = await pending;
    const acquired = process.hrtime.bigint();
    lock.releaseSync();
    writeSync(1, `${acquired}\n`);
  };
}

const systems = {
  plain: () => holdfast({ record: false }),
  json: () => holdfast({}),
  /** What a lock on top of fs-ext cannot do without: a promise, and the path compared. */
  'fs-ext-lock'() {
    const { flock, flockSync } = require(peerPath('fs-ext'));
    const flockAsync = promisify(flock);
    const wait = async () => {
      const fd = openSync(file, 'a+', 0o600);
      const pending = flockAsync(fd, 'ex');
      writeSync(1, 'waiting\n');
      await pending;
      const [held, named] = [fstatSync(fd), statSync(file)];
      if (held.ino !== named.ino || held.dev !== named.dev) throw new Error('replaced');
      return fd;
    };
    return async () => {
      const fd = await wait();
      const acquired = process.hrtime.bigint();
      flockSync(fd, 'un');
      closeSync(fd);
      writeSync(1, `${acquired}\n`);
    };
  },
  'fs-ext'() {
    const { flock, flockSync } = require(peerPath('fs-ext'));
    return () => {
      const fd = openSync(file, 'a+', 0o600);
      flock(fd, 'ex', (error) => {
        const acquired = process.hrtime.bigint();
        if (error) throw error;
        flockSync(fd, 'un');
        closeSync(fd);
        writeSync(1, `${acquired}\n`);
      });
      writeSync(1, 'waiting\n');
    };
  },
  'fs-native-extensions'() {
    const { unlock, waitForLock } = require(peerPath('fs-native-extensions'));
    return async () => {
      const fd = openSync(file, 'a+', 0o600);
      const pending = waitForLock(fd);
      writeSync(1, 'waiting\n');
      await pending;
      const acquired = process.hrtime.bigint();
      unlock(fd);
      closeSync(fd);
      writeSync(1, `${acquired}\n`);
    };
  },
};

const waitOnce = await systems[system]();
process.stdin.on('data', () => void waitOnce());
// process.exit would wait for a pool thread that is blocked in flock.
process.stdin.on('end', () => process.kill(process.pid, 'SIGKILL'));
