import { describe, expect, test } from 'vitest';
import { FileLock, inspect } from '../../src/index.js';
import { until } from '../support/census.js';
import { lockPath } from '../support/folder.js';
import { limit } from '../support/limit.js';
import { Program } from '../support/program.js';

const waits = (count: number, then: string): string => `
  for (let count = 0; count < ${count}; count++) FileLock.acquire(args[0]).then(() => say('granted'));
  ${then}`;

describe('the life of a process', () => {
  test('a pending wait keeps it alive until it is granted', async () => {
    const path = lockPath();
    const held = FileLock.acquireSync(path);
    const program = Program.module(waits(1, "say('waiting');"), [path]);
    await program.says('waiting');
    await until(async () => (await inspect(path)).waiters.includes(program.pid));
    // Shows that nothing happens: with nothing to keep it, it would end at once.
    await new Promise((resolve) => setTimeout(resolve, 200));
    held.releaseSync();
    expect(await program.exited).toMatchObject({ code: 0, stdout: 'waiting\ngranted\n' });
  });

  test.each([
    ['a held lock', 'globalThis.kept = await FileLock.acquire(args[0]);'],
    [
      'a lock that was waited for',
      `
      const first = FileLock.acquireSync(args[0]);
      const second = FileLock.acquire(args[0]);
      first.releaseSync();
      globalThis.kept = await second;`,
    ],
    [
      'a wait that was given up',
      `
      globalThis.kept = FileLock.acquireSync(args[0]);
      await FileLock.acquire(args[0], { timeout: 20 }).catch((error) => {
        if (error.code !== 'ERR_LOCK_TIMEOUT') throw error;
      });`,
    ],
  ])('%s does not keep it alive, and its end is a release', async (_, source) => {
    const path = lockPath();
    const program = Program.module(`${source} say('held');`, [path]);
    expect(await program.exited).toMatchObject({ code: 0, stdout: 'held\n', stderr: '' });
    using lock = FileLock.acquireSync(path);
    expect(lock.previous).toBeNull();
  });

  test.each([
    ['process.exit()', "say('ending'); process.exit(3);", { code: 3, signal: null }],
    ['an uncaught error', "say('ending'); throw new Error('on purpose');", { code: 1 }],
    ['SIGTERM', "say('ending'); process.kill(process.pid, 'SIGTERM');", { signal: 'SIGTERM' }],
  ])('%s in the middle of 50 waits ends it at once', async (_, ending, end) => {
    const path = lockPath();
    using _held = FileLock.acquireSync(path);
    const program = Program.module(waits(50, `setTimeout(() => { ${ending} }, 20);`), [path]);
    await program.says('ending');
    const started = performance.now();
    expect(await program.exited).toMatchObject({ ...end, stdout: 'ending\n' });
    expect(performance.now() - started).toBeLessThan(limit(2000));
    expect((await inspect(path)).waiters).toEqual([]);
  });

  test('importing and locking install no listener, and leave umask and the exit code alone', async () => {
    const program = Program.module(
      `
      const state = () => JSON.stringify([process.eventNames(), process.exitCode, process.umask()]);
      const before = state();
      process.umask(0o027);
      process.umask(JSON.parse(before)[2]);
      const lock = await FileLock.acquire(args[0]);
      const waiting = FileLock.acquire(args[0]);
      await FileLock.acquire(args[0], { timeout: 5 }).catch(() => {});
      await lock.release();
      await (await waiting).release();
      say(state() === before ? 'same' : state());`,
      [lockPath()],
    );
    expect(await program.exited).toMatchObject({ code: 0, stdout: 'same\n' });
  });
});

describe('a FileLock that is garbage-collected while held', () => {
  test('stays locked, and a warning names its path', async () => {
    const path = lockPath();
    const program = Program.module(
      `
      process.on('warning', ({ name, code, message }) => {
        say(JSON.stringify({ name, code, path: message.includes(args[0]) }));
      });
      await (async () => {
        await FileLock.acquire(args[0]);
      })();
      const timer = setInterval(() => gc(), 5);
      process.once('warning', () => clearInterval(timer));
      process.stdin.resume();`,
      [path],
      { execArgv: ['--expose-gc', '--no-warnings'] },
    );
    await program.says('\n');
    expect(JSON.parse(program.stdout)).toEqual({
      name: 'HoldfastWarning',
      code: 'HOLDFAST_LOCK_COLLECTED',
      path: true,
    });
    expect(FileLock.tryAcquire(path)).toBeNull();
    expect(await program.end()).toMatchObject({ code: 0 });
    FileLock.acquireSync(path).releaseSync();
  });

  test('causes no warning if it was released, detached or lost before', async () => {
    const path = lockPath();
    const program = Program.module(
      `
      process.on('warning', ({ code }) => say(String(code)));
      const collected = new Promise((resolve) => {
        globalThis.registry = new FinalizationRegistry(resolve);
      });
      await (async () => {
        for (const end of ['release', 'releaseSync', 'detach']) {
          const lock = await FileLock.acquire(args[0]);
          await lock[end]();
          registry.register(lock);
        }
        const shared = () => FileLock.acquireSync(args[0], { mode: 'shared' });
        const other = shared();
        if (shared().tryUpgrade()) throw new Error('upgraded');
        other.releaseSync();
      })();
      // A lock is watched, and may be collected, from its first 100 ms on.
      await new Promise((resolve) => setTimeout(resolve, 150));
      const timer = setInterval(() => gc(), 5);
      await collected;
      for (let turn = 0; turn < 5; turn++) {
        gc();
        await new Promise(setImmediate);
      }
      clearInterval(timer);
      say('done');`,
      [path],
      { execArgv: ['--expose-gc', '--no-warnings'] },
    );
    expect(await program.exited).toMatchObject({ code: 0, stdout: 'done\n' });
  });
});
