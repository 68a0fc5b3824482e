import { chmodSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { inspect } from '../../src/holders/inspect.js';
import { FileLock } from '../../src/lock/file-lock.js';
import { GUIDES } from './docs-guides.js';
import { ROOT } from './docs-pages.js';
import type { Program } from './program.js';

/**
 * What a block of a page presupposes, and what it does then. The page names it:
 * `<!-- setup: NAME -->`.
 */
export interface Setup {
  /** Code above the block. */
  before?: string;
  /** Code below the block, to show its result. */
  after?: string;
  /** What it prints. */
  prints?: string;
  /** In the folder where it runs. */
  prepare?: (folder: string) => void;
  /** Instead of one run that prints and ends. */
  run?: (start: () => Program, folder: string) => Promise<void>;
  /** Of a `ts` block that cannot run: it is compiled. */
  typesOnly?: boolean;
}

const CHANGE = "const change = async () => console.log('changed');";

export const SETUPS: Record<string, Setup> = {
  ...GUIDES,

  deploy: {
    before: "const deploy = async () => console.log('deployed');",
    prints: 'deployed\n',
  },

  // It listens on demand.
  'dev-server': {
    before: `
      const listen = () => new Promise((resolve) => {
        console.log('holds it');
        process.stdin.once('data', (url) => resolve(String(url)));
      });
      const open = (url, args) => url + args.join('/');`,
    // 1. The first has the lock, and no URL yet.
    // 2. The second sends, and waits.
    // 3. The first has its URL: the second prints it, a third one at once.
    run: async (start) => {
      const first = start();
      await first.says('holds it\n');
      const second = start();
      first.process.stdin?.write('http://127.0.0.1:3000');
      const stdout = 'already running at http://127.0.0.1:3000\n';
      const end = { code: 0, signal: null, stdout, stderr: '' };
      expect(await second.exited).toEqual(end);
      expect(await start().exited).toEqual(end);
      expect(await first.end()).toMatchObject({ code: 0, stdout: 'holds it\n', stderr: '' });
    },
  },

  'send-refused': {
    before: `
      import * as holdfast from 'holdfast/instance';
      const onMessage = ({ command }) => command + ' is fine';
      const first = await holdfast.InstanceLock.acquire('watcher.lock', { onMessage });`,
    after: 'await first.release();',
    prints: 'true status is fine\n',
  },

  'one-window': {
    before: `
      const openWindow = ({ cwd }) => console.log('opened', cwd === process.cwd());
      const focusWindow = () => console.log('focused');`,
    prints: 'opened true\n',
  },

  transfer: {
    before: "const transfer = async () => console.log('transferred');",
    prints: 'transferred\n',
  },

  using: {
    before: "const deploy = async (token: number) => console.log('deployed', token > 0);",
    after: "process.on('exit', () => console.log(lock.held));",
    prints: 'deployed true\nfalse\n',
  },

  inspect: {
    before: `
      import { FileLock } from 'holdfast';
      const held = FileLock.acquireSync('deploy.lock');`,
    after: 'console.log(held.held, state, holders[0].pid === process.pid, waiters);',
    prints: 'true held true []\n',
  },

  watcher: {
    before: "const stop = () => console.log('stopped');",
    after: `
      import { rmSync } from 'node:fs';
      setInterval(() => lock.signal.aborted && process.exit(), 10);
      rmSync(lock.path);`,
    prints: 'stopped\n',
  },

  claim: {
    before: 'const work = async (signal) => console.log(signal.aborted);',
    after: 'console.log(await claims.list());',
    prints: 'false\n[]\n',
  },

  // Another agent has a part of it, until that is asked for.
  plan: {
    before: `
      import * as holdfast from 'holdfast/claims';
      const requests = [
        { agent: 'api', directories: ['app/api/'] },
        { agent: 'tests', files: ['app/**/*.test.ts'] },
        { agent: 'docs', directories: ['docs/'] },
      ];
      const stop = () => console.log('lost');
      const write = async () => console.log('written');
      const other = await new holdfast.Claims('out/locks').claim({ agent: 'shop', files: ['app/api/a.ts'] });
      const { log } = console;
      console.log = (text) => {
        log(text);
        if (text.startsWith('waiting')) void other.release();
      };`,
    after: 'console.log(JSON.stringify(await claims.list()));',
    prints: 'api, docs\ntests\nwaiting for shop\nwritten\n[]\n',
  },

  'claims-hand-over': {
    before: `
      import { Claims } from 'holdfast/claims';
      const claims = new Claims('out/locks');
      await claims.claim({ agent: 'api', directories: ['app/api/'] });`,
    after: `
      for (const { agent, parts } of await claims.list())
        for (const { files, directories, except } of parts)
          console.log(agent, ...files, ...directories, ...except);
      await claims.releaseAll();`,
    prints: 'api app/api/ app/api/routes.ts\nshop app/api/routes.ts\n',
  },

  'next-id': { after: 'console.log(id, value);', prints: '1 jobs/job-1\n' },
  'fake-lock': {
    before: `
      import { withNextId } from 'holdfast/next-id';
      const base = 'worktrees';
      const createWorktree = (name, { base, ...options }) =>
        withNextId(base, { lockName: '.wt-create.lock', ...options }, async () => name);`,
    after: "await held.release(); console.log(await createWorktree('x', { base, locker }));",
    prints: "{ id: 1, text: '1', value: 'x' }\n",
  },

  update: { prints: '1\n' },

  'change-settings': {
    prepare: (folder) => writeFileSync(join(folder, 'settings.json'), '{"theme":"light"}'),
    after: `
      import { readFileSync } from 'node:fs';
      console.log(JSON.parse(readFileSync('settings.json', 'utf8')).theme);`,
    prints: 'dark\n',
  },

  build: {
    before: 'const build = async ({ gpu }) => console.log(gpu);',
    prints: '0\n',
  },
  'slots-class': { prints: '0 of 4 taken, 0 waiting\n' },
  lead: {
    before: `
      let times = 0;
      const work = async (term) => {
        console.log(term > 0);
        if (++times === 2) void election.leave();
      };`,
    after: 'console.log(election.isPrimary);',
    prints: 'true\ntrue\nfalse\n',
  },

  'hand-over': {
    prepare: (folder) => {
      writeFileSync(join(folder, 'job'), '#!/bin/sh\necho "job $$"\nexec sleep 60\n');
      chmodSync(join(folder, 'job'), 0o755);
    },
    run: async (start, folder) => {
      const path = join(folder, 'job.lock');
      const parent = start();
      await parent.says('\n');
      const job = Number(/^job (\d+)$/m.exec(parent.stdout)?.[1]);
      try {
        expect(await parent.exited).toMatchObject({ code: 0, signal: null, stderr: '' });
        const { state, holders } = await inspect(path);
        expect({ state, pids: holders.map(({ pid }) => pid) }).toEqual({
          state: 'held',
          pids: [job],
        });
      } finally {
        process.kill(job, 'SIGKILL');
      }
      // The lock ends with the job.
      await (await FileLock.acquire(path, { timeout: 20_000 })).release();
    },
  },

  bundle: {
    prepare: (folder) => symlinkSync(join(ROOT, 'prebuilds'), join(folder, 'prebuilds')),
    after: 'console.log(process.env.HOLDFAST_PREBUILD === import.meta.dirname);',
    prints: 'true\n',
  },

  // They would need a server.
  'from-files': {
    before: 'declare function deploy(token: number, signal?: AbortSignal): Promise<void>;',
    typesOnly: true,
  },
  'on-servers': {
    before: `
      import type { Locker } from 'holdfast';
      declare const locker: Locker;
      declare function report(token: number): Promise<void>;
      declare function serve(term: number, signal: AbortSignal): Promise<void>;
      declare function create(id: number): Promise<void>;`,
    typesOnly: true,
  },
  postgres: {
    before: `
      declare function deploy(token: number, signal: AbortSignal): Promise<void>;`,
    typesOnly: true,
  },
  etcd: {
    before: `
      declare function deploy(token: number, signal: AbortSignal): Promise<void>;`,
    typesOnly: true,
  },

  change: { before: CHANGE, prints: 'changed\n' },
  'change-state': {
    before: CHANGE,
    prepare: (folder) => writeFileSync(join(folder, 'state.json'), '{}'),
    prints: 'changed\n',
  },

  crash: {
    before: `
      import assert from 'node:assert/strict';
      import { mkdir, rm } from 'node:fs/promises';
      import { test } from 'node:test';
      import { create } from '${new URL('../../examples/worktrees/worktrees.mjs', import.meta.url)}';
      const base = 'worktrees';
      const add = (path) => mkdir(path);
      const discard = (path) => rm(path, { recursive: true });
      const trees = { base, add, discard };
      let treesThatNeverFinish;
      const begun = new Promise((resolve) => {
        const never = async (path) => {
          await mkdir(path);
          resolve();
          return new Promise(() => {});
        };
        treesThatNeverFinish = { base, add: never, discard };
      });`,
    run: async (start) => {
      const { code, stdout, stderr } = await start().exited;
      expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/^# pass 1$/m);
    },
  },
};
