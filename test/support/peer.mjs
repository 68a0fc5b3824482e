// Another process (or worker thread) that uses locks as the test asks, one
// message at a time. It runs the built package.
import { disconnect, serve, tell } from './serve.mjs';

// A second copy of the package is given as HOLDFAST_TEST_ENTRY.
const entry =
  process.env.HOLDFAST_TEST_ENTRY ?? new URL('../../dist/index.js', import.meta.url).href;
const holdfast = await import(entry);
const { FileLock } = holdfast;
const locks = new Map();
let locker;

/** `{ engine: 'postgres', connect: … }`: the engine's own options beside its name. */
async function makeLocker({ engine, ...options }) {
  const door = await import(new URL(`../../dist/${engine}.js`, import.meta.url).href);
  return door[`${engine}Locker`](options);
}
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
  /** From then on, locks come from the locker that is described. */
  async use(description) {
    locker = await makeLocker(description);
  },
  async acquire(name, path, options = {}) {
    const controller = new AbortController();
    aborts.set(name, controller);
    const given = {
      ...options,
      signal: controller.signal,
      onWait: (holder) => tell('waiting', name, holder),
    };
    const lock = await (locker ?? FileLock).acquire(path, given);
    locks.set(name, lock);
    // Of an instance lock.
    lock.on?.('lost', (holder) => tell('lost', name, holder));
    // That of a file would start to watch its path.
    if (locker !== undefined) {
      lock.signal?.addEventListener('abort', () => tell('aborted', name, lock.signal.reason.code));
    }
    return describe(lock);
  },
  /** Holds all of them until this peer ends. */
  stayInside(name, paths) {
    return holdfast.withLocks(paths, () => {
      tell('inside', name);
      return new Promise(() => {});
    });
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
  check: (name) => locks.get(name).check(),
  /** Tells the answer of `isCurrent`, and from then on each that differs. */
  watchCurrent(name) {
    let last;
    setInterval(() => {
      const current = locks.get(name).isCurrent();
      if (current !== last) tell('current', name, current);
      last = current;
    }, 1);
  },
  look: (path) => (locker ?? holdfast.fileLocker()).look(path),
  /** Ends the connections of the locker. */
  dispose: () => locker[Symbol.asyncDispose](),
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
