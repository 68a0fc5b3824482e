import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { NEXT_ID_HELP } from '../../src/cli/help.js';
import { nextId as runNextId } from '../../src/cli/next-id.js';
import { FileLock } from '../../src/index.js';
import { COMMAND, call, finish, Screen, start } from '../support/command.js';
import { testFolder } from '../support/folder.js';
import { counterIn, oneTo } from '../support/next-id-program.js';
import { Program } from '../support/program.js';
import { errorOf } from '../support/refused.js';
import { needs } from '../support/tools.js';

const LOCK = '.next-id.lock';

/** `holdfast next-id …` in this process. */
const nextId = (...args: string[]) => call('next-id', ...args);

const given = (id: number | string) => ({ code: 0, stdout: `${id}\n`, stderr: '' });

/** Says its pid, works until it is told to end, and takes the line as its status. */
const WORK = 'echo "works $$ {id} $HOLDFAST_ID"; read -r status; exit "$status"';

async function working(folder: string): Promise<{ holdfast: Program; pid: number }> {
  const holdfast = start(['next-id', folder, 'sh', '-c', WORK]);
  await holdfast.says('works ');
  await holdfast.says('\n');
  return { holdfast, pid: Number(/works (\d+)/.exec(holdfast.stdout)?.[1]) };
}

describe('next-id', () => {
  test('prints the id, one more each time', async () => {
    const folder = join(testFolder(), 'made', 'for it');
    for (const id of oneTo(3)) expect(await nextId(folder)).toEqual(given(id));
    expect(counterIn(folder)).toBe('3\n');
  });

  test('thirty at once print 1 to 30', async () => {
    const folder = testFolder();
    const ends = await Promise.all(oneTo(30).map(() => finish(['next-id', folder])));
    expect(ends.map(({ code }) => code)).toEqual(ends.map(() => 0));
    const ids = ends.map(({ stdout }) => Number(stdout));
    expect(ids.sort((one, other) => one - other)).toEqual(oneTo(30));
  });

  test('looks at the names of the entries', async () => {
    const folder = testFolder();
    mkdirSync(join(folder, 'task-11'));
    expect(await nextId(folder)).toEqual(given(12));
  });

  test('--reuse gives the smallest that no entry has', async () => {
    const folder = testFolder();
    mkdirSync(join(folder, '2'));
    expect(await nextId(folder, '--reuse')).toEqual(given(1));
    expect(await nextId('--reuse', folder)).toEqual(given(1));
    expect(await nextId(folder)).toEqual(given(3));
  });

  test('--pattern finds the id in its first group', async () => {
    const folder = testFolder();
    mkdirSync(join(folder, '3-of-20'));
    expect(await nextId(folder, '--pattern', '^(\\d+)-')).toEqual(given(4));
    rmSync(join(folder, `${LOCK}.last`));
    expect(await nextId('--pattern=^(\\d+)-', folder)).toEqual(given(4));
  });

  test('a folder whose names do not tell the id is 65, with the way out', async () => {
    const folder = testFolder();
    for (const name of ['0001-a.md', 'notes-2024.md']) writeFileSync(join(folder, name), '');
    const { code, stdout, stderr } = await nextId(folder);
    expect({ code, stdout }).toEqual({ code: 65, stdout: '' });
    for (const word of ['0001-a.md', 'notes-2024.md', '--pattern']) expect(stderr).toContain(word);
    expect(counterIn(folder)).toBe(null);
    expect(await nextId(folder, '--pattern', '^(\\d+)-')).toEqual(given('0002'));
  });

  test('a file in the place of the counter is 65, and is left as it is', async () => {
    const folder = testFolder();
    mkdirSync(join(folder, 'deploy.new'));
    writeFileSync(join(folder, 'deploy.last'), 'notes\n');
    const { code, stdout, stderr } = await nextId('--lock-name', 'deploy', folder);
    expect({ code, stdout }).toEqual({ code: 65, stdout: '' });
    expect(stderr).toContain('deploy.last');
    expect(readFileSync(join(folder, 'deploy.last'), 'utf8')).toBe('notes\n');
    expect(readdirSync(folder).sort()).toEqual(['deploy', 'deploy.last', 'deploy.new']);
  });

  test('the width of the names is kept, or what --pad says', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, '0008-a.md'), '');
    expect(await nextId(folder)).toEqual(given('0009'));
    const words = [folder, 'sh', '-c', 'echo "$HOLDFAST_ID {id}"'];
    expect(await finish(['next-id', ...words])).toMatchObject({ stdout: '0010 0010\n' });
    expect(await nextId(folder, '--pad', '1')).toEqual(given(11));
    expect(await nextId('--pad=6', folder)).toEqual(given('000012'));
    expect(await nextId('--pad', '3', testFolder())).toEqual(given('001'));
  });

  test('--pattern with half a character in it is refused: it would match no name', async () => {
    const folder = testFolder();
    const { code, stdout } = await nextId(folder, '--pattern', 'caf\udce9(\\d+)');
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('--with counts other folders as well, and may be repeated', async () => {
    const [one, two, three] = [testFolder(), testFolder(), testFolder()];
    writeFileSync(join(two, '0007-a.md'), '');
    expect(await nextId(one, '--with', two, `--with=${three}`)).toEqual(given('0008'));
    expect([one, two, three].map((each) => counterIn(each))).toEqual(['8\n', '8\n', '8\n']);
    expect(await nextId(three)).toEqual(given(9));
  });

  test('--with a folder that is held: 75, and which one it is', async () => {
    const [one, two] = [testFolder(), testFolder()];
    const lock = FileLock.acquireSync(join(two, LOCK));
    const { code, stderr } = await nextId(one, '--with', two, '-w', '0');
    lock.releaseSync();
    expect(code).toBe(75);
    expect(stderr).toContain(`the ids of ${two} are held by pid ${process.pid}`);
  });

  test('--with a folder that is not there is 73, and it is not made', async () => {
    const folder = testFolder();
    const missing = join(folder, 'missing');
    expect(await nextId(folder, '--with', missing)).toMatchObject({ code: 73, stdout: '' });
    expect(existsSync(missing)).toBe(false);
  });

  test('--start is the first id', async () => {
    const folder = testFolder();
    expect(await nextId(folder, '--start', '100')).toEqual(given(100));
    expect(await nextId('--start=5', folder)).toEqual(given(101));
    expect(await nextId('--start', '0', testFolder())).toEqual(given(0));
  });

  test('--lock-name is that of the lock', async () => {
    const folder = testFolder();
    expect(await nextId(folder, '--lock-name', '.wt.lock')).toEqual(given(1));
    expect(readdirSync(folder).sort()).toEqual(['.wt.lock', '.wt.lock.last']);
  });

  test.each([['--help'], ['-h'], ['dir', '--help'], ['-h', 'dir', 'false']])(
    '%s: help, on stdout',
    async (...args) => {
      expect(await nextId(...args)).toEqual({ code: 0, stdout: NEXT_ID_HELP, stderr: '' });
    },
  );

  test('the help has every option and code, in the width of a terminal', () => {
    for (const option of [
      '--pattern',
      '--with',
      '--pad',
      '--timeout',
      '--reuse',
      '--start',
      '--lock-name',
      '-w',
    ]) {
      expect(NEXT_ID_HELP).toContain(option);
    }
    for (const code of [64, 65, 69, 73, 75]) expect(NEXT_ID_HELP).toContain(String(code));
    expect(NEXT_ID_HELP.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });
});

describe('an id that could not be printed', () => {
  test.each([['ENOSPC'], ['EPIPE']])('is free, and the error comes through: %s', async (code) => {
    const folder = testFolder();
    const failure = Object.assign(new Error(code), { code, syscall: 'write' });
    const stdout = {
      write: () => {
        throw failure;
      },
    };
    const streams = { stdout, stderr: new Screen() };
    expect(await errorOf(() => runNextId([folder], streams))).toBe(failure);
    expect(counterIn(folder)).toBe(null);
    expect(await nextId(folder)).toEqual(given(1));
  });
});

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

  test.each([1, 2, 64, 69, 75, 255])('exit code %i comes through, no id is burnt', async (code) => {
    const folder = testFolder();
    expect(await nextId(folder, 'sh', '-c', `exit ${code}`)).toEqual({
      code,
      stdout: '',
      stderr: '',
    });
    expect(counterIn(folder)).toBe(null);
    expect(await nextId(folder)).toEqual(given(1));
  });

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
    'that is not there (%j) is 69, and no id is burnt',
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

  test('-- with nothing behind it prints the id', async () => {
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
    // Not stdin: that of the command is closed when holdfast ends.
    const fifo = join(testFolder(), 'fifo');
    execFileSync('mkfifo', [fifo]);
    const end = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    onTestFinished(() => closeSync(end));
    const script = 'echo "works $$ {id}"; read -r status <"$0"; exit "$status"';
    const holdfast = start(['next-id', folder, 'sh', '-c', script, fifo]);
    await holdfast.says(' 1\n');
    const pid = Number(/works (\d+)/.exec(holdfast.stdout)?.[1]);
    await holdfast.kill('SIGKILL');
    const { code, stderr } = await nextId('--timeout', '50ms', folder);
    expect(code).toBe(75);
    expect(stderr).toContain(`pid ${pid} `);
    const second = start(['next-id', folder, 'echo', '{id}']);
    writeSync(end, '0\n');
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

describe('wrong words are 64, and nothing is made', () => {
  test.each<[string[]]>([
    [[]],
    [['']],
    [['--']],
    [['--bogus', 'dir']],
    [['dir', '--bogus']],
    [['--constructor', 'dir']],
    [['dir', '--toString']],
    [['dir', '--__proto__']],
    [['--with', '', 'dir']],
    [['dir', '--with']],
    [['--pad', 'four', 'dir']],
    [['--pad', '0', 'dir']],
    [['--pad', '17', 'dir']],
    [['-Z', 'dir']],
    [['--pattern', '(', 'dir']],
    [['--pattern']],
    [['dir', '--pattern']],
    [['--timeout', 'soon', 'dir']],
    [['--timeout', '-1', 'dir']],
    [['--timeout', '', 'dir']],
    [['-w']],
    [['--reuse=yes', 'dir']],
    [['--start', 'one', 'dir']],
    [['--start', '-1', 'dir']],
    [['--start', '1.5', 'dir']],
    [['--start=', 'dir']],
    [['--start', '99999999999999999999', 'dir']],
    [['--lock-name', '', 'dir']],
    [['--lock-name', 'a/b', 'dir']],
    [['--lock-name', '..', 'dir']],
  ])('%j', async (args) => {
    const cwd = testFolder();
    const { code, stdout, stderr } = await finish(['next-id', ...args], { cwd });
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toMatch(/^holdfast: .+\n$/);
    expect(readdirSync(cwd)).toEqual([]);
  });
});

describe('a DIR that will not do', () => {
  test.each<[string, (file: string) => string]>([
    ['a file', (file) => file],
    ['below a file', (file) => join(file, 'folder')],
  ])('%s is 73', async (_, path) => {
    const file = join(testFolder(), 'file');
    writeFileSync(file, 'precious');
    expect(await nextId(path(file), 'true')).toMatchObject({ code: 73, stdout: '' });
    expect(readFileSync(file, 'utf8')).toBe('precious');
  });

  test('without an id left is 65', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, `${LOCK}.last`), `${Number.MAX_SAFE_INTEGER}\n`);
    const { code, stderr } = await nextId(folder);
    expect(code).toBe(65);
    expect(stderr).toMatch(/^holdfast: .+\n$/);
  });
});

needs('root', 'unshare')('on a full or read-only disk nothing is printed or run', async () => {
  const script = `mount -t tmpfs -o size=16k none "$1" && cd "$1" && head -c 65536 /dev/zero >fill
    shift; "$@" .; echo $?; "$@" . echo used; echo $?; rm fill; "$@" .; mount -o remount,ro .; "$@" .; echo $?`;
  const words = [
    '-m',
    'sh',
    '-c',
    script,
    'sh',
    testFolder(),
    process.execPath,
    COMMAND,
    'next-id',
  ];
  const { stdout, stderr } = await Program.start('unshare', words).end();
  expect(stdout).toBe('65\n65\n1\n73\n');
  expect(stderr).toContain('ENOSPC');
});
