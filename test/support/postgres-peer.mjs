// Another process that uses locks of a server as the test asks, one message at a
// time. It runs the built package.
import { spawn } from 'node:child_process';
import { disconnect, serve, tell } from './serve.mjs';

const { postgresLocker } = await import(new URL('../../dist/postgres.js', import.meta.url).href);
const locks = new Map();
const aborts = new Map();
let locker;

serve({
  open(options) {
    locker = postgresLocker(options);
  },
  async acquire(name, options = {}) {
    const controller = new AbortController();
    aborts.set(name, controller);
    const lock = await locker.acquire(name, {
      ...options,
      signal: controller.signal,
      onWait: (holder) => tell('waiting', name, holder),
    });
    locks.set(name, lock);
    lock.signal.addEventListener('abort', () => tell('lost', name, lock.signal.reason.code));
    return { token: lock.token, fd: lock.fd };
  },
  dispose: () => locker[Symbol.asyncDispose](),
  abort: (name) => aborts.get(name).abort(new Error('aborted by the test')),
  release: (name) => locks.get(name).release(),
  check: (name) => locks.get(name).check(),
  isCurrent: (name) => locks.get(name).isCurrent(),
  detach: (name) => locks.get(name).detach(),
  look: (name) => locker.look(name),
  /** A child that has the socket of the lock at a high number, and ends after so many seconds. */
  child(name, seconds) {
    const stdio = ['ignore', 'ignore', 'ignore'];
    stdio[40] = locks.get(name).fd;
    for (let at = 3; at < 40; at++) stdio[at] = 'ignore';
    const child = spawn('sleep', [String(seconds)], { stdio });
    child.unref();
    return child.pid;
  },
  busy(milliseconds) {
    const end = performance.now() + milliseconds;
    while (performance.now() < end);
  },
  exit: (code) => process.exit(code),
  disconnect,
});
