// @module-tag long
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isAlive } from '../support/kernel.js';
import {
  finish,
  lockOf,
  project,
  RUNNER,
  recordOf,
  runner,
  working,
} from '../support/parallel-runner.js';
import { Program } from '../support/program.js';
import { needs } from '../support/tools.js';

/** When it started, to the second. */
function startOf(cwd: string): string {
  const [start = ''] = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.exec(recordOf(cwd).startedAt) ?? [];
  return `${start}Z`;
}

describe('the parallel runner', () => {
  test('runs at most --max jobs at once, and removes its lock', async () => {
    const cwd = project('feat-a', 'feat-b', 'feat-c');
    const program = runner(cwd, 'feat-a', 'feat-b', 'feat-c', '--max', '2');
    await working(program, 'feat-a');
    await working(program, 'feat-b');
    const { pid, features, maxConcurrency, startedAt } = recordOf(cwd);
    expect({ pid, features, maxConcurrency }).toEqual({
      pid: program.pid,
      features: ['feat-a', 'feat-b', 'feat-c'],
      maxConcurrency: 2,
    });
    expect(new Date(startedAt).toISOString()).toBe(startedAt);
    await finish(program, 'feat-b', 'feat-c', 'feat-a');
    const { code, stdout, stderr } = await program.exited;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.indexOf('feat-c: started')).toBeGreaterThan(stdout.indexOf('feat-b: done'));
    expect(existsSync(lockOf(cwd))).toBe(false);
  });

  test('a job that fails is the run’s failure, after the others; the lock goes', async () => {
    const cwd = project('bad', 'feat-a');
    const program = runner(cwd, 'bad', 'feat-a', '--max', '1');
    await finish(program, 'bad', 'feat-a');
    const { code, stdout, stderr } = await program.exited;
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'bad: failed (status 3)\n' });
    expect(stdout).toContain('feat-a: done');
    expect(existsSync(lockOf(cwd))).toBe(false);
  });

  test('refuses a second run, and tells what can be done', async () => {
    const cwd = project('feat-a', 'feat-c', 'feat-d');
    const first = runner(cwd, 'feat-a');
    await working(first, 'feat-a');
    expect(await runner(cwd, 'feat-c', 'feat-d').exited).toEqual({
      code: 1,
      signal: null,
      stdout: '',
      stderr: [
        `Error: Another parallel execution is in progress (PID: ${first.pid})`,
        `Started at: ${startOf(cwd)}`,
        '',
        'Options:',
        '  • Wait for it to complete',
        '  • Run: runner parallel status',
        '  • Force override: runner parallel feat-c feat-d --force',
        '',
      ].join('\n'),
    });
  });

  test('the commands that it offers are commands', async () => {
    const cwd = project('feat-a', 'feat-c');
    const first = runner(cwd, 'feat-a');
    await working(first, 'feat-a');
    const { stderr } = await runner(cwd, 'feat-c', '--max', '1').exited;
    const [, status = '', force = ''] = /Run: (.*)\n.*override: (.*)\n/.exec(stderr) ?? [];
    expect(force).toBe('runner parallel feat-c --max 1 --force');
    // As `runner` stands in somebody's PATH.
    symlinkSync(RUNNER, join(cwd, 'runner'));
    const env = { ...process.env, PATH: `${cwd}:${process.env['PATH']}` };
    const asked = await Program.start('sh', ['-c', status], { cwd, env }).exited;
    expect(asked).toMatchObject({ code: 0, stderr: '' });
    expect(asked.stdout).toContain(`in progress (PID: ${first.pid})\n`);
    const second = Program.start('sh', ['-c', `${force} --yes`], { cwd, env });
    await finish(second, 'feat-c');
    expect(await second.exited).toMatchObject({ code: 0 });
    expect(await first.exited).toMatchObject({ code: 1 });
  });

  test('says that it starts, once it has the lock', async () => {
    const cwd = project('feat-a');
    const program = runner(cwd, 'feat-a');
    await program.says('feat-a: started\n');
    expect(program.stdout.startsWith('Starting parallel pipelines...\nfeat-a: ')).toBe(true);
    expect(program.stderr).toBe('');
    expect(recordOf(cwd).pid).toBe(program.pid);
  });

  test('status tells of a run, of its crash, and of none', async () => {
    const cwd = project('feat-a');
    const none = 'No parallel execution is in progress\n';
    expect(await runner(cwd, 'status').exited).toMatchObject({ code: 0, stdout: none });
    const program = runner(cwd, 'feat-a', '--max', '4');
    await working(program, 'feat-a');
    expect((await runner(cwd, 'status').exited).stdout).toBe(
      [
        `A parallel execution is in progress (PID: ${program.pid})`,
        `Started at: ${startOf(cwd)}`,
        'Features: feat-a',
        'Max concurrency: 4\n',
      ].join('\n'),
    );
    await program.kill('SIGKILL');
    expect((await runner(cwd, 'status').exited).stdout).toBe(
      `${none}Warning: Found stale lock file (PID ${program.pid} not running)\n`,
    );
  });

  test('after kill -9 its jobs end, and the next run says so and goes on', async () => {
    const cwd = project('feat-a');
    const killed = runner(cwd, 'feat-a');
    const job = await working(killed, 'feat-a');
    await killed.kill('SIGKILL');
    const next = runner(cwd, 'feat-a');
    await finish(next, 'feat-a');
    expect(await next.exited).toMatchObject({
      code: 0,
      stderr: [
        `Warning: Found stale lock file (PID ${killed.pid} not running)`,
        'Removing stale lock and continuing...\n\n',
      ].join('\n'),
    });
    expect(next.stdout).toMatch(/^Starting parallel pipelines\.\.\.\nfeat-a: started\n/);
    await expect.poll(() => isAlive(job)).toBe(false);
  });

  test('a pid file of a program that runs without the lock is not called stale', async () => {
    const cwd = project('feat-a');
    mkdirSync(join(cwd, '.claude'));
    writeFileSync(lockOf(cwd), `${process.pid}\n`);
    const program = runner(cwd, 'feat-a');
    await finish(program, 'feat-a');
    const { code, stderr } = await program.exited;
    expect(code).toBe(0);
    expect(stderr).toBe(
      [
        `Warning: Found lock file that was not released (PID ${process.pid})`,
        'Nobody holds its lock, continuing...\n\n',
      ].join('\n'),
    );
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s stops its jobs, removes the lock, and ends it with that signal',
    async (signal) => {
      const cwd = project('feat-a', 'feat-b', 'feat-c');
      const program = runner(cwd, 'feat-a', 'feat-b', 'feat-c', '--max', '2');
      const jobs = [await working(program, 'feat-a'), await working(program, 'feat-b')];
      const { stdout, ...end } = await program.kill(signal);
      expect(end).toEqual({ code: null, signal, stderr: '' });
      expect(existsSync(lockOf(cwd))).toBe(false);
      expect(jobs.filter(isAlive)).toEqual([]);
      expect(stdout).not.toContain('feat-c');
    },
  );

  test('waits for a job that takes its time to stop; a second signal does not', async () => {
    const cwd = project('stubborn');
    const program = runner(cwd, 'stubborn');
    const job = await working(program, 'stubborn');
    program.process.kill('SIGINT');
    await program.says('no, thanks');
    expect(recordOf(cwd).pid).toBe(program.pid);
    expect(await program.kill('SIGINT')).toMatchObject({ code: null, signal: 'SIGINT' });
    expect(existsSync(lockOf(cwd))).toBe(false);
    await expect.poll(() => isAlive(job)).toBe(false);
  });

  test('a job that does not stop is killed after a while', { tags: ['long'] }, async () => {
    const cwd = project('stubborn');
    const program = runner(cwd, 'stubborn');
    const job = await working(program, 'stubborn');
    expect(await program.kill('SIGTERM')).toMatchObject({ code: null, signal: 'SIGTERM' });
    await expect.poll(() => isAlive(job)).toBe(false);
    expect(existsSync(lockOf(cwd))).toBe(false);
  });

  needs('unshare', 'root')('as the first process of a container it exits 128 + n', async () => {
    const cwd = project('feat-a');
    const words = ['--pid', '--fork', '--mount-proc', process.execPath, RUNNER];
    const program = Program.start('unshare', [...words, 'parallel', 'feat-a'], { cwd });
    await program.says('feat-a is ');
    const children = `/proc/${program.pid}/task/${program.pid}/children`;
    process.kill(Number(readFileSync(children, 'utf8')), 'SIGTERM');
    expect((await program.exited).code).toBe(143);
    expect(existsSync(lockOf(cwd))).toBe(false);
  });

  test.each([[[]], [['nope']], [['../x']], [['feat-a', '--max', '0']], [['--bogus', 'feat-a']]])(
    'does not take %j',
    async (words) => {
      const cwd = project('feat-a');
      expect(await runner(cwd, ...words).exited).toMatchObject({ code: 64, stdout: '' });
      expect(existsSync(lockOf(cwd))).toBe(false);
    },
  );
});
