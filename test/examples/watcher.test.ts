// @module-tag long
import {
  appendFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { AlreadyRunningError } from '../../src/base/errors.js';
import type { Locker } from '../../src/index.js';
import { memoryLocker } from '../../src/testing.js';
import { testFolder } from '../support/folder.js';
import { Program } from '../support/program.js';

const EXAMPLE = fileURLToPath(new URL('../../examples/watcher/', import.meta.url));
const WATCHING = 'watcher: watching prompts for queued prompts...';
const STARTED = ['watcher: acquired lock prompts/.watcher.lock', WATCHING];
const LOCK = join('prompts', '.watcher.lock');

/** `watcher` in `cwd`. */
function watcher(cwd: string, ...args: string[]): Program {
  const env = { ...process.env, TZ: ZONE };
  return Program.start(process.execPath, [join(EXAMPLE, 'watcher.mjs'), ...args], { cwd, env });
}

// Without summer time, and not in whole hours.
const ZONE = 'Asia/Kolkata';
const AHEAD_OF_UTC = (5 * 60 + 30) * 60_000;

/** `2026/03/01 15:00:00`, there. */
function stamp(time: number): string {
  const there = new Date(time + AHEAD_OF_UTC).toISOString();
  return there.slice(0, 19).replaceAll('-', '/').replace('T', ' ');
}

/** The lines of a log that was begun then, without their times, which are right. */
function logged(log: string, began: number): string[] {
  const lines = log.split('\n');
  expect(lines.pop()).toBe('');
  const times = lines.map((line) => line.slice(0, 19));
  expect([stamp(began), ...times, stamp(Date.now())]).toEqual(
    [stamp(began), ...times, stamp(Date.now())].sort(),
  );
  return lines.map((line) => {
    expect(line).toMatch(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /);
    return line.slice(20);
  });
}

async function watching(cwd: string): Promise<Program> {
  const program = watcher(cwd, 'prompts');
  await program.says(`${WATCHING}\n`, 'stderr');
  return program;
}

function result(cwd: string, name: string): unknown {
  return JSON.parse(readFileSync(join(cwd, 'prompts', name), 'utf8'));
}

describe('the watcher', () => {
  test('makes its folder, and says that it has the lock and watches', async () => {
    const cwd = testFolder();
    const began = Date.now();
    const program = await watching(cwd);
    expect(logged(program.stderr, began)).toEqual([
      'watcher: acquired lock prompts/.watcher.lock',
      'watcher: watching prompts for queued prompts...',
    ]);
    expect(program.stdout).toBe('');
    expect(readFileSync(join(cwd, LOCK), 'utf8')).toBe(`${program.pid}\n`);
  });

  test('fails at once where another runs, with its pid', async () => {
    const cwd = testFolder();
    const { pid } = await watching(cwd);
    const began = Date.now();
    const { stderr, ...end } = await watcher(cwd, 'prompts').exited;
    expect(end).toEqual({ code: 1, signal: null, stdout: '' });
    expect(logged(stderr, began)).toEqual([
      `watcher: error: another instance is already running (pid ${pid})`,
    ]);
    expect(readFileSync(join(cwd, LOCK), 'utf8')).toBe(`${pid}\n`);
  });

  test('names the lock’s path as the folder was typed', async () => {
    const cwd = testFolder();
    const began = Date.now();
    const program = watcher(cwd, './a/../prompts');
    await program.says('for queued prompts...\n', 'stderr');
    expect(logged(program.stderr, began)).toEqual([
      'watcher: acquired lock ./a/../prompts/.watcher.lock',
      'watcher: watching ./a/../prompts for queued prompts...',
    ]);
  });

  test('without a folder it is prompts', async () => {
    const cwd = testFolder();
    const program = watcher(cwd);
    await program.says(`${WATCHING}\n`, 'stderr');
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s removes the lock', async (signal) => {
    const cwd = testFolder();
    const began = Date.now();
    const program = await watching(cwd);
    const { stderr, ...end } = await program.kill(signal);
    expect(end).toEqual({ code: null, signal, stdout: '' });
    expect(logged(stderr, began)).toEqual(STARTED);
    expect(existsSync(join(cwd, LOCK))).toBe(false);
  });

  test('after kill -9 the next start succeeds at once', async () => {
    const cwd = testFolder();
    const killed = await watching(cwd);
    await killed.kill('SIGKILL');
    expect(readFileSync(join(cwd, LOCK), 'utf8')).toBe(`${killed.pid}\n`);
    const began = Date.now();
    const next = await watching(cwd);
    expect(logged(next.stderr, began)).toEqual(STARTED);
    expect(readFileSync(join(cwd, LOCK), 'utf8')).toBe(`${next.pid}\n`);
  });

  test('of twenty starts at once one runs, and nineteen name its pid', async () => {
    const cwd = testFolder();
    const began = Date.now();
    const programs = Array.from({ length: 20 }, () => watcher(cwd, 'prompts'));
    const refusals: string[] = [];
    let running: Program | undefined;
    await Promise.all(
      programs.map(async (program) => {
        const end = await Promise.race([
          program.exited,
          program.says(`${WATCHING}\n`, 'stderr').then(
            () => null,
            () => program.exited,
          ),
        ]);
        if (end === null) {
          expect(running).toBe(undefined);
          running = program;
        } else {
          expect(end.code).toBe(1);
          refusals.push(...logged(end.stderr, began));
        }
      }),
    );
    const line = `watcher: error: another instance is already running (pid ${running?.pid})`;
    expect(refusals).toEqual(Array.from({ length: 19 }, () => line));
  });

  test('handles the prompts that are there, that appear, and that change', async () => {
    const cwd = testFolder();
    const first = await watching(cwd);
    // All of it at once.
    writeFileSync(join(cwd, 'draft'), '# First\n\ntwo words\n');
    renameSync(join(cwd, 'draft'), join(cwd, 'prompts', 'one.md'));
    await first.says('one.md -> one.result.json', 'stderr');
    expect(result(cwd, 'one.result.json')).toMatchObject({ title: 'First', words: 4 });
    await first.kill('SIGKILL');

    writeFileSync(join(cwd, 'prompts', 'two.md'), 'no title');
    const second = await watching(cwd);
    await second.says('two.md -> two.result.json', 'stderr');
    expect(result(cwd, 'two.result.json')).toMatchObject({ title: null, words: 2 });
    expect(second.stderr).not.toContain('one.md');

    appendFileSync(join(cwd, 'prompts', 'one.md'), 'and more');
    await second.says('one.md -> one.result.json', 'stderr');
    expect(result(cwd, 'one.result.json')).toMatchObject({ words: 6 });
  });

  test('ends when its lock file is deleted: another may be running', async () => {
    const cwd = testFolder();
    const program = await watching(cwd);
    rmSync(join(cwd, LOCK));
    const { code, stderr } = await program.exited;
    expect(code).toBe(1);
    expect(stderr).toContain('watcher: error: ');
  });

  test('wants one folder', async () => {
    expect(await watcher(testFolder(), 'one', 'two').exited).toMatchObject({ code: 64 });
  });

  test('leaves a file that is not its own alone', async () => {
    const cwd = testFolder();
    writeFileSync(join(cwd, '.watcher.lock'), 'precious\n');
    const { code, stderr } = await watcher(cwd, '.').exited;
    expect(code).toBe(1);
    expect(stderr).toContain('watcher: error: ');
    expect(readFileSync(join(cwd, '.watcher.lock'), 'utf8')).toBe('precious\n');
  });
});

type Handle = (file: string) => Promise<string | null>;
interface Options {
  locker: Locker;
  say: (text: string) => void;
  handle?: Handle;
  signal?: AbortSignal;
}
type RunWatcher = (folder: string, options: Options) => Promise<void>;

/** A watcher in this process, with a lock that needs no file. */
async function startInHere(folder: string, locker: Locker, handle: Handle = async () => 'done') {
  const { runWatcher } = (await import(join(EXAMPLE, 'runner.mjs'))) as { runWatcher: RunWatcher };
  const controller = new AbortController();
  onTestFinished(() => controller.abort());
  const said: string[] = [];
  let hear = (): void => {};
  const say = (text: string): void => {
    said.push(text);
    hear();
  };
  const ended = runWatcher(folder, { locker, say, handle, signal: controller.signal });
  const hears = async (text: string): Promise<void> => {
    while (!said.includes(text)) {
      const next = new Promise<void>((resolve) => {
        hear = resolve;
      });
      if ((await Promise.race([next, ended.then(() => 'end')])) === 'end') throw new Error('ended');
    }
  };
  return { said, ended, hears, stop: () => controller.abort() };
}

describe('its runner, with a fake lock', () => {
  test('refuses where the lock is held, and has let go of it when it has ended', async () => {
    const folder = testFolder();
    const locker = memoryLocker({ instance: true });
    const first = await startInHere(folder, locker);
    await first.hears(`watching ${folder} for queued prompts...`);
    const second = await startInHere(folder, locker);
    await expect(second.ended).rejects.toBeInstanceOf(AlreadyRunningError);
    expect(second.said).toEqual([]);
    first.stop();
    await first.ended;
    const third = await startInHere(folder, locker);
    await third.hears(`acquired lock ${folder}/.watcher.lock`);
    expect(existsSync(join(folder, '.watcher.lock'))).toBe(false);
    third.stop();
    await third.ended;
  });

  test('one prompt that fails is not the end of the others', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'a.md'), '');
    writeFileSync(join(folder, 'b.md'), '');
    const runner = await startInHere(folder, memoryLocker({ instance: true }), async (file) => {
      if (file.endsWith('a.md')) throw new Error('broken');
      return 'done';
    });
    await runner.hears('a.md: broken');
    await runner.hears('b.md -> done');
    runner.stop();
    await runner.ended;
  });
});
