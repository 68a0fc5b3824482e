import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { InstanceLock } from '../../src/instance/instance-lock.js';
import { lockPath, testFolder } from '../support/folder.js';
import { instanceProgram, runningInstance, told } from '../support/instance.js';
import { needs } from '../support/tools.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const NUMBERS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 };

describe('the lock file is gone', () => {
  test.each([
    ['at the end of the program', 'process.stdin.pause();', { code: 0, signal: null }],
    ['after process.exit()', 'process.exit(3);', { code: 3, signal: null }],
    ['after an uncaught error', "throw new Error('on purpose');", { code: 1, signal: null }],
    [
      'after an unhandled rejection',
      "Promise.reject(new Error('on purpose'));",
      { code: 1, signal: null },
    ],
    ['after release and exit', 'await lock.release(); process.exit(0);', { code: 0, signal: null }],
  ])('%s', async (_, ending, end) => {
    const path = lockPath();
    const program = instanceProgram(
      path,
      `const lock = await hold(); say(fs.existsSync(path)); ${ending}`,
    );
    expect(await program.exited).toMatchObject({ ...end, stdout: 'held\ntrue\n' });
    expect(existsSync(path)).toBe(false);
  });

  test.each(SIGNALS)('after %s, and the program ends by that signal', async (signal) => {
    const path = lockPath();
    const program = await runningInstance(path);
    expect(existsSync(path)).toBe(true);
    expect(await program.kill(signal)).toMatchObject({ code: null, signal });
    expect(existsSync(path)).toBe(false);
  });

  test('after a signal to a program with several of them', async () => {
    const path = lockPath();
    const program = instanceProgram(
      path,
      `const locks = [await hold(), await InstanceLock.acquire(args[0])]; say('both');`,
      { args: [`${path}.2`] },
    );
    await program.says('both');
    expect(await program.kill('SIGTERM')).toMatchObject({ signal: 'SIGTERM' });
    expect([existsSync(path), existsSync(`${path}.2`)]).toEqual([false, false]);
  });

  test('after a signal that comes while the program is busy', async () => {
    const path = lockPath();
    const program = instanceProgram(
      path,
      `await hold();
      for (const end = performance.now() + 300; performance.now() < end; );`,
    );
    await program.says('held');
    expect(await program.kill('SIGTERM')).toMatchObject({ signal: 'SIGTERM' });
    expect(existsSync(path)).toBe(false);
  });

  test('but not with keepFile, nor after a signal of another kind', async () => {
    const path = lockPath();
    const kept = await runningInstance(path, { keepFile: true });
    expect(await kept.kill('SIGTERM')).toMatchObject({ signal: 'SIGTERM' });
    expect(readFileSync(path, 'utf8')).toContain(`"pid":${kept.pid}`);
    const other = await runningInstance(path);
    expect(await other.kill('SIGUSR2')).toMatchObject({ signal: 'SIGUSR2' });
    expect(existsSync(path)).toBe(true);
    InstanceLock.acquireSync(path).releaseSync();
    expect(existsSync(path)).toBe(false);
  });

  test('or, with keepFile, without the pid after process.exit()', async () => {
    const path = lockPath();
    const program = instanceProgram(path, 'await hold({ keepFile: true }); process.exit(0);');
    await program.exited;
    expect(readFileSync(path, 'utf8')).toMatch(/^\{"holdfast":\{"token":\d+\}\}\n$/);
  });
});

test.each(SIGNALS)('two copies of the package: %s removes the files of both', async (signal) => {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const copy = testFolder();
  for (const part of ['dist', 'package.json', 'node_modules/node-gyp-build', 'prebuilds']) {
    cpSync(join(root, part), join(copy, part), { recursive: true });
  }
  const path = lockPath();
  const program = instanceProgram(
    path,
    `const other = await import(args[0]);
    const lock = await hold();
    const second = await other.InstanceLock.acquire(path + '.2');
    await other.InstanceLock.acquire(path).catch(tell);
    say(process.listenerCount('SIGTERM') + ' listeners');`,
    { args: [pathToFileURL(join(copy, 'dist/instance.js')).href] },
  );
  await program.says('2 listeners');
  expect(told(program)).toMatchObject([{ name: 'AlreadyRunningError', pid: program.pid }]);
  expect(await program.kill(signal)).toMatchObject({ signal });
  expect([existsSync(path), existsSync(`${path}.2`)]).toEqual([false, false]);
});

describe('as the first process of a container', () => {
  const wrap = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'];
  const SAY_PID = "say('pid ' + process.pid);";

  for (const signal of SIGNALS) {
    needs('unshare', 'root')(`${signal} removes the file and is exit status 128+n`, async () => {
      const path = lockPath();
      const program = instanceProgram(path, `await hold(); ${SAY_PID}`, { wrap });
      await program.says('pid 1');
      const inside = childOf(program.pid);
      process.kill(inside, signal);
      expect(await program.exited).toMatchObject({ code: 128 + NUMBERS[signal], signal: null });
      expect(existsSync(path)).toBe(false);
    });
  }

  needs('unshare', 'root')('its own handler keeps the lock', async () => {
    const path = lockPath();
    const program = instanceProgram(
      path,
      `process.on('SIGTERM', () => { say('kept ' + fs.existsSync(path)); process.exit(5); });
      await hold(); ${SAY_PID}`,
      { wrap },
    );
    await program.says('pid 1');
    process.kill(childOf(program.pid), 'SIGTERM');
    const end = await program.exited;
    expect(end).toMatchObject({ code: 5, stdout: expect.stringContaining('kept true') });
    expect(existsSync(path)).toBe(false);
  });
});

function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
}

describe('in a worker thread', () => {
  const WORKER = (then: string): string => `
    import { Worker } from 'node:worker_threads';
    const source = \`
      import { parentPort } from 'node:worker_threads';
      const { InstanceLock } = await import('\${args[0]}');
      globalThis.lock = await InstanceLock.acquire('\${path}');
      const listeners = ['SIGINT', 'SIGTERM', 'SIGHUP'].map((each) => process.listenerCount(each));
      parentPort.on('message', () => process.exit(0));
      parentPort.postMessage(listeners);\`;
    const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(source)));
    worker.once('message', async (listeners) => {
      say(JSON.stringify({ name: [...listeners, process.listenerCount('SIGTERM')].join(' ') }));
      ${then}
    });`;
  const args = [new URL('../../dist/instance.js', import.meta.url).href];

  test('there is no listener, and its end removes the file', async () => {
    const path = lockPath();
    const program = instanceProgram(
      path,
      WORKER(`
      say(fs.existsSync(path));
      worker.once('exit', () => say(fs.existsSync(path)));
      worker.postMessage('end');`),
      { args },
    );
    const end = await program.exited;
    expect(told(end)).toMatchObject([{ name: '0 0 0 0' }]);
    expect(end).toMatchObject({ code: 0, stdout: expect.stringContaining('true\nfalse\n') });
  });

  test('process.exit() removes the file, a signal leaves it and the next start succeeds', async () => {
    const path = lockPath();
    const exiting = instanceProgram(path, WORKER('process.exit(4);'), { args });
    expect(await exiting.exited).toMatchObject({ code: 4 });
    expect(existsSync(path)).toBe(false);
    const signalled = instanceProgram(path, WORKER(`process.kill(process.pid, 'SIGTERM');`), {
      args,
    });
    expect(await signalled.exited).toMatchObject({ signal: 'SIGTERM' });
    using lock = InstanceLock.acquireSync(path);
    expect(lock.previous).toMatchObject({ pid: signalled.pid, running: false });
  });
});
