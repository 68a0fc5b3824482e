import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import { withNextId } from '../../src/next-id.js';
import { testFolder } from '../support/folder.js';
import {
  counterIn,
  idsIn,
  nextIdProgram,
  oneTo,
  randomFrom,
  tell,
} from '../support/next-id-program.js';
import type { Program } from '../support/program.js';
import { errorOf } from '../support/refused.js';
import { runScript } from '../support/script.js';
import { inTwoSizes } from '../support/sizes.js';

const LOCK = '.next-id.lock';
const NEXT_ID = new URL('../../dist/next-id.js', import.meta.url).href;

/** Makes its entry at once, and says `id N`. */
const CREATOR = `
const { id } = await withNextId(dir, make);
say('id ' + id);
`;

/** Says when it is in \`create\`, when its entry is there, and goes on when told to. */
const STEPS = `
const { id } = await withNextId(dir, async (id) => {
  say('create ' + id);
  await line();
  make(id);
  say('made ' + id);
  await line();
});
say('id ' + id);
`;

async function idOf(program: Program): Promise<number> {
  const { code, stdout, stderr } = await program.end();
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return Number(/^id (\d+)$/m.exec(stdout)?.[1]);
}

const next = async (folder: string): Promise<number> => (await withNextId(folder, () => {})).id;

describe('processes at once', () => {
  inTwoSizes(
    (count) => `${count} have ids 1 to ${count}, none twice`,
    { short: 6, long: 30 },
    async (count) => {
      const folder = testFolder();
      const ids = await Promise.all(oneTo(count).map(() => idOf(nextIdProgram(folder, CREATOR))));
      expect(ids.sort((one, other) => one - other)).toEqual(oneTo(count));
      expect(idsIn(folder)).toEqual(oneTo(count));
      expect(counterIn(folder)).toBe(`${count}\n`);
    },
  );

  test('thirty, a third of them killed in between: no id twice, and none left out', {
    tags: ['long'],
  }, async () => {
    const folder = testFolder();
    const random = randomFrom(20);
    const told: number[] = [];
    // Each is told when to make its entry and when to return.
    const killed = await Promise.all(
      oneTo(30).map(async (each) => {
        const program = nextIdProgram(folder, STEPS);
        const victim = each % 3 === 0;
        const point = victim ? (['create ', 'made '] as const)[Math.floor(random() * 2)] : null;
        await program.says('create ');
        if (point === 'create ') return program.kill().then(() => true);
        tell(program);
        await program.says('made ');
        if (point === 'made ') return program.kill().then(() => true);
        tell(program);
        told.push(await idOf(program));
        return false;
      }),
    );
    expect(killed.filter(Boolean)).toHaveLength(10);
    expect(new Set(told).size).toBe(20);
    // Whether killed before its entry was there or after: no hole.
    const made = idsIn(folder);
    expect(made).toEqual(oneTo(made.length));
    expect(made).toEqual(expect.arrayContaining(told));
    const rest = 30 - made.length;
    await Promise.all(oneTo(rest).map(() => idOf(nextIdProgram(folder, CREATOR))));
    expect(idsIn(folder)).toEqual(oneTo(30));
  });
});

describe('a process that is killed', () => {
  test('before its entry was there leaves no hole', async () => {
    const folder = testFolder();
    const program = nextIdProgram(folder, STEPS);
    await program.says('create 1\n');
    await program.kill();
    expect(counterIn(folder)).toBe(null);
    expect(await next(folder)).toBe(1);
  });

  test('between its entry and the counter: the id is given out', async () => {
    const folder = testFolder();
    const program = nextIdProgram(folder, STEPS);
    await program.says('create 1\n');
    tell(program);
    await program.says('made 1\n');
    await program.kill();
    expect(counterIn(folder)).toBe(null);
    expect(await next(folder)).toBe(2);
    expect(counterIn(folder)).toBe('2\n');
  });

  test('lets the next one in, who waited', async () => {
    const folder = testFolder();
    const program = nextIdProgram(folder, STEPS);
    await program.says('create 1\n');
    const second = nextIdProgram(folder, `say('up');\n${CREATOR}`);
    await second.says('up\n');
    await program.kill();
    expect(await idOf(second)).toBe(1);
  });

  test('while it waits uses up no id', async () => {
    const folder = testFolder();
    const first = nextIdProgram(folder, STEPS);
    await first.says('create 1\n');
    const waiting = nextIdProgram(
      folder,
      `import { fileLocker } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)};
      const inner = fileLocker();
      const locker = {
        acquire: (path, options) => inner.acquire(path, { ...options, onWait: () => say('waits') }),
      };
      await withNextId(dir, { locker }, make);`,
    );
    await waiting.says('waits\n');
    await waiting.kill();
    tell(first);
    await first.says('made 1\n');
    tell(first);
    expect(await idOf(first)).toBe(1);
    expect(await next(folder)).toBe(2);
  });

  test('with a child that was given the descriptor: the next one waits for the child', async () => {
    const folder = testFolder();
    const program = nextIdProgram(
      folder,
      `import { spawn } from 'node:child_process';
      await withNextId(dir, (id, { fd }) => new Promise(() => {
        const child = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
        child.once('spawn', () => say('child ' + child.pid + ' works'));
      }));`,
    );
    await program.says(' works\n');
    const child = Number(/^child (\d+)/m.exec(program.stdout)?.[1]);
    await program.kill();
    const error = await errorOf(() => withNextId(folder, { timeout: 50 }, () => {}));
    expect(error).toMatchObject({ code: 'ERR_LOCK_TIMEOUT', holder: { pid: child } });
    const waiting = next(folder);
    process.kill(child, 'SIGKILL');
    expect(await waiting).toBe(1);
  });
});

describe('another process that creates', () => {
  test.each([
    [0, 'ERR_LOCK_HELD'],
    [40, 'ERR_LOCK_TIMEOUT'],
  ])('is named after %i ms: %s', async (timeout, code) => {
    const folder = testFolder();
    const program = nextIdProgram(folder, STEPS);
    await program.says('create 1\n');
    const error = await errorOf(() => withNextId(folder, { timeout }, () => {}));
    expect(error).toMatchObject({
      code,
      path: join(folder, LOCK),
      holder: { pid: program.pid, self: false },
    });
  });

  test('twice the same, because the lock file was removed: the first learns of it', async () => {
    const folder = testFolder();
    const program = nextIdProgram(
      folder,
      `await withNextId(dir, async (id) => { say('create ' + id); await line(); })
        .catch((error) => say(error.code));`,
    );
    await program.says('create 1\n');
    rmSync(join(folder, LOCK));
    expect(await next(folder)).toBe(1);
    tell(program);
    expect((await program.end()).stdout).toBe('create 1\nERR_LOCK_LOST\n');
  });
});

describe('ids of deleted entries', () => {
  test('never come back, in whichever process', async () => {
    const folder = testFolder();
    for (const id of oneTo(4)) {
      expect(await idOf(nextIdProgram(folder, CREATOR))).toBe(id);
      rmSync(join(folder, `task-${id}`), { recursive: true });
    }
    expect(idsIn(folder)).toEqual([]);
    expect(counterIn(folder)).toBe('4\n');
  });
});

/** A worker that calls `withNextId`; it says what it is at. */
function worker(folder: string, source: string): { worker: Worker; said: Promise<unknown> } {
  const prelude = `
    const { parentPort, workerData: dir } = require('node:worker_threads');
    const { mkdirSync } = require('node:fs');
    import(${JSON.stringify(NEXT_ID)}).then(async ({ withNextId }) => { ${source} });`;
  const thread = new Worker(prelude, { eval: true, workerData: folder, execArgv: [] });
  onTestFinished(async () => void (await thread.terminate()));
  const said = new Promise((resolve, reject) => {
    thread.once('message', resolve);
    thread.once('error', reject);
  });
  return { worker: thread, said };
}

describe('worker threads', () => {
  test('eight at once with five ids each: 1 to 40, none twice', { tags: ['long'] }, async () => {
    const folder = testFolder();
    const source = `
      const ids = await Promise.all([1, 2, 3, 4, 5].map(async () =>
        (await withNextId(dir, (id) => mkdirSync(dir + '/task-' + id))).id));
      parentPort.postMessage(ids);`;
    const ids = (await Promise.all(oneTo(8).map(() => worker(folder, source).said))) as number[][];
    expect(ids.flat().sort((one, other) => one - other)).toEqual(oneTo(40));
    expect(idsIn(folder)).toEqual(oneTo(40));
  });

  test('one that is terminated in create releases the lock, and uses up no id', async () => {
    const folder = testFolder();
    const source = `
      await withNextId(dir, (id) => { parentPort.postMessage(id); return new Promise(() => {}); });`;
    const { worker: thread, said } = worker(folder, source);
    expect(await said).toBe(1);
    await thread.terminate();
    expect(await next(folder)).toBe(1);
  });
});

describe('a counter that cannot be written', () => {
  test('is an error, and nothing is left of it', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, '.next-id.lock.last'), '4\n');
    const source = `
      const { withNextId } = await import(${JSON.stringify(NEXT_ID)});
      const { memoryLocker } = await import(new URL('testing.js', ${JSON.stringify(NEXT_ID)}));
      report(await outcome(() => withNextId(path, { locker: memoryLocker() }, () => {})));`;
    const wrap = ['sh', '-c', 'ulimit -f 0 && exec "$@"', 'sh'];
    const { reports } = await runScript(folder, source, { wrap });
    expect(reports).toEqual([expect.objectContaining({ code: 'EFBIG', syscall: 'write' })]);
    expect(readdirSync(folder)).toEqual(['.next-id.lock.last']);
    expect(counterIn(folder)).toBe('4\n');
  });
});
