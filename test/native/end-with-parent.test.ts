import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, onTestFinished, test as plainTest } from 'vitest';
import { until } from '../support/census.js';
import { ROOT } from '../support/package-project.js';
import { inTwoSizes } from '../support/sizes.js';

const test = plainTest.runIf(process.platform === 'linux');
const FIND = JSON.stringify(createRequire(import.meta.url).resolve('node-gyp-build'));

const SPAWN = `
  const addon = require(${FIND})(${JSON.stringify(ROOT)});
  const start = (endWithParent, words, onEnd = () => {}) => addon.spawn({
    arguments: words, added: [], kept: [], lock: -1, lockNumber: -1, ignored: [], blocked: [],
    mostFiles: -1, blockingStreams: 0, endWithParent,
  }, onEnd);`;

/** A process that runs a command beside itself. It prints the pid of that. */
async function parentOf(source: string): Promise<{ parent: ChildProcess; pid: number }> {
  const parent = spawn(process.execPath, ['-e', SPAWN + source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(parent.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  const pid = Number(String(line).trim());
  expect(pid).toBeGreaterThan(1);
  onTestFinished(() => {
    parent.kill('SIGKILL');
    if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  });
  return { parent, pid };
}

/** A zombie is not: whoever reaps it may take its time. */
function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

const sleeping = (endWithParent: boolean): string =>
  `console.log(start(${endWithParent}, ['sleep', '60']));`;

describe.each([
  ['is killed', (parent: ChildProcess) => parent.kill('SIGKILL')],
  ['is terminated', (parent: ChildProcess) => parent.kill('SIGTERM')],
  ['crashes', (parent: ChildProcess) => parent.kill('SIGSEGV')],
])('when the parent %s', (_, end) => {
  test('a command that ends with it is gone', async () => {
    const { parent, pid } = await parentOf(sleeping(true));
    end(parent);
    await once(parent, 'exit');
    await until(() => !isAlive(pid));
  });

  test('another one goes on', async () => {
    const { parent, pid } = await parentOf(sleeping(false));
    end(parent);
    await once(parent, 'exit');
    // Shows that nothing happens: the kernel would have sent its signal by now.
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(isAlive(pid)).toBe(true);
  });
});

test('when the parent exits by itself, it is gone too', async () => {
  const { parent, pid } = await parentOf(
    `${sleeping(true)} setTimeout(() => process.exit(0), 50);`,
  );
  await once(parent, 'exit');
  await until(() => !isAlive(pid));
});

test('a command cannot keep the signal away', async () => {
  const words = ['sh', '-c', 'trap "" TERM INT HUP; while :; do sleep 1; done'];
  const { parent, pid } = await parentOf(`console.log(start(true, ${JSON.stringify(words)}));`);
  parent.kill('SIGKILL');
  await until(() => !isAlive(pid));
});

test('the end of the worker that has started it is not the end of the parent', async () => {
  const { parent, pid } = await parentOf(`
    const { Worker, isMainThread } = require('node:worker_threads');
    const source = ${JSON.stringify(`${SPAWN} require('node:worker_threads').parentPort.postMessage(start(true, ['sleep', '60']));`)};
    const worker = new Worker(source, { eval: true });
    worker.once('message', async (pid) => {
      await worker.terminate();
      setTimeout(() => console.log(pid), 100);
    });
    setInterval(() => {}, 1000);`);
  expect(isAlive(pid)).toBe(true);
  parent.kill('SIGKILL');
  await until(() => !isAlive(pid));
});

test('its end is reported as that of any other', async () => {
  const { parent, pid } = await parentOf(`
    const pid = start(true, ['sh', '-c', 'kill -9 $$'], (exited, status) => {
      console.log(pid);
      process.exit(exited ? 1 : status);
    });`);
  const [code] = await once(parent, 'exit');
  expect(code).toBe(9);
  expect(isAlive(pid)).toBe(false);
});

inTwoSizes(
  (rounds) => `a parent that is killed at any moment of the start leaves nothing behind: ${rounds}`,
  { short: 3, long: 10 },
  async (rounds) => {
    for (let round = 0; round < rounds; round++) {
      const name = `6${process.pid}.${round}`;
      const parent = spawn(
        process.execPath,
        ['-e', `${SPAWN} for (let n = 0; n < 500; n++) start(true, ['sleep', '${name}']);`],
        { stdio: ['ignore', 'ignore', 'inherit'] },
      );
      await until(() => running(name) > (round * 100) / rounds);
      parent.kill('SIGKILL');
      await once(parent, 'exit');
      await until(() => running(name) === 0);
    }
  },
  test,
);

/** How many `sleep NAME` there are. */
function running(name: string): number {
  return processes().filter((words) => words[0] === 'sleep' && words[1] === name).length;
}

/** The words of each process. */
function processes(): string[][] {
  const pids = readdirSync('/proc').filter((each) => /^\d+$/.test(each));
  return pids.map((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    } catch {
      return [];
    }
  });
}
