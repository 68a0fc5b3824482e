// One process of bench/behaviour.mjs: uses one library as its README shows.
import { openSync, readFile } from 'node:fs';
import { createRequire } from 'node:module';

const [library, role, path] = process.argv.slice(2);
const peer = () => createRequire(import.meta.url)(`../peers/node_modules/${library}`);
const say = (text) => process.stdout.write(`${text}\n`);

/** What each library offers: to acquire, waiting; to try; to cancel a wait. */
const adapters = {
  async holdfast() {
    const { FileLock } = await import('../../dist/index.js');
    return {
      acquire: (signal) => FileLock.acquire(path, { signal }),
      attempt: () => FileLock.acquire(path, { timeout: 0 }),
      cancellable: true,
    };
  },
  'proper-lockfile'() {
    const { lock } = peer();
    // Its defaults, and retries often enough to see a free lock soon.
    const retries = { forever: true, minTimeout: 10, maxTimeout: 50 };
    return { acquire: () => lock(path, { retries }), attempt: () => lock(path) };
  },
  'fs-ext'() {
    const { flock } = peer();
    const call = (flag) =>
      new Promise((resolve, reject) => {
        flock(openSync(path, 'a+'), flag, (error) => (error ? reject(error) : resolve()));
      });
    return { acquire: () => call('ex'), attempt: () => call('exnb') };
  },
  'fs-native-extensions'() {
    const { tryLock, waitForLock } = peer();
    return {
      acquire: () => waitForLock(openSync(path, 'a+')),
      async attempt() {
        if (!tryLock(openSync(path, 'a+'))) throw new Error('not granted');
      },
    };
  },
};

const { acquire, attempt, cancellable } = await adapters[library]();
let kept;

if (role === 'hold') {
  kept = await acquire();
  say('held');
} else if (role === 'block') {
  kept = await acquire();
  say('held');
  setImmediate(() => {
    const until = performance.now() + 15_000;
    while (performance.now() < until);
  });
} else if (role === 'wait') {
  const waiting = acquire();
  setImmediate(() => say('waiting'));
  kept = await waiting;
  say('acquired');
} else if (role === 'starve') {
  for (let index = 0; index < 4; index++) acquire().catch(() => {});
  setImmediate(() => readFile(import.meta.filename, () => say('read')));
} else if (role === 'cancel') {
  if (!cancellable) say('no way to do it');
  else acquire(AbortSignal.timeout(100)).catch(() => say('cancelled'));
} else if (role === 'refused') {
  await attempt().catch((error) => say(`${error.message} ${JSON.stringify(error)}`));
}
setInterval(() => kept, 60_000);
