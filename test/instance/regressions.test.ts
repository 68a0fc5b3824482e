import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { whilePinned } from '../../src/holders/who-holds.js';
import { inspect } from '../../src/index.js';
import { InstanceLock } from '../../src/instance/instance-lock.js';
import { signalHolder } from '../../src/instance/signal-holder.js';
import { memoryLocker } from '../../src/testing.js';
import { finish, start } from '../support/command.js';
import { lockPath } from '../support/folder.js';
import { Program } from '../support/program.js';

const INSTANCE = new URL('../../dist/instance.js', import.meta.url).href;

describe('beside signal-exit, which counts listeners', () => {
  const load = {
    three: `const onExit = require('signal-exit-3'); onExit(() => {});`,
    four: `const { onExit } = require('signal-exit'); onExit(() => {});`,
  };

  describe.each(['three', 'four'] as const)('version %s', (version) => {
    test.each([
      ['SIGTERM', 'before'],
      ['SIGTERM', 'after'],
      ['SIGINT', 'before'],
      ['SIGHUP', 'after'],
    ] as const)('%s ends the program, loaded %s the lock', async (signal, order) => {
      const path = lockPath();
      const acquire = `const lock = await InstanceLock.acquire(args[0]);`;
      const source = `
        import { createRequire } from 'node:module';
        const require = createRequire(${JSON.stringify(import.meta.url)});
        const { InstanceLock } = await import('${INSTANCE}');
        ${order === 'before' ? load[version] + acquire : acquire + load[version]}
        setInterval(() => lock.held, 1000);
        say('held');
      `;
      const program = Program.module(source, [path]);
      await program.says('held');
      program.process.kill(signal);
      expect(await program.exited).toMatchObject({ signal });
      expect(existsSync(path)).toBe(false);
    });
  });
});

describe('terminate', () => {
  const take = (path: string): Promise<{ code: number | null; stdout: string }> =>
    finish(['run', '--instance', 'b', '--terminate', '--yes', path, 'echo', 'mine']);

  test('ends a child that its holder started when it was asked to end', async () => {
    const path = lockPath();
    const script = 'trap "sleep 60 & exit" TERM; echo runs; while :; do sleep 0.05; done';
    const first = start(['run', '-F', '--instance', 'b', path, '--', 'bash', '-c', script]);
    await first.says('runs');
    expect(await take(path)).toMatchObject({ code: 0, stdout: 'mine\n' });
  });

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

  test('ends a hold of thirty processes in one go', async () => {
    const path = lockPath();
    const script = 'for i in $(seq 30); do sleep 25 & done; echo runs; wait';
    const first = start(['run', '--instance', 'b', path, '--', 'bash', '-c', script]);
    await first.says('runs');
    expect(await take(path)).toMatchObject({ code: 0, stdout: 'mine\n' });
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

test('an instance of the command that is overridden is told', async () => {
  const path = lockPath();
  const first = start(['run', '--instance', 'b', path, 'sh', '-c', 'echo runs; exec cat']);
  await first.says('runs');
  await finish(['run', '--instance', 'b', '--force', '--yes', path, 'true']);
  await expect.poll(() => first.stderr, { timeout: 5000 }).toContain('another b may be running');
  await first.end();
});

test('memoryLocker: an abort in onWait rejects with the reason', async () => {
  const locker = memoryLocker();
  await locker.acquire('m');
  const controller = new AbortController();
  const reason = new Error('enough');
  const waiting = locker.acquire('m', {
    signal: controller.signal,
    onWait: () => controller.abort(reason),
  });
  await expect(waiting).rejects.toBe(reason);
});

test('listeners that a program removed come back with the next lock', async () => {
  const [one, two] = [lockPath(), lockPath()];
  const source = `
    const { InstanceLock } = await import('${INSTANCE}');
    const first = await InstanceLock.acquire(args[0]);
    process.removeAllListeners('SIGTERM');
    const second = await InstanceLock.acquire(args[1]);
    setInterval(() => first.held && second.held, 1000);
    say('held');
  `;
  const program = Program.module(source, [one, two]);
  await program.says('held');
  program.process.kill('SIGTERM');
  expect(await program.exited).toMatchObject({ signal: 'SIGTERM' });
  expect([existsSync(one), existsSync(two)]).toEqual([false, false]);
});
