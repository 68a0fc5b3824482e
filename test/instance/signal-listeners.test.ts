import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
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
