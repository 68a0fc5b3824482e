import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Setup } from './docs-setups.js';
import { Program } from './program.js';

const DEPLOY = `
  import * as holdfast from 'holdfast';
  const deploy = (run, { locker, timeout = 0 } = {}) =>
    holdfast.withLock('deploy.lock', { locker, timeout }, run);`;

/** One test of node:test, which passes. */
const passes: Setup['run'] = async (start) => {
  const { code, stdout, stderr } = await start().exited;
  expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^(#|ℹ) pass 1$/m);
};

function writeJob(folder: string): void {
  writeFileSync(join(folder, 'job'), '#!/bin/sh\necho job\n');
  chmodSync(join(folder, 'job'), 0o755);
}

/** What blocks of the guides presuppose. */
export const GUIDES: Record<string, Setup> = {
  'one-instance': {
    before: `
      const stop = () => process.exit(2);
      const watch = async () => {
        console.log('watching');
        for await (const _ of process.stdin);
      };`,
    // 1. The first watches; the second is told about it.
    // 2. The first is killed; the third is told that it did not release.
    run: async (start) => {
      const first = start();
      await first.says('watching\n');
      const told = `another watcher is already running (pid ${first.pid}): http://localhost:4000\n`;
      expect(await start().exited).toEqual({ code: 1, signal: null, stdout: '', stderr: told });
      await first.kill();
      const third = start();
      await third.says('watching\n');
      const stdout = `pid ${first.pid} did not release\nwatching\n`;
      expect(await third.end()).toEqual({ code: 0, signal: null, stdout, stderr: '' });
    },
  },

  terminate: {
    before: `
      const ask = (question) => {
        console.log(question);
        return true;
      };`,
    after: 'console.log(lock.held);',
    run: async (start, folder) => {
      const path = join(folder, 'prompts', '.watcher.lock');
      const source = `FileLock.acquireSync(args[0]); say('held'); process.stdin.resume();`;
      const first = Program.module(source, [path]);
      await first.says('held\n');
      const second = await start().exited;
      expect(second).toMatchObject({ code: 0, stderr: '' });
      expect(second.stdout).toMatch(new RegExp(`^End pid ${first.pid} \\(.*\\)\\?\ntrue\n$`));
      expect(await first.exited).toMatchObject({ code: null, signal: 'SIGTERM' });
    },
  },

  waiting: {
    before: `
      import * as holdfast from 'holdfast';
      const held = holdfast.FileLock.acquireSync('deploy.lock');
      const { log } = console;
      console.log = (text) => {
        log(text.replace(process.pid, 'PID'));
        if (text.startsWith('waiting')) void held.release();
      };
      const deploy = () => console.log('deployed');`,
    prints: 'waiting for pid PID\ndeployed\n',
  },

  abort: {
    before: `
      import * as holdfast from 'holdfast';
      holdfast.withLock('deploy.lock', () => new Promise((resolve) => setTimeout(resolve, 50)));
      // Once the wait has begun.
      setTimeout(() => process.kill(process.pid, 'SIGINT'));`,
    run: async (start) => {
      const end = { code: 0, signal: null, stdout: '', stderr: 'interrupted\n' };
      expect(await start().exited).toEqual(end);
    },
  },

  poll: { after: 'console.log(lock.held);', prints: 'false\n' },

  // A parent hands its lock down as descriptor 3, and ends.
  adopt: {
    before: 'const work = async (token) => console.log(token > 0);',
    run: async (_start, folder) => {
      const source = `
        import { spawn } from 'node:child_process';
        const lock = FileLock.acquireSync('job.lock');
        const stdio = ['ignore', 'inherit', 'inherit', lock.fd];
        spawn(process.execPath, ['block.mjs'], { stdio }).on('exit', (code) => say('ends ' + code));
        lock.detach();`;
      const parent = await Program.module(source, [], { cwd: folder }).exited;
      expect(parent).toEqual({ code: 0, signal: null, stdout: 'true\nends 0\n', stderr: '' });
    },
  },

  'guarded-child': { prepare: writeJob, prints: 'job\n' },

  'locker-parameter': {
    after: 'console.log(await deploy(({ token }) => token > 0));',
    prints: 'true\n',
  },
  'memory-locker': { before: DEPLOY, run: passes },
  'file-locker': { run: passes },
  killed: { run: passes },

  monitor: {
    before: `
      import { spawnSync } from 'node:child_process';
      import * as holdfast from 'holdfast';
      const held = holdfast.FileLock.acquireSync('locks/held.lock');
      const source = "import { FileLock } from 'holdfast'; FileLock.acquireSync('locks/old.lock'); process.abort();";
      spawnSync(process.execPath, ['--input-type=module', '-e', source]);
      const { log } = console;
      console.log = (text) => log(text.replace(process.cwd(), ''));`,
    after: 'await held.release();',
    prints: '/locks/old.lock: the last holder did not release\n',
  },
};
