import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { until } from '../support/census.js';
import { call, callIn, finish, start } from '../support/command.js';
import { NODE, pidOf, SAYS, standBy } from '../support/elect-command.js';
import { testFolder } from '../support/folder.js';
import { isAlive, queueOf, seatOf } from '../support/kernel.js';
import { limit } from '../support/limit.js';
import type { Program } from '../support/program.js';

function termOf(program: Program): number {
  return Number(/term (\d+)/.exec(program.stdout)?.[1]);
}

describe('holdfast elect', () => {
  test('runs the command as primary, passes on its exit, and leaves nothing but .primary', async () => {
    const directory = join(testFolder(), 'folder');
    const code = 'process.stdout.write(process.env.HOLDFAST_TERM); process.exit(42)';
    const { code: status, stdout, stderr } = await finish(['elect', directory, NODE, '-e', code]);
    expect({ status, stderr }).toEqual({ status: 42, stderr: '' });
    expect(Number(stdout)).toBeGreaterThan(0);
    expect(readdirSync(directory)).toEqual(['.primary']);
    expect(seatOf(directory)).toEqual({ pid: null, waiting: 0 });
  });

  test('a command that a signal ends is 128 and its number', async () => {
    const kill = "process.kill(process.pid, 'SIGKILL')";
    expect((await finish(['elect', testFolder(), NODE, '-e', kill])).code).toBe(137);
  });

  test('stands by, says so, and runs the command when the primary’s has ended, with a larger term', async () => {
    const directory = testFolder();
    const first = start(['elect', directory, '--id', 'a', '--', ...SAYS('first')]);
    await pidOf(first, 'first');
    const second = await standBy(directory, ['--id', 'b', directory, ...SAYS('second')]);
    await until(() => second.stderr.includes('standing by as b'));
    expect(second.stderr).toContain(`primary is a (pid ${first.pid}`);
    expect(second.stdout).toBe('');
    expect((await first.end()).code).toBe(7);
    await pidOf(second, 'second');
    expect(termOf(second)).toBeGreaterThan(termOf(first));
    expect((await second.end()).code).toBe(7);
  });

  test('killed with SIGKILL while its command runs: no second command as long as the first runs', async () => {
    const directory = testFolder();
    // Node closes the stdin of a child that ends, so it does not read from that.
    const runs = 'echo "first $$ term"; exec sleep 60';
    const first = start(['elect', directory, '--id', 'a', 'sh', '-c', runs]);
    const command = await pidOf(first, 'first');
    const second = await standBy(directory, ['--id', 'b', directory, ...SAYS('second')]);
    first.process.kill('SIGKILL');
    await until(() => !isAlive(first.pid));
    expect(isAlive(command)).toBe(true);
    // /proc/locks leaves out a lock whose process has ended, with all who wait.
    const third = start(['elect', '--id', 'c', directory, ...SAYS('third')]);
    await until(() => third.stderr.includes('standing by as c'));
    const status = await call('elect', 'status', directory, '--json');
    const told = JSON.parse(status.stdout);
    expect(told.members).toMatchObject([{ id: 'b' }, { id: 'c' }]);
    expect(told.members.map((each: { primary: boolean }) => each.primary)).toEqual([false, false]);
    expect(told.primary).toMatchObject({ state: 'held' });
    const table = await call('elect', 'status', directory);
    expect(table.stdout).toContain('which is not a member');
    expect({ two: second.stdout, three: third.stdout }).toEqual({ two: '', three: '' });
    process.kill(command, 'SIGKILL');
    await pidOf(second, 'second');
    expect(third.stdout).toBe('');
  });

  test('.primary removed: the command gets SIGTERM, and its exit is passed on', async () => {
    const directory = testFolder();
    const first = start(['elect', directory, ...SAYS('first')]);
    await pidOf(first, 'first');
    rmSync(join(directory, '.primary'));
    const { code, stderr } = await first.exited;
    expect(code).toBe(143);
    expect(stderr).toContain('.primary was removed or replaced');
    expect(stderr).not.toContain('    at ');
  });

  test('.primary removed: a command that ignores SIGTERM gets SIGKILL after five seconds, and only then a standby runs its own', {
    tags: ['long'],
  }, async () => {
    const stubborn = `process.on('SIGTERM', () => require('fs').writeSync(1, 'ignored\\n'));`;
    const [node, flag, source] = SAYS('first') as [string, string, string];
    const scene = async () => {
      const directory = testFolder();
      const first = start(['elect', directory, '--id', 'a', node, flag, stubborn + source]);
      const command = await pidOf(first, 'first');
      const others: Program[] = [];
      for (const count of [1, 2]) {
        others.push(await standBy(directory, [directory, ...SAYS('other')], count));
      }
      return { directory, first, command, others };
    };
    // Several at once: who is the next one is a race.
    const scenes = await Promise.all([scene(), scene(), scene(), scene()]);
    const overlaps = await Promise.all(
      scenes.map(async ({ directory, first, command, others }) => {
        const speaks = (): boolean => others.some(({ stdout }) => stdout.includes('other'));
        rmSync(join(directory, '.primary'));
        await first.says('ignored');
        const begin = performance.now();
        let overlapped = false;
        await until(() => {
          const runs = isAlive(command);
          overlapped ||= runs && speaks();
          return !runs;
        });
        const took = performance.now() - begin;
        expect((await first.exited).code).toBe(137);
        expect(took).toBeGreaterThan(4500);
        expect(took).toBeLessThan(limit(6500));
        await until(speaks);
        return overlapped;
      }),
    );
    expect(overlaps).toEqual([false, false, false, false]);
  });

  test('a command’s child in the background keeps the seat', async () => {
    const directory = testFolder();
    const source = `const { spawn } = require('child_process');
      const child = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', 3], detached: true });
      require('fs').writeSync(1, 'first ' + child.pid + ' term\\n');
      child.unref();`;
    const first = start(['elect', directory, NODE, '-e', source]);
    const child = await pidOf(first, 'first');
    expect((await first.end()).code).toBe(0);
    const second = await standBy(directory, [directory, ...SAYS('second')]);
    expect(second.stdout).toBe('');
    process.kill(child, 'SIGKILL');
    await pidOf(second, 'second');
  });

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const)(
    'passes %s on to the command',
    async (signal) => {
      const directory = testFolder();
      const source = `process.on('${signal}', () => process.exit(9)); process.stdin.resume();
        require('fs').writeSync(1, 'first ' + process.pid + ' term\\n');`;
      const program = start(['elect', directory, NODE, '-e', source]);
      await pidOf(program, 'first');
      expect((await program.kill(signal)).code).toBe(9);
      expect(readdirSync(directory)).toEqual(['.primary']);
    },
  );

  test('a standby that gets SIGTERM ends without its command, and the queue goes on', async () => {
    const directory = testFolder();
    const first = start(['elect', directory, '--id', 'a', ...SAYS('first')]);
    await pidOf(first, 'first');
    const second = await standBy(directory, ['--id', 'b', directory, ...SAYS('second')]);
    const third = await standBy(directory, ['--id', 'c', directory, ...SAYS('third')], 2);
    const { code, signal, stdout } = await second.kill('SIGTERM');
    expect(signal === 'SIGTERM' || code === 143).toBe(true);
    expect(stdout).toBe('');
    await first.end();
    await pidOf(third, 'third');
  });

  test('--settle: of those that start together the smallest id runs its command', async () => {
    const directory = testFolder();
    const programs = ['d', 'c', 'b', 'a'].map((id) =>
      start(['elect', '--settle', '1s', '--id', id, directory, ...SAYS(id)]),
    );
    await until(() => queueOf(directory) === 3);
    const last = programs[3] as Program;
    await last.says('a ');
    expect(programs.map(({ stdout }) => stdout === '')).toEqual([true, true, true, false]);
  });

  test('an id that lives is 75 and names its pid', async () => {
    const directory = testFolder();
    const first = start(['elect', '--id', 'one', directory, ...SAYS('first')]);
    await pidOf(first, 'first');
    const { code, stderr } = await finish(['elect', '--id', 'one', directory, 'true']);
    expect(code).toBe(75);
    expect(stderr).toContain(`pid ${first.pid}`);
  });

  test('a command that is not there is 69, and the seat is free again', async () => {
    const directory = testFolder();
    const { code, stderr } = await finish(['elect', directory, 'no-such-command-at-all']);
    expect(code).toBe(69);
    expect(stderr).toContain('no-such-command-at-all');
    expect(readdirSync(directory)).toEqual(['.primary']);
    expect((await finish(['elect', directory, 'true'])).code).toBe(0);
  });

  test.each([
    [['elect']],
    [['elect', 'folder']],
    [['elect', '']],
    [['elect', '--unknown', 'folder', 'true']],
    [['elect', '--id', 'a/b', 'folder', 'true']],
    [['elect', '--id', '', 'folder', 'true']],
    [['elect', '--id', '.hidden', 'folder', 'true']],
    [['elect', '--id', 'x'.repeat(300), 'folder', 'true']],
    [['elect', '--settle', 'soon', 'folder', 'true']],
    [['elect', '--settle', '-1', 'folder', 'true']],
    [['elect', '--settle', 'NaN', 'folder', 'true']],
    [['elect', '--settle', '2h', 'folder', 'true']],
    [['elect', 'folder', '--id']],
    [['elect', 'status']],
    [['elect', 'status', 'folder', 'more']],
    [['elect', 'status', '--id', 'a', 'folder']],
  ])('%j is a usage error, and creates nothing', async (args) => {
    const cwd = testFolder();
    const { code, stdout, stderr } = await callIn(cwd, ...args);
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toMatch(/^holdfast: .+\n$/);
    expect(readdirSync(cwd)).toEqual([]);
  });

  test('a folder that is a file is 73', async () => {
    const file = join(testFolder(), 'file');
    writeFileSync(file, 'mine');
    expect((await finish(['elect', file, 'true'])).code).toBe(73);
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });
});
