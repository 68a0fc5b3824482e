import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readBounded } from '../../src/base/bounded.js';
import { offsetOfExpiry } from '../../src/claims/claim-text.js';
import { Budget, type Look, type Walk, walkSync } from '../../src/holders/kernel-tables.js';
import { viewKernel } from '../../src/holders/kernel-view.js';
import { readContent } from '../../src/holders/lock-file.js';
import { whilePinned } from '../../src/holders/pinned-file.js';
import { holderInBurst, holderOf, looksSoFar } from '../../src/holders/who-holds.js';
import { FileLock, inspect, inspectFolder } from '../../src/index.js';
import { lockPath, testFolder } from '../support/folder.js';
import { holding, LONGEST_MILLISECONDS, refusalSoon } from '../support/holding.js';
import { limit } from '../support/limit.js';
import { Peer } from '../support/peer.js';
import { errorOf } from '../support/refused.js';
import { needs } from '../support/tools.js';

describe('a holder that makes itself long', () => {
  const LONG = {
    '40 KiB of NUL and an x': "[''] * 40960 + ['x']",
    '200 KiB of NUL and an x': "[''] * 204800 + ['x']",
    '100,000 arguments': "['ab'] * 100000",
    'one argument of 100 KiB': "['y' * 102400]",
  };
  for (const [title, args] of Object.entries(LONG)) {
    needs('python3')(title, async () => {
      const path = lockPath();
      const holder = await holding(path, 'f = hold()', args);
      const error = await refusalSoon(path);
      expect(error.holder).toMatchObject({ pid: holder.pid, verified: true });
      expect(String(error.holder['command']).length).toBeLessThanOrEqual(200);
      const { holders } = await inspect(path);
      expect(holders).toMatchObject([{ pid: holder.pid, verified: true }]);
    });
  }

  needs('python3')(
    '10,000 descriptors before the one with the lock: not verified',
    { tags: ['long'] },
    async () => {
      const path = lockPath();
      const many = `
resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
all = [os.open('/dev/null', os.O_RDONLY) for _ in range(10000)]
f = hold()`;
      const holder = await holding(path, many);
      const { holder: named } = await refusalSoon(path);
      expect(named).toMatchObject({ pid: holder.pid, source: 'kernel', verified: false });
      // One who asks for it has the time to wait.
      expect((await inspect(path)).holders).toMatchObject([{ pid: holder.pid, verified: true }]);
    },
  );

  needs('python3')('a name with a bracket, newlines and escapes', async () => {
    const path = lockPath();
    const named = `
f = hold()
ctypes.CDLL(None).prctl(15, b") R 1\\n\\x1b[3(\\n", 0, 0, 0)
print('named', flush=True)`;
    const holder = await holding(path, named);
    await holder.says('named');
    expect((await refusalSoon(path)).holder).toMatchObject({ pid: holder.pid, verified: true });
  });

  needs('python3')('one that is dead, but for its parent: free', async () => {
    const path = lockPath();
    const zombie = `
if os.fork() == 0:
    hold()
    os._exit(0)
os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
print('a zombie', flush=True)`;
    const holder = await holding(path, zombie);
    await holder.says('a zombie');
    expect((await inspect(path)).state).toBe('free');
  });
});

describe('waits that end together', () => {
  const WAITS = 1000;

  test('share one look, and name this very process', async () => {
    const path = lockPath();
    using lock = FileLock.acquireSync(path, { data: { port: 80 } });
    const errors = await Promise.all(
      Array.from({ length: WAITS }, () => errorOf(() => FileLock.acquire(path, { timeout: 300 }))),
    );
    for (const error of errors) {
      expect(error).toMatchObject({
        code: 'ERR_LOCK_TIMEOUT',
        holder: { pid: process.pid, self: true, data: { port: 80 }, since: expect.any(Date) },
      });
    }
    expect(lock.held).toBe(true);
  });

  test('cost no more than one', () => {
    const path = lockPath();
    using _lock = FileLock.acquireSync(path);
    const readsIn = (look: () => unknown): number => {
      const before = readsOf();
      look();
      return readsOf() - before;
    };
    const one = readsIn(() => holderOf(path));
    expect(one).toBeGreaterThan(0);
    const began = looksSoFar();
    const together = readsIn(() => Array.from({ length: 200 }, () => holderInBurst(path, began)));
    expect(together).toBeLessThan(4 * one);
  });

  test('a wait that began later sees what changed in between', () => {
    const path = lockPath();
    using lock = FileLock.acquireSync<{ port: number }>(path, { data: { port: 1 } });
    const began = looksSoFar();
    expect(holderInBurst(path, began)).toMatchObject({ self: true, data: { port: 1 } });
    lock.update({ port: 2 });
    expect(holderInBurst(path, looksSoFar())).toMatchObject({ self: true, data: { port: 2 } });
    expect(holderInBurst(path, began)).toMatchObject({ self: true, data: { port: 2 } });
  });

  test('in a later turn it is looked up anew', async () => {
    const path = lockPath();
    const lock = FileLock.acquireSync(path, { data: { port: 1 } });
    const refusal = () => errorOf(() => FileLock.acquire(path, { timeout: 0 }));
    expect(await refusal()).toMatchObject({ holder: { self: true, data: { port: 1 } } });
    lock.update({ port: 2 });
    expect(await refusal()).toMatchObject({ holder: { self: true, data: { port: 2 } } });
    lock.releaseSync();
    const peer = await Peer.start();
    await peer.acquire('a', path, { data: { port: 3 } });
    expect(await refusal()).toMatchObject({ holder: { pid: peer.pid, data: { port: 3 } } });
  });

  test('each has its own holder to change', () => {
    const path = lockPath();
    using _lock = FileLock.acquireSync(path);
    const began = looksSoFar();
    const [one, other] = [holderInBurst(path, began), holderInBurst(path, began)];
    expect(one).toEqual(other);
    expect(one).not.toBe(other);
  });

  test('on many paths get the time of one look: the rest say what the file says', {
    tags: ['long'],
  }, () => {
    const folder = testFolder();
    const paths = Array.from({ length: 2000 }, (_, index) => join(folder, `${index}.lock`));
    const locks = paths.map((path) => FileLock.acquireSync(path, { data: { path } }));
    const began = looksSoFar();
    const holders = paths.map((path) => holderInBurst(path, began));
    holders.forEach((holder, index) => {
      expect(holder).toMatchObject({ pid: process.pid, self: true, data: { path: paths[index] } });
    });
    expect(holders[0]).toMatchObject({ source: 'kernel' });
    expect(holders.at(-1)).toMatchObject({ source: 'record', verified: false });
    for (const lock of locks) lock.releaseSync();
  });
});

/** Answers each look truthfully, or with what `answer` makes of it. */
function walkWith<R>(walk: Walk<R>, answer: (look: Look) => string | undefined): R {
  let step = walk.next();
  while (step.done !== true) {
    const look = step.value;
    const one = (function* (): Walk<string | string[] | null> {
      return yield look;
    })();
    step = walk.next(answer(look) ?? walkSync(one));
  }
  return step.value;
}

/** Answers all looks, and counts those for which `which` is true. */
function countLooks<R>(walk: Walk<R>, which: (look: Look) => boolean): number {
  let count = 0;
  walkWith(walk, (look) => {
    if (which(look)) count++;
    return undefined;
  });
  return count;
}

describe('a table that misses a lock that is held', () => {
  const OTHER = '1: FLOCK  ADVISORY  WRITE 1 00:01:';

  /** Other locks come and go, and push this one out of each read. */
  function viewMissed(path: string, everyHolder: boolean, changing: boolean) {
    let reads = 0;
    const content = readContent(path);
    return whilePinned(path, (file) =>
      walkWith(viewKernel(file ?? '', content, { everyHolder }), (look) => {
        if (!('text' in look) || look.text !== '/proc/locks') return undefined;
        return `${OTHER}${changing ? reads++ : reads} 0 EOF\n`;
      }),
    );
  }

  test('the process that the record names is looked at', () => {
    const path = lockPath();
    using _lock = FileLock.acquireSync(path, { data: { port: 80 } });
    const named = [{ pid: process.pid, self: true, verified: true, data: { port: 80 } }];
    for (const everyHolder of [false, true]) {
      const view = viewMissed(path, everyHolder, false);
      expect(view).toMatchObject({ mode: 'exclusive', holders: named });
    }
  });

  test('no record: an inspection searches every process if the table changed', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path, { record: false });
    const named = [{ pid: peer.pid, verified: true }];
    expect(viewMissed(path, true, true)).toMatchObject({ mode: 'exclusive', holders: named });
    expect(viewMissed(path, true, false)).toMatchObject({ mode: null, holders: [] });
    // Nobody waits for that to be told who refused.
    expect(viewMissed(path, false, true)).toMatchObject({ mode: null, holders: [] });
  });

  test('a lock that is free stays free', () => {
    const path = lockPath();
    FileLock.acquireSync(path).releaseSync();
    expect(viewMissed(path, true, true)).toMatchObject({ mode: null, holders: [] });
  });
});

describe('what is read', () => {
  needs('python3')('is bounded, each', async () => {
    const path = lockPath();
    await holding(path, 'f = hold()');
    whilePinned(path, (file) => {
      const unbounded = (look: Look): boolean => !(look.limit > 0);
      expect(countLooks(viewKernel(file ?? '', null, { everyHolder: true }), unbounded)).toBe(0);
    });
  });

  test('ends when the time is up: it says less, and that it does', () => {
    const path = lockPath();
    using _lock = FileLock.acquireSync(path);
    whilePinned(path, (file) => {
      const budget = new Budget(1000, 0);
      const options = { everyHolder: true, budget };
      const view = walkSync(viewKernel(file ?? '', readContent(path), options));
      // But who took it, by the table or by the record, is looked up, however late.
      expect(view?.holders).toMatchObject([{ pid: process.pid, verified: true }]);
      expect(budget.cut).toBe(true);
    });
  });

  test('has no more bytes than were asked for', () => {
    const path = lockPath();
    writeFileSync(path, 'x'.repeat(300_000));
    for (const limit of [0, 1, 4095, 4096, 4097, 65_537, 300_000]) {
      expect(readBounded(path, limit).length).toBe(limit);
    }
    expect(readBounded(path, 300_001).toString()).toBe('x'.repeat(300_000));
    expect(readBounded('/dev/zero', 10_000).length).toBe(10_000);
    expect(readBounded('/proc/self/maps', 2 ** 20).toString()).toContain('node');
  });

  test('of a claim, in linear time', () => {
    const field = '"expires_at":"2222-02-22T22:22:22Z"';
    const inner = Array(20_000).fill(`{${field}}`).join(',');
    const began = performance.now();
    expect(offsetOfExpiry(Buffer.from(`{"a":[${inner}],${field}}`))).toBe(-1);
    expect(performance.now() - began).toBeLessThan(limit(LONGEST_MILLISECONDS));
  });
});

test('a folder of free lock files takes a few reads of the tables', async () => {
  const folder = testFolder();
  const count = 1500;
  for (let index = 0; index < count; index++) writeFileSync(join(folder, `${index}.lock`), '');
  mkdirSync(join(folder, 'folder.lock'));
  using _held = FileLock.acquireSync(join(folder, '7.lock'));
  const before = readsOf();
  const states = new Map<string, number>();
  for await (const { state } of inspectFolder(folder)) {
    states.set(state, (states.get(state) ?? 0) + 1);
  }
  expect(Object.fromEntries(states)).toEqual({ held: 1, free: count - 1 });
  // A look at each process for each file would be some thousand times as many.
  expect((readsOf() - before) / count).toBeLessThan(60);
});

/** System calls that read, of this process. */
function readsOf(): number {
  return Number(/^syscr: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
}
