import { readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { expect, test, vi } from 'vitest';
import { FileLock, inspect } from '../../src/index.js';
import { InstanceLock } from '../../src/instance/instance-lock.js';
import { COMMAND, call } from '../support/command.js';
import { lockPath, testFolder } from '../support/folder.js';
import { instanceProgram, told } from '../support/instance.js';
import { Program } from '../support/program.js';
import { needs } from '../support/tools.js';

// Where the kernel's tables do not show every holder.
vi.mock('../../src/holders/process-identity.js', async (original) => ({
  ...(await original<typeof import('../../src/holders/process-identity.js')>()),
  inInitialPidNamespace: () => false,
}));

async function stateOf(path: string): Promise<string> {
  return (await call('status', path)).stdout.split('\n')[1] ?? '';
}

test('a record is perhaps the holder’s', async () => {
  const path = lockPath();
  const lock = FileLock.acquireSync(path);
  const record = readFileSync(path, 'utf8');
  lock.releaseSync();
  writeFileSync(path, record);
  const row = new RegExp(
    `^${path}  unknown  perhaps ${process.pid} on ${hostname()}  \\S+ +- +from the file, not verified$`,
  );
  expect(await stateOf(path)).toMatch(row);
  writeFileSync(path, record.replace(hostname(), ''));
  expect(await stateOf(path)).toContain(`perhaps ${process.pid} on an unknown host`);
});

test('without a record there is nobody to name', async () => {
  const path = lockPath();
  FileLock.acquireSync(path).releaseSync();
  const row = await stateOf(path);
  expect(row).toMatch(/ unknown +- +- +- /);
  expect(row).not.toContain('from the file');
});

test('--probe tells after all', async () => {
  const path = lockPath();
  FileLock.acquireSync(path).releaseSync();
  expect((await call('status', '--probe', path)).stdout).toMatch(/ free +- /);
});

needs('unshare')('the first process of a container becomes its command with -F', async () => {
  const inside = ['-m', '--pid', '--fork', '--mount-proc', process.execPath, COMMAND];
  const script = 'echo "I am $$"; exit 3';
  const words = ['run', '-F', lockPath(), 'sh', '-c', script];
  const end = await Program.start('unshare', [...inside, ...words]).end();
  expect(end).toMatchObject({ code: 3, stdout: 'I am 1\n', stderr: '' });
});

needs('unshare')('the first process of a container passes no pipe of its own on', async () => {
  const inside = ['-m', '--pid', '--fork', '--mount-proc'];
  const look = ['sh', '-c', 'ls -l /proc/self/fd'];
  const pipesOf = async (...words: string[]) => {
    const { code, stdout } = await Program.start('unshare', [...inside, ...words]).end();
    expect(code).toBe(0);
    const lines = [...stdout.matchAll(/ (\d+) -> pipe:/g)].map(([, number]) => Number(number));
    return lines.filter((number) => number > 2);
  };
  const without = await pipesOf(...look);
  for (const subcommand of [
    ['run', lockPath()],
    ['next-id', testFolder()],
    ['elect', testFolder()],
  ]) {
    expect(await pipesOf(process.execPath, COMMAND, ...subcommand, ...look)).toEqual(without);
  }
});

needs('unshare')('a holder outside a container is perhaps one, to those inside', async () => {
  const path = lockPath();
  using _lock = FileLock.acquireSync(path, { data: { url: 'http://localhost:3000' } });
  const inside = ['-m', '--pid', '--fork', '--mount-proc', process.execPath, COMMAND];
  const { code, stdout } = await Program.start('unshare', [...inside, 'status', path]).end();
  expect(code).toBe(0);
  // Its pid would mean another process to those inside.
  expect(stdout).toContain(`unknown  perhaps in another container on ${hostname()}`);
  expect(stdout).toContain('url=http://localhost:3000; from the file, not verified');
  const refused = await Program.start('unshare', [...inside, 'run', '-n', path, 'true']).end();
  expect(refused).toMatchObject({
    code: 75,
    stderr: expect.stringMatching(/held by a process in another container on /),
  });
  expect(refused.stderr).not.toMatch(/\bpid \d/);
});

const WRAP = ['unshare', '-m', '--pid', '--fork', '--mount-proc', '--kill-child'];
const HOLD = `await hold({ data: { url: 'http://localhost:3000' } });`;

needs('unshare', 'root')(
  'a holder in a container keeps its record, seen from outside',
  async () => {
    const path = lockPath();
    const holder = instanceProgram(path, HOLD, { wrap: WRAP });
    await holder.says('held');
    const { holders, record } = await inspect(path);
    // Inside it is the first process.
    expect(record).toMatchObject({ pid: 1 });
    const [seen] = holders;
    expect(seen).toMatchObject({
      source: 'kernel',
      verified: true,
      inOtherContainer: false,
      since: record?.since,
      data: { url: 'http://localhost:3000' },
    });
    expect(seen?.pid).not.toBe(1);
    await expect(InstanceLock.acquire(path)).rejects.toMatchObject({
      pid: seen?.pid,
      data: { url: 'http://localhost:3000' },
    });
  },
);

needs('unshare', 'root')('from container to container, its data and no pid', async () => {
  const path = lockPath();
  const holder = instanceProgram(path, HOLD, { wrap: WRAP });
  await holder.says('held');
  const second = await instanceProgram(path, 'await InstanceLock.acquire(path).catch(tell);', {
    wrap: WRAP,
  }).end();
  const [refusal] = told(second);
  expect(refusal).toMatchObject({
    name: 'AlreadyRunningError',
    pid: null,
    data: { url: 'http://localhost:3000' },
    holder: { pid: null, self: false, source: 'record', inOtherContainer: true },
  });
  // The asker is the first process of its own container, as the holder of its.
  expect(refusal.message).toContain('another container');
  expect(refusal.message).not.toMatch(/pid/);
});
