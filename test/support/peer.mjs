// Another process (or worker thread) that does with locks what the test tells
// it to, one message at a time. It runs the built package.
import { disconnect, serve, tell } from './serve.mjs';

// A second copy of the package is given as HOLDFAST_TEST_ENTRY.
const entry =
  process.env.HOLDFAST_TEST_ENTRY ?? new URL('../../dist/index.js', import.meta.url).href;
const holdfast = await import(entry);
const { FileLock } = holdfast;
const locks = new Map();
const aborts = new Map();

const describe = (lock) =>
  lock && {
    path: lock.path,
    held: lock.held,
    mode: lock.mode,
    fd: lock.fd,
    token: lock.token,
    previous: lock.previous,
  };

serve({
  async acquire(name, path, options = {}) {
    const controller = new AbortController();
    aborts.set(name, controller);
    const lock = await FileLock.acquire(path, {
      ...options,
      signal: controller.signal,
      onWait: (holder) => tell('waiting', name, holder),
    });
    locks.set(name, lock);
    // Of an instance lock.
    lock.on?.('lost', (holder) => tell('lost', name, holder));
    return describe(lock);
  },
  acquireSync(name, path, options) {
    const lock = FileLock.acquireSync(path, options);
    locks.set(name, lock);
    return describe(lock);
  },
  tryAcquire(name, path, options) {
    const lock = FileLock.tryAcquire(path, options);
    if (lock) locks.set(name, lock);
    return describe(lock);
  },
  adopt(name, fd, path, options) {
    const lock = FileLock.adopt(fd, path, options);
    locks.set(name, lock);
    return describe(lock);
  },
  abort: (name) => aborts.get(name).abort(new Error('aborted by the test')),
  release: (name) => locks.get(name).release(),
  releaseSync: (name) => locks.get(name).releaseSync(),
  detach: (name) => locks.get(name).detach(),
  downgrade: (name) => locks.get(name).downgrade(),
  tryUpgrade: (name) => locks.get(name).tryUpgrade(),
  update: (name, patch) => locks.get(name).update(patch),
  isCurrent: (name) => locks.get(name).isCurrent(),
  describe: (name) => describe(locks.get(name)),
  inspect: (path, options) => holdfast.inspect(path, options),
  busy(milliseconds) {
    const end = performance.now() + milliseconds;
    while (performance.now() < end);
  },
  exit: (code) => process.exit(code),
  throwUncaught() {
    setImmediate(() => {
      throw new Error('uncaught, on purpose');
    });
  },
  disconnect,
});
