import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { testFolder } from '../support/folder.js';
import { Program } from '../support/program.js';
import { needs } from '../support/tools.js';

const RUNNER = fileURLToPath(new URL('../../examples/parallel-runner/runner.mjs', import.meta.url));
const TERMINAL =
  'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])) % 256)';

// Says its pid and works until SIGUSR2; SIGTERM ends it, but for the stubborn one.
const FEATURE = `#!${process.execPath}
const name = require('node:path').basename(__filename);
process.on('SIGUSR2', () => process.exit(name === 'bad' ? 3 : 0));
if (name === 'stubborn') process.on('SIGTERM', () => console.log('no, thanks'));
setInterval(() => {}, 1000);
require('node:fs').writeSync(1, name + ' is ' + process.pid + '.\\n');
`;

/** A project with programs of these features. */
function project(...features: string[]): string {
  const cwd = testFolder();
  mkdirSync(join(cwd, 'features'));
  for (const feature of features) {
    writeFileSync(join(cwd, 'features', feature), FEATURE, { mode: 0o755 });
  }
  return cwd;
}

function runner(cwd: string, ...args: string[]): Program {
  return Program.start(process.execPath, [RUNNER, 'parallel', ...args], { cwd });
}

function onTerminal(cwd: string, ...args: string[]): Program {
  const words = ['-c', TERMINAL, process.execPath, RUNNER, 'parallel', ...args];
  return Program.start('python3', words, { cwd });
}

/** The pid of the feature's program, once it works. */
async function working(program: Program, feature: string): Promise<number> {
  const pattern = new RegExp(`^${feature} is (\\d+)\\.\\r?$`, 'm');
  while (!pattern.test(program.stdout)) await program.says(`${feature} is `).then(nextTurn);
  return Number(pattern.exec(program.stdout)?.[1]);
}
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What is on its terminal. */
const shown = (program: Program): string => program.stdout.replaceAll('\r\n', '\n');

async function finish(program: Program, ...features: string[]): Promise<void> {
  for (const feature of features) process.kill(await working(program, feature), 'SIGUSR2');
}

function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

const lockOf = (cwd: string): string => join(cwd, '.claude', 'parallel.lock');
const recordOf = (cwd: string) => JSON.parse(readFileSync(lockOf(cwd), 'utf8'));

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

  test('a job that does not stop is killed after a while', async () => {
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

  test('with --yes takes a lock of its own, and the overridden run stops', async () => {
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
