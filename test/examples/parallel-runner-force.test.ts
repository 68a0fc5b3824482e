// @module-tag long
import { existsSync, readFileSync } from 'node:fs';
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

const TERMINAL =
  'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])) % 256)';

function onTerminal(cwd: string, ...args: string[]): Program {
  const words = ['-c', TERMINAL, process.execPath, RUNNER, 'parallel', ...args];
  return Program.start('python3', words, { cwd });
}

/** What is on its terminal. */
const shown = (program: Program): string => program.stdout.replaceAll('\r\n', '\n');

describe('--force', () => {
  const overriding = (pid: number): string =>
    [
      `Warning: Overriding existing lock (PID: ${pid})`,
      'This may cause conflicts if another execution is still running.\n\n',
    ].join('\n');
  const CONTINUE = 'Continue? [y/N] ';

  test('without a terminal needs --yes', async () => {
    const cwd = project('feat-a', 'feat-b');
    const first = runner(cwd, 'feat-a');
    await working(first, 'feat-a');
    const { code, stdout, stderr } = await runner(cwd, 'feat-b', '--force').exited;
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toContain('--yes');
    expect(recordOf(cwd).pid).toBe(first.pid);
  });

  test('with --yes takes its own lock, and the overridden run stops', async () => {
    const cwd = project('feat-a', 'feat-b');
    const first = runner(cwd, 'feat-a');
    const job = await working(first, 'feat-a');
    const second = runner(cwd, 'feat-b', '--force', '--yes');
    await working(second, 'feat-b');
    expect(second.stderr).toBe(overriding(first.pid));
    expect(second.stdout).toMatch(/^Starting parallel pipelines\.\.\.\nfeat-b: started\n/);
    expect(recordOf(cwd)).toMatchObject({ pid: second.pid, features: ['feat-b'] });
    expect(await first.exited).toMatchObject({
      code: 1,
      stderr: `Error: The lock was overridden (PID: ${second.pid}), stopping\n`,
    });
    expect(isAlive(job)).toBe(false);
    expect((await runner(cwd, 'feat-a').exited).stderr).toContain(`(PID: ${second.pid})`);
    await finish(second, 'feat-b');
    expect(await second.exited).toMatchObject({ code: 0 });
    expect(existsSync(lockOf(cwd))).toBe(false);
  });

  test('without another run is an ordinary run', async () => {
    const cwd = project('feat-a');
    const program = runner(cwd, 'feat-a', '--force', '--yes');
    await finish(program, 'feat-a');
    expect(await program.exited).toMatchObject({ code: 0, stderr: '' });
  });

  const it = needs('python3');

  it('asks on a terminal, and goes on with y', async () => {
    const cwd = project('feat-a', 'feat-b');
    const first = runner(cwd, 'feat-a');
    await working(first, 'feat-a');
    const second = onTerminal(cwd, 'feat-b', '--force');
    await second.says(CONTINUE);
    const asked = `${overriding(first.pid)}${CONTINUE}`;
    expect(shown(second)).toBe(asked);
    expect(recordOf(cwd).pid).toBe(first.pid);
    second.process.stdin?.write('y\n');
    await working(second, 'feat-b');
    const goesOn = `${asked}y\n\nStarting parallel pipelines...\nfeat-b: started\n`;
    expect(shown(second).startsWith(goesOn)).toBe(true);
    expect(recordOf(cwd).features).toEqual(['feat-b']);
    await finish(second, 'feat-b');
    expect((await second.exited).code).toBe(0);
  });

  it('asks on stderr: what is on stdout is of the run alone', async () => {
    const cwd = project('feat-a', 'feat-b');
    const first = runner(cwd, 'feat-a');
    await working(first, 'feat-a');
    const command = `exec ${JSON.stringify(RUNNER)} parallel feat-b --force >out`;
    const words = ['-c', TERMINAL, 'sh', '-c', command];
    const second = Program.start('python3', words, { cwd });
    await second.says(CONTINUE);
    expect(readFileSync(join(cwd, 'out'), 'utf8')).toBe('');
    second.process.stdin?.write('y\n');
    // It stops once it has been overridden.
    await first.exited;
    const stdout = () => readFileSync(join(cwd, 'out'), 'utf8');
    await expect.poll(stdout, { timeout: 20_000 }).toMatch(/feat-b is \d+\.\n/);
    const out = stdout();
    expect(out).toMatch(/^Starting parallel pipelines\.\.\.\nfeat-b: started\n/);
    process.kill(Number(/is (\d+)/.exec(out)?.[1]), 'SIGUSR2');
    expect((await second.exited).code).toBe(0);
    expect(shown(second)).toBe(`${overriding(first.pid)}${CONTINUE}y\n\n`);
  });

  it('changes nothing with n, with Enter, or at the end of the input', async () => {
    const cwd = project('feat-a', 'feat-b');
    const first = runner(cwd, 'feat-a');
    await working(first, 'feat-a');
    for (const answer of ['n\n', '\n', '\x04']) {
      const second = onTerminal(cwd, 'feat-b', '--force');
      await second.says('Continue? [y/N] ');
      second.process.stdin?.write(answer);
      const { code, stdout } = await second.exited;
      expect(code).toBe(1);
      expect(stdout).not.toContain('feat-b: started');
      expect(recordOf(cwd).pid).toBe(first.pid);
    }
    await finish(first, 'feat-a');
    expect((await first.exited).code).toBe(0);
  });

  it('Ctrl-C at the question ends it, and changes nothing', async () => {
    const cwd = project('feat-a', 'feat-b');
    const first = runner(cwd, 'feat-a');
    await working(first, 'feat-a');
    const second = onTerminal(cwd, 'feat-b', '--force');
    await second.says('Continue? [y/N] ');
    second.process.stdin?.write('\x03');
    expect((await second.exited).code).toBe(254); // -SIGINT
    expect(recordOf(cwd).pid).toBe(first.pid);
  });
});
