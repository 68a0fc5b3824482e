import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileLock, inspect, isLockError } from '../../src/index.js';
import { InstanceLock } from '../../src/instance/instance-lock.js';
import { descriptorsTo } from '../support/census.js';
import { lockPath } from '../support/folder.js';
import { instancePeer, instanceProgram, runningInstance } from '../support/instance.js';
import { limit } from '../support/limit.js';
import { errorOf } from '../support/refused.js';
import { expectWarning } from '../support/setup.js';

expectWarning('HOLDFAST_INSTANCE_LOST');

/** What happens to the file, and who has it afterwards. */
const LOSSES: [title: string, lose: (path: string) => unknown][] = [
  ['deleted', (path) => unlinkSync(path)],
  ['deleted with its folder', (path) => rmSync(dirname(path), { recursive: true })],
  ['moved away', (path) => renameSync(path, `${path}.moved`)],
  [
    'replaced',
    (path) => {
      writeFileSync(`${path}.new`, '');
      renameSync(`${path}.new`, path);
    },
  ],
  [
    'replaced by a folder',
    (path) => {
      unlinkSync(path);
      mkdirSync(path);
    },
  ],
];

/** Shows that nothing happens: it looks at the file every 250 ms. */
const anotherCheck = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 400));

/** Resolves with the holder that `lost` names, and after how long. */
function lossOf(lock: InstanceLock): Promise<{ holder: unknown; after: number }> {
  const began = performance.now();
  return new Promise((resolve) => {
    lock.on('lost', (holder) => resolve({ holder, after: performance.now() - began }));
  });
}

describe('the file is', () => {
  test.each(LOSSES)('%s: lost and signal within a second, once', async (_, lose) => {
    const path = lockPath();
    const lock = await InstanceLock.acquire(path);
    let count = 0;
    lock.on('lost', () => count++);
    const loss = lossOf(lock);
    expect(lock.signal.aborted).toBe(false);
    lose(path);
    expect(lock.isCurrent()).toBe(false);
    const { holder, after } = await loss;
    expect(after).toBeLessThan(limit(1000));
    expect(holder).toBeNull();
    expect(lock.signal.aborted).toBe(true);
    expect(isLockError(lock.signal.reason, 'ERR_LOCK_LOST')).toBe(true);
    expect(lock.signal.reason).toMatchObject({ name: 'LockLostError', path });
    await anotherCheck();
    expect(count).toBe(1);
    await lock.release();
    expect(lock.held).toBe(false);
    expect(descriptorsTo(dirname(path))).toBe(0);
  });

  test('stolen: lost names the thief, and later deeds do not harm its file', async () => {
    const path = lockPath();
    const lock = await InstanceLock.acquire<{ port?: number }>(path, { data: { port: 80 } });
    const loss = lossOf(lock as InstanceLock);
    const thief = await instancePeer();
    await thief.acquire('a', path, { force: { how: 'steal' }, data: { port: 81 } } as object);
    const stolen = performance.now();
    const { holder } = await loss;
    expect(performance.now() - stolen).toBeLessThan(limit(1000));
    expect(holder).toMatchObject({ pid: thief.pid, verified: true, data: { port: 81 } });
    expect(lock.signal.reason).toMatchObject({ code: 'ERR_LOCK_LOST' });
    const content = readFileSync(path, 'utf8');
    expect(await errorOf(() => lock.update({ port: 82 }))).toMatchObject({ code: 'ERR_LOCK_LOST' });
    await lock.release();
    await lock.release();
    expect(readFileSync(path, 'utf8')).toBe(content);
    expect(await thief.call('isCurrent', 'a')).toBe(true);
    expect(await inspect(path)).toMatchObject({ state: 'held', holders: [{ pid: thief.pid }] });
  });

  test.each([
    ['exits', 'process.exit(0);', { code: 0 }],
    ['dies of SIGTERM', "process.kill(process.pid, 'SIGTERM');", { signal: 'SIGTERM' }],
  ])('stolen: a holder that then %s leaves the file to the thief', async (_, then, end) => {
    const path = lockPath();
    const program = instanceProgram(
      path,
      `const lock = await hold();
      lock.on('lost', ({ pid }) => { say('lost to ' + pid); ${then} });`,
    );
    await program.says('held');
    using thief = await InstanceLock.acquire(path, { force: { how: 'steal' } });
    const content = readFileSync(path, 'utf8');
    expect(await program.exited).toMatchObject({
      ...end,
      stdout: `held\nlost to ${process.pid}\n`,
    });
    expect(thief.isCurrent()).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe(content);
  });

  test('deleted: the next start succeeds, and the release of the first does not harm it', async () => {
    const path = lockPath();
    const first = await InstanceLock.acquire(path);
    first.on('lost', () => {});
    unlinkSync(path);
    const second = await runningInstance(path);
    await first.release();
    expect(existsSync(path)).toBe(true);
    expect(await inspect(path)).toMatchObject({ holders: [{ pid: second.pid }] });
  });

  test('deleted and there is no listener: a process warning says so, once', async () => {
    const path = lockPath();
    const program = instanceProgram(
      path,
      `process.on('warning', ({ name, code, message }) => say(JSON.stringify({ name, code, path: message.includes(path) })));
      const lock = await hold();
      process.on('warning', () => setTimeout(() => process.exit(0), 400));
      setTimeout(() => process.exit(1), 9000);
      fs.unlinkSync(path);`,
    );
    const { stdout, code } = await program.exited;
    expect(code).toBe(0);
    expect(stdout.split('\n').filter((line) => line.startsWith('{'))).toEqual([
      '{"name":"HoldfastWarning","code":"HOLDFAST_INSTANCE_LOST","path":true}',
    ]);
  });

  test('deleted, and somebody listens to the signal: there is no warning', async () => {
    const path = lockPath();
    const program = instanceProgram(
      path,
      `process.on('warning', ({ code }) => say(code));
      const lock = await hold();
      lock.signal.addEventListener('abort', () => {
        say(lock.signal.reason.code);
        setTimeout(() => process.exit(0), 50);
      });
      fs.unlinkSync(path);`,
    );
    expect(await program.exited).toMatchObject({ code: 0, stdout: 'held\nERR_LOCK_LOST\n' });
  });

  test('deleted, and a listener of lost that throws is an uncaught error of the program', async () => {
    const path = lockPath();
    const program = instanceProgram(
      path,
      `const lock = await hold();
      process.on('uncaughtException', ({ message }) => { say(message + lock.signal.aborted); process.exit(9); });
      lock.on('lost', () => { throw new Error('on purpose '); });
      fs.unlinkSync(path);`,
    );
    expect(await program.exited).toMatchObject({ code: 9, stdout: 'held\non purpose true\n' });
  });

  test('released by its own program: nothing is lost', async () => {
    const path = lockPath();
    const lock = await InstanceLock.acquire(path);
    let lost = 0;
    lock.on('lost', () => lost++);
    await lock.release();
    using _next = await InstanceLock.acquire(path);
    await anotherCheck();
    expect([lost, lock.signal.aborted]).toEqual([0, false]);
  });

  test('written to, or emptied, by somebody: it is still the one that is locked', async () => {
    const path = lockPath();
    using lock = await InstanceLock.acquire(path);
    let lost = 0;
    lock.on('lost', () => lost++);
    writeFileSync(path, '');
    await anotherCheck();
    expect([lost, lock.isCurrent()]).toEqual([0, true]);
    expect(FileLock.tryAcquire(path)).toBeNull();
  });
});

test('the checks do not keep the program alive', async () => {
  const path = lockPath();
  const program = instanceProgram(path, "await InstanceLock.acquire(path); say('done');");
  expect(await program.exited).toMatchObject({ code: 0, stdout: 'done\n', stderr: '' });
  expect(existsSync(path)).toBe(false);
});
