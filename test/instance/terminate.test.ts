import { chmodSync, linkSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { whilePinned } from '../../src/holders/pinned-file.js';
import { inspect } from '../../src/index.js';
import { InstanceLock } from '../../src/instance/instance-lock.js';
import { signalHolder } from '../../src/instance/signal-holder.js';
import { until } from '../support/census.js';
import { start } from '../support/command.js';
import { lockPath } from '../support/folder.js';
import { instanceProgram, isRunning, runningInstance, told } from '../support/instance.js';
import { isAlive, isStopped } from '../support/kernel.js';
import { limit } from '../support/limit.js';
import { Program } from '../support/program.js';
import { errorOf } from '../support/refused.js';
import { NOBODY, needs } from '../support/tools.js';

const terminate = { how: 'terminate', grace: 300 } as const;

/** A holder whose lock a child of its shares. */
async function sharedWithChild(
  path: string,
  then = '',
): Promise<{ locker: Program; child: number }> {
  const locker = instanceProgram(
    path,
    `const { spawn } = await import('node:child_process');
    const lock = await hold();
    const child = spawn('sleep', ['20'], { stdio: ['ignore', 'ignore', 'ignore', lock.fd] });
    child.once('spawn', () => say('child ' + child.pid + ' runs'));
    ${then}`,
  );
  await locker.says('runs');
  return { locker, child: Number(/child (\d+)/.exec(locker.stdout)?.[1]) };
}

describe('terminate', () => {
  test('ends a holder with SIGTERM, and has the lock it left', async () => {
    const path = lockPath();
    const holder = await runningInstance(path, { data: { port: 80 } });
    const asked: unknown[] = [];
    const confirm = (each: unknown): boolean => asked.push(each) > 0;
    using lock = await InstanceLock.acquire(path, { force: { ...terminate, confirm } });
    expect(asked).toMatchObject([{ pid: holder.pid, verified: true, data: { port: 80 } }]);
    expect(await holder.exited).toMatchObject({ signal: 'SIGTERM' });
    expect(lock.isCurrent()).toBe(true);
    expect(await inspect(path)).toMatchObject({ holders: [{ self: true }] });
  });

  test('one that ignores SIGTERM gets SIGKILL after the grace, not before', async () => {
    const path = lockPath();
    const holder = await runningInstance(path, {}, "process.on('SIGTERM', () => say('no'));");
    const began = performance.now();
    const force = { how: 'terminate', grace: 600 } as const;
    const onStale = vi.fn();
    using lock = await InstanceLock.acquire(path, { force, onStale });
    const elapsed = performance.now() - began;
    expect(elapsed).toBeGreaterThanOrEqual(600);
    expect(elapsed).toBeLessThan(limit(3000));
    expect(await holder.exited).toMatchObject({ signal: 'SIGKILL', stdout: 'held\nno\n' });
    // No surprise, having been asked for.
    expect(onStale).not.toHaveBeenCalled();
    expect(lock.previous).toMatchObject({ pid: holder.pid, running: false });
  });

  test('one that is stopped is ended as well', async () => {
    const path = lockPath();
    const holder = await runningInstance(path);
    holder.process.kill('SIGSTOP');
    await until(() => isStopped(holder.pid));
    using lock = await InstanceLock.acquire(path, { force: terminate });
    expect(lock.isCurrent()).toBe(true);
    expect(await holder.exited).toMatchObject({ signal: 'SIGKILL' });
  });

  test('one that cleans up in its own handler is given the time', async () => {
    const path = lockPath();
    const holder = await runningInstance(
      path,
      {},
      "process.on('SIGTERM', () => setTimeout(() => { say('clean'); process.exit(0); }, 300));",
    );
    using lock = await InstanceLock.acquire(path, { force: { how: 'terminate' } });
    expect(lock.previous).toBeNull();
    expect(await holder.exited).toMatchObject({ code: 0, stdout: 'held\nclean\n' });
  });

  needs('root')('of another user: ERR_LOCK_FORCE, and nothing is signalled', async () => {
    const path = lockPath();
    chmodSync(dirname(path), 0o777);
    const holder = await runningInstance(path, {}, 'process.umask(0);');
    chmodSync(path, 0o666);
    const before = readFileSync(path, 'utf8');
    const script = `await InstanceLock.acquire(path, { force: ${JSON.stringify(terminate)} }).catch(tell);`;
    const end = await instanceProgram(path, script, NOBODY).exited;
    expect(told(end)).toMatchObject([
      { name: 'LockForceError', code: 'ERR_LOCK_FORCE', holder: { pid: holder.pid } },
    ]);
    expect(isRunning(holder)).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe(before);
    expect(await inspect(path)).toMatchObject({ holders: [{ pid: holder.pid }] });
  });

  test('where the locker died and its child holds, the child is ended', async () => {
    const path = lockPath();
    const { locker, child } = await sharedWithChild(path);
    await locker.kill();
    await expect(InstanceLock.acquire(path)).rejects.toMatchObject({ pid: child });
    using lock = await InstanceLock.acquire(path, { force: terminate });
    expect(lock.previous).toMatchObject({ pid: locker.pid, running: false });
    await until(() => !isAlive(child));
  });

  test('the locker and its child that shares the lock are both ended', async () => {
    const path = lockPath();
    const { locker, child } = await sharedWithChild(path, "process.on('SIGTERM', () => {});");
    using lock = await InstanceLock.acquire(path, { force: terminate });
    expect(lock.isCurrent()).toBe(true);
    expect(await locker.exited).toMatchObject({ signal: 'SIGKILL' });
    await until(() => !isAlive(child));
  });

  test('a living process that the record names but that does not hold is never signalled', async () => {
    const path = lockPath();
    const other = lockPath();
    const named = await runningInstance(other);
    const record = readFileSync(other, 'utf8');
    // Free, but for a record: simply taken.
    writeFileSync(path, record);
    const free = await InstanceLock.acquire(path, { force: terminate });
    expect(free.previous).toMatchObject({ pid: named.pid, running: true });
    free.releaseSync();
    // Held by another, who left the record of the named one in place.
    writeFileSync(path, record);
    const holder = instanceProgram(
      path,
      "const lock = FileLock.acquireSync(path, { record: false }); process.stdin.resume(); say('held');",
    );
    await holder.says('held');
    using lock = await InstanceLock.acquire(path, { force: terminate });
    expect(lock.held).toBe(true);
    expect(await holder.exited).toMatchObject({ signal: 'SIGTERM' });
    expect(isRunning(named)).toBe(true);
    expect(await named.end()).toMatchObject({ code: 0, signal: null });
  });

  const wrap = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'];
  const TERMINATE = `
    const force = ${JSON.stringify(terminate)};
    await InstanceLock.acquire(path, { force }).then(() => say('acquired'), tell);`;

  needs('unshare', 'root')(
    'from a container, a holder outside: ERR_LOCK_FORCE, nothing is signalled',
    async () => {
      const path = lockPath();
      const holder = await runningInstance(path);
      const before = readFileSync(path, 'utf8');
      const end = await instanceProgram(path, TERMINATE, { wrap }).exited;
      expect(told(end)).toMatchObject([{ code: 'ERR_LOCK_FORCE' }]);
      expect(isRunning(holder)).toBe(true);
      expect(readFileSync(path, 'utf8')).toBe(before);
    },
  );

  needs('unshare', 'root')(
    'from a container, the holder in another one, with the same pid: ERR_LOCK_FORCE, nothing is signalled',
    async () => {
      const path = lockPath();
      const holder = instanceProgram(path, 'await hold();', { wrap });
      await holder.says('held');
      const before = readFileSync(path, 'utf8');
      expect(JSON.parse(before)).toMatchObject({ pid: 1 });
      const end = await instanceProgram(path, TERMINATE, { wrap }).exited;
      expect(told(end)).toMatchObject([{ code: 'ERR_LOCK_FORCE' }]);
      expect(isRunning(holder)).toBe(true);
      expect(readFileSync(path, 'utf8')).toBe(before);
    },
  );

  test('of this very process: ERR_LOCK_FORCE', async () => {
    const path = lockPath();
    using lock = await InstanceLock.acquire(path);
    await expect(InstanceLock.acquire(path, { force: terminate })).rejects.toMatchObject({
      code: 'ERR_LOCK_FORCE',
      holder: { self: true },
    });
    expect(lock.isCurrent()).toBe(true);
  });

  test('confirm false: AlreadyRunningError, and nothing is signalled', async () => {
    const path = lockPath();
    const holder = await runningInstance(
      path,
      {},
      "process.on('SIGTERM', () => say('signalled'));",
    );
    const force = { ...terminate, confirm: () => false };
    await expect(InstanceLock.acquire(path, { force })).rejects.toMatchObject({
      name: 'AlreadyRunningError',
      pid: holder.pid,
    });
    expect(await holder.end()).toMatchObject({ code: 0, stdout: 'held\n' });
  });

  test('a holder that came after the question is not ended', async () => {
    const path = lockPath();
    const first = await runningInstance(path);
    // The next file cannot get its inode.
    linkSync(path, `${path}.kept`);
    let second: Program | undefined;
    const confirm = async (): Promise<boolean> => {
      await first.end();
      second = await runningInstance(path);
      return true;
    };
    const error = await errorOf(() =>
      InstanceLock.acquire(path, { force: { ...terminate, confirm } }),
    );
    expect(error).toMatchObject({ name: 'AlreadyRunningError', pid: second?.pid });
    expect(second !== undefined && isRunning(second)).toBe(true);
  });

  test('an abort within the grace rejects with the reason, and SIGKILL does not come', async () => {
    const path = lockPath();
    const holder = await runningInstance(
      path,
      {},
      "process.on('SIGTERM', () => say('signalled'));",
    );
    const controller = new AbortController();
    const reason = new Error('enough');
    holder.says('signalled').then(() => controller.abort(reason));
    const { signal } = controller;
    const force = { how: 'terminate', grace: 1000 } as const;
    await expect(InstanceLock.acquire(path, { signal, force })).rejects.toBe(reason);
    expect(await holder.end()).toMatchObject({ code: 0, signal: null });
  });
});

describe('terminate a holder that the command started', () => {
  test('signals nobody who does not hold at that very moment', async () => {
    const path = lockPath();
    const holder = start(['run', path, 'sh', '-c', 'echo runs; exec cat']);
    await holder.says('runs');
    const innocent = Program.start('sh', ['-c', 'echo runs; exec cat']);
    await innocent.says('runs');
    const [named] = (await inspect(path)).holders;
    const file = whilePinned(path, (each) => each) ?? '';
    if (named === undefined) throw new Error('nobody holds');
    const user = process.getuid?.() ?? null;
    expect(signalHolder({ path, file, user }, { ...named, pid: innocent.pid }, 15)).toBe(false);
    expect(signalHolder({ path, file, user }, named, 0)).toBe(true);
    expect(await innocent.end()).toMatchObject({ code: 0, signal: null });
    await holder.end();
  });

  test('an abort ends the wait for an answer that never comes', async () => {
    const path = lockPath();
    const first = start(['run', '--instance', 'b', path, 'sh', '-c', 'echo runs; exec cat']);
    await first.says('runs');
    const signal = AbortSignal.timeout(100);
    const confirm = (): Promise<boolean> => new Promise(() => {});
    const force = { how: 'terminate', confirm } as const;
    await expect(InstanceLock.acquire(path, { signal, force })).rejects.toMatchObject({
      name: 'TimeoutError',
    });
    await first.end();
  });
});
