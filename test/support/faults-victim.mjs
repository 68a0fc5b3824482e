// Does one thing with a lock for each order, between two marks that a
// tracer sees. It reads its orders synchronously, so that nothing of its event
// loop comes between.
import { accessSync, readdirSync, readlinkSync, readSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';

const dist = (name) => new URL(`../../dist/${name}`, import.meta.url).href;
const { FileLock } = await import(dist('index.js'));
const { InstanceLock } = await import(dist('instance.js'));
const require = createRequire(import.meta.url);

const say = (value) => writeSync(1, `${JSON.stringify(value)}\n`);
const threads = () => readdirSync('/proc/self/task');
const mark = (name) => {
  try {
    accessSync(`/holdfast-${name}`);
  } catch {
    // The call only needs to appear in the trace.
  }
};

let lock = null;
let fd = -1;
let waiter;

/** So that a thread is there and idle, for the next wait. */
async function warmThread(path) {
  const before = new Set(threads());
  const first = FileLock.acquireSync(path, { record: false });
  const second = FileLock.acquire(path, { record: false });
  first.releaseSync();
  (await second).releaseSync();
  const made = threads().filter((tid) => !before.has(tid));
  if (made.length > 0 || !before.has(waiter)) waiter = made[0];
}

/** A descriptor that holds the lock and belongs to no lock of this process. */
function inherit(path) {
  const root = process.env.HOLDFAST_PREBUILD ?? `${import.meta.dirname}/../..`;
  const native = require(`${root}/prebuilds/${process.platform}-${process.arch}/holdfast.node`);
  const id = native.open(path, 0o600);
  native.tryLock(id, 2);
  fd = native.descriptor(id);
  native.relinquish(id);
}

const started = (promise) => {
  say('started');
  return promise;
};

const acts = {
  none: () => null,
  acquire: (path, options) => FileLock.acquire(path, options),
  wait: (path, options) => started(FileLock.acquire(path, options)),
  acquireSync: (path, options) => FileLock.acquireSync(path, options),
  waitSync: (path, options) => started(null) ?? FileLock.acquireSync(path, options),
  tryAcquire: (path, options) => FileLock.tryAcquire(path, options),
  release: () => lock.releaseSync(),
  update: (_, options) => lock.update(options),
  downgrade: () => lock.downgrade(),
  tryUpgrade: () => lock.tryUpgrade(),
  detach: () => lock.detach(),
  isCurrent: () => lock.isCurrent(),
  adopt: (path, options) => FileLock.adopt(fd, path, options),
  instance: (path, options) => InstanceLock.acquire(path, options),
  inherit,
  warmThread,
};

async function outcomeOf(call) {
  try {
    const value = await call();
    if (typeof value?.releaseSync !== 'function' && typeof value?.release !== 'function') {
      return { value };
    }
    lock = value;
    return { value: 'lock' };
  } catch (error) {
    const { name, code, errno, syscall, path, cause } = error;
    return {
      error: { name, code, errno, syscall, path, ...(cause && { cause: cause.code }) },
    };
  }
}

function descriptorsBelow(folder) {
  return readdirSync('/proc/self/fd').filter((each) => {
    try {
      return readlinkSync(`/proc/self/fd/${each}`).startsWith(folder);
    } catch {
      return false;
    }
  }).length;
}

/** The end of whatever there is, and what is left of it. */
async function finish(path) {
  const outcome = await outcomeOf(async () => void (await lock?.release()));
  const left = { held: lock?.held ?? false, fd: lock?.fd ?? -1 };
  lock = null;
  if (fd >= 0) {
    // The caller's, where it was not adopted.
    const { closeSync } = await import('node:fs');
    try {
      closeSync(fd);
    } catch {
      // It was.
    }
    fd = -1;
  }
  const descriptors = descriptorsBelow(dirname(path));
  return { ...outcome, ...left, descriptors, threads: threads().length };
}

// The first date that is written reads the time zone, and that is not the subject.
new Date().toString();

const buffer = Buffer.alloc(65536);
say('ready');
for (;;) {
  const length = readSync(0, buffer);
  if (length === 0) break;
  const { order, path, act, options } = JSON.parse(buffer.toString('utf8', 0, length));
  if (order === 'prepare') {
    const outcome = await outcomeOf(() => acts[act](path, options));
    say({ ...outcome, waiter });
  } else if (order === 'act') {
    mark('begin');
    const outcome = await outcomeOf(() => acts[act](path, options));
    mark('end');
    // The truth comes from the kernel: another process asks it.
    say({ ...outcome, held: lock?.held ?? false, mode: lock?.mode ?? null, fd: lock?.fd ?? -1 });
  } else {
    say(await finish(path));
  }
}
