import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { finish, start } from '../support/command.js';
import { Fifo } from '../support/fifo.js';
import { testFolder } from '../support/folder.js';
import { LOCK } from '../support/next-id.js';
import { given, nextId } from '../support/next-id-command.js';
import { counterIn } from '../support/next-id-program.js';
import type { Program } from '../support/program.js';

/** Says its pid, works until it reads a line, and exits with that status. */
const WORK = 'echo "works $$ {id} $HOLDFAST_ID"; read -r status; exit "$status"';

async function working(folder: string): Promise<{ holdfast: Program; pid: number }> {
  const holdfast = start(['next-id', folder, 'sh', '-c', WORK]);
  await holdfast.says('works ');
  await holdfast.says('\n');
  return { holdfast, pid: Number(/works (\d+)/.exec(holdfast.stdout)?.[1]) };
}

describe('next-id with a command', () => {
  test('{id} is replaced wherever it is, and HOLDFAST_ID is set', async () => {
    const folder = testFolder();
    const script = 'echo "$HOLDFAST_ID" "$@"';
    const words = ['sh', '-c', `${script}; echo {id}`, 'x', '{id}', 'a{id}b{id}', '{ID}', '{}'];
    expect(await finish(['next-id', folder, '--start', '7', ...words])).toEqual({
      code: 0,
      signal: null,
      stdout: '7 7 a7b7 {ID} {}\n7\n',
      stderr: '',
    });
  });

  test('also in the name of the command', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'run-1'), '#!/bin/sh\nexit 9\n', { mode: 0o755 });
    expect(await nextId(folder, '--reuse', '--start', '1', join(folder, 'run-{id}'))).toMatchObject(
      { code: 69 },
    );
    expect(await nextId(folder, '--pattern', '(x)', join(folder, 'run-{id}'))).toMatchObject({
      code: 9,
    });
  });

  test('replaces {id} by digits alone, whatever $ there is around it', async () => {
    const { stdout } = await finish(['next-id', testFolder(), 'echo', "$&{id}$'$1"]);
    expect(stdout).toBe("$&1$'$1\n");
  });

  test.each([1, 2, 64, 69, 75, 255])(
    'exit code %i comes through, no id is used up',
    async (code) => {
      const folder = testFolder();
      expect(await nextId(folder, 'sh', '-c', `exit ${code}`)).toEqual({
        code,
        stdout: '',
        stderr: '',
      });
      expect(counterIn(folder)).toBe(null);
      expect(await nextId(folder)).toEqual(given(1));
    },
  );

  test('a command that fails after its entry appeared has its id', async () => {
    const folder = testFolder();
    expect(await nextId(folder, 'sh', '-c', `mkdir "${folder}/task-{id}"; exit 3`)).toMatchObject({
      code: 3,
    });
    rmSync(join(folder, 'task-1'), { recursive: true });
    expect(await nextId(folder)).toEqual(given(2));
  });

  test('a signal is 128 and its number', async () => {
    const folder = testFolder();
    expect(await nextId(folder, 'sh', '-c', 'kill -9 $$')).toMatchObject({ code: 137 });
    expect(await nextId(folder)).toEqual(given(1));
  });

  test('a success is not printed about, and the id is given', async () => {
    const folder = testFolder();
    expect(await nextId(folder, 'true')).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await nextId(folder)).toEqual(given(2));
  });

  test.each([['./nowhere/at/all'], ['no-such-command-{id}'], ['']])(
    'that is not there (%j) is 69, and no id is used up',
    async (command) => {
      const folder = testFolder();
      const { code, stdout, stderr } = await nextId(folder, command);
      expect({ code, stdout }).toEqual({ code: 69, stdout: '' });
      expect(stderr).toMatch(/^holdfast: cannot run /);
      expect(await nextId(folder)).toEqual(given(1));
    },
  );

  test('its options are its own; ours are before and after DIR', async () => {
    const folder = testFolder();
    const words = ['--start', '5', folder, '--lock-name', 'l', 'echo', '--start', '9', '--help'];
    expect(await finish(['next-id', ...words])).toMatchObject({
      code: 0,
      stdout: '--start 9 --help\n',
    });
    expect(counterIn(folder, 'l')).toBe('5\n');
  });

  test.each<[string, (folder: string) => string[]]>([
    ['before the command', (folder) => [folder, '--start', '3', '--', 'echo', '-h', '{id}']],
    ['before DIR', (folder) => ['--start', '3', '--', folder, 'echo', '-h', '{id}']],
  ])('-- %s', async (_, words) => {
    expect(await finish(['next-id', ...words(testFolder())])).toMatchObject({
      code: 0,
      stdout: '-h 3\n',
    });
  });

  test('-- with a command that looks like an option', async () => {
    expect(await nextId(testFolder(), '--', '--reuse')).toMatchObject({ code: 69 });
  });

  test('-- with nothing after it prints the id', async () => {
    expect(await nextId(testFolder(), '--')).toEqual(given(1));
  });

  test('a DIR that looks like an option', async () => {
    const cwd = testFolder();
    expect(await finish(['next-id', '--', '--reuse'], { cwd })).toMatchObject(given(1));
    expect(existsSync(join(cwd, '--reuse', LOCK))).toBe(true);
  });

  test('holds the lock while it works, and SIGTERM is passed on', async () => {
    const folder = testFolder();
    const { holdfast, pid } = await working(folder);
    expect(holdfast.stdout).toBe(`works ${pid} 1 1\n`);
    expect(FileLock.tryAcquire(join(folder, LOCK))).toBe(null);
    expect(await holdfast.kill('SIGTERM')).toMatchObject({ code: 143 });
    expect(await nextId(folder)).toEqual(given(1));
  });

  test('its lock file removed meanwhile is 65', async () => {
    const folder = testFolder();
    const { code, stderr } = await nextId(folder, 'rm', join(folder, LOCK));
    expect(code).toBe(65);
    expect(stderr).toContain('id 1');
  });
});

describe('next-id while another works', () => {
  test.each([['0'], ['50ms'], ['0.05']])('--timeout %s: 75, with its pid', async (timeout) => {
    const folder = testFolder();
    const { holdfast } = await working(folder);
    const { code, stdout, stderr } = await nextId('-w', timeout, folder, 'echo', 'never');
    expect({ code, stdout }).toEqual({ code: 75, stdout: '' });
    expect(stderr).toContain(`pid ${holdfast.pid} `);
    expect(stderr.split('\n')).toHaveLength(2);
  });

  test('waits for it, and has the next id', async () => {
    const folder = testFolder();
    const { holdfast } = await working(folder);
    const second = start(['next-id', folder]);
    holdfast.process.stdin?.write('0\n');
    expect(await holdfast.exited).toMatchObject({ code: 0 });
    expect(await second.end()).toMatchObject(given(2));
  });

  test('whose holdfast was killed: waits for the command, whose pid it names', async () => {
    const folder = testFolder();
    const fifo = new Fifo();
    const script = 'echo "works $$ {id}"; read -r status <"$0"; exit "$status"';
    const holdfast = start(['next-id', folder, 'sh', '-c', script, fifo.path]);
    await holdfast.says(' 1\n');
    const pid = Number(/works (\d+)/.exec(holdfast.stdout)?.[1]);
    await holdfast.kill('SIGKILL');
    const { code, stderr } = await nextId('--timeout', '50ms', folder);
    expect(code).toBe(75);
    expect(stderr).toContain(`pid ${pid} `);
    const second = start(['next-id', folder, 'echo', '{id}']);
    fifo.write('0\n');
    expect(await second.end()).toMatchObject({ code: 0, stdout: '1\n' });
  });

  test('that has ended, but for a child in the background: waits for that as well', async () => {
    const folder = testFolder();
    const script = 'sleep 60 & echo "child $!"';
    const first = start(['next-id', folder, 'sh', '-c', script]);
    expect(await first.exited).toMatchObject({ code: 0 });
    const child = Number(/child (\d+)/.exec(first.stdout)?.[1]);
    const { code, stderr } = await nextId('-w', '0', folder);
    expect({ code, stderr }).toMatchObject({ code: 75 });
    expect(stderr).toContain(`pid ${child} `);
    process.kill(child, 'SIGKILL');
    expect(await nextId(folder)).toEqual(given(2));
  });
});
