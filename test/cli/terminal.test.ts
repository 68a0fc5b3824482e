import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileLock, inspect } from '../../src/index.js';
import { until } from '../support/census.js';
import { COMMAND, finish, onTerminal, start } from '../support/command.js';
import { lockPath, testFolder } from '../support/folder.js';
import { needs } from '../support/tools.js';

const ctrl = (letter: string): string => String.fromCharCode(letter.charCodeAt(0) - 64);

/** Counts what it gets; ends with the count at SIGTERM. */
const COUNTER = [
  process.execPath,
  '-e',
  `let count = 0;
  process.on('SIGINT', () => { count++; require('node:fs').writeSync(1, 'got it\\n'); });
  process.on('SIGTERM', () => process.exit(count));
  setInterval(() => {}, 1000);
  require('node:fs').writeSync(1, 'ready\\n');`,
];

describe('on a terminal', () => {
  const it = needs('python3');

  it('Ctrl-C reaches the command once, not a second time by holdfast', async () => {
    const path = lockPath();
    const program = onTerminal(process.execPath, COMMAND, 'run', path, ...COUNTER);
    await program.says('ready');
    program.process.stdin?.write(ctrl('C'));
    await program.says('got it');
    const { holders } = await inspect(path);
    const holdfast = holders.find(({ command }) => command?.includes('holdfast'));
    // After what it may have passed on.
    process.kill(holdfast?.pid ?? 0, 'SIGTERM');
    expect((await program.exited).code).toBe(1);
  });

  it('Ctrl-C ends both where the command does not listen', async () => {
    const path = lockPath();
    const script = 'echo ready; exec cat';
    const program = onTerminal(process.execPath, COMMAND, 'run', path, 'sh', '-c', script);
    await program.says('ready');
    program.process.stdin?.write(ctrl('C'));
    expect((await program.exited).code).toBe(130);
    expect((await inspect(path)).state).toBe('free');
  });

  it('the command has the terminal', async () => {
    const words = ['run', lockPath(), 'sh', '-c', 'test -t 0 && test -t 1 && test -t 2 && tty'];
    for (const options of [[], ['-F']]) {
      const [run = '', ...rest] = words;
      const program = onTerminal(process.execPath, COMMAND, run, ...options, ...rest);
      expect(await program.exited).toMatchObject({ code: 0 });
      expect(program.stdout).toContain('/dev/pts/');
    }
  });

  it('a wait is one line that is drawn anew, without colour', async () => {
    const path = lockPath();
    using lock = FileLock.acquireSync(path);
    const program = onTerminal(process.execPath, COMMAND, 'run', path, 'echo', 'got it');
    await until(() => program.stdout.split('waiting').length > 2);
    lock.releaseSync();
    const { code, stdout } = await program.exited;
    expect(code).toBe(0);
    expect(stdout.split('\r\n')).toHaveLength(2);
    expect(stdout.endsWith('\r\x1b[Kgot it\r\n')).toBe(true);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are such
    expect(stdout).not.toMatch(/\x1b\[[\d;]*m/);
  });

  it('Ctrl-C while it waits leaves the cursor on its own line', async () => {
    const path = lockPath();
    using _lock = FileLock.acquireSync(path);
    const script = '"$@"; echo after';
    const words = [process.execPath, COMMAND, 'run', path, 'true'];
    const program = onTerminal('sh', '-c', `trap : INT; ${script}`, 'sh', ...words);
    await program.says('waiting');
    program.process.stdin?.write(ctrl('C'));
    const { stdout } = await program.exited;
    expect(stdout.split('\r\n').at(-2)).toBe('after');
  });
});

describe('on a terminal with other jobs', () => {
  const it = needs('python3');
  const FRESH = '\r\x1b[K';
  const RUN = [process.execPath, COMMAND, 'run'];

  it('a wait in the background is said once; brought to the foreground, it is drawn', async () => {
    const path = lockPath();
    using lock = FileLock.acquireSync(path);
    const script = 'set -m; "$@" & read -r line; fg %1 >/dev/null; echo "ended $?"';
    const program = onTerminal('sh', '-c', script, 'sh', ...RUN, path, 'sh', '-c', 'exit 5');
    await program.says('waiting 0:00');
    await until(async () => (await inspect(path)).waiters.length === 1);
    expect(program.stdout).not.toContain(FRESH);
    program.process.stdin?.write('go\n');
    await program.says(`${FRESH}holdfast: waiting`);
    lock.releaseSync();
    const { stdout } = await program.exited;
    expect(stdout.endsWith(`${FRESH}ended 5\r\n`)).toBe(true);
  });

  it('a grant in the background says nothing on the terminal', async () => {
    const path = lockPath();
    using lock = FileLock.acquireSync(path);
    const script = 'set -m; "$@" & wait; echo "ended $?"';
    const program = onTerminal('sh', '-c', script, 'sh', ...RUN, path, 'echo', 'got it');
    await program.says('waiting 0:00');
    lock.releaseSync();
    const { stdout } = await program.exited;
    expect(stdout).toMatch(/^holdfast: waiting [^\r\n]*\r\ngot it\r\nended 0\r\n$/);
  });
});

describe('what the environment says of the terminal breaks nothing', () => {
  const it = needs('python3');
  const values = ['-5', '0', 'NaN', '99999999999999999999', ''];
  for (const value of values) {
    const tags = value === '0' ? [] : ['long'];
    it(`COLUMNS=${value} LINES=${value} TERM=${value}`, { tags }, async () => {
      const folder = testFolder();
      const path = join(folder, 'a.lock');
      const env = [`COLUMNS=${value}`, `LINES=${value}`, `TERM=${value}`, `COLORTERM=${value}`];
      using _lock = FileLock.acquireSync(path);
      const holdfast = ['env', ...env, process.execPath, COMMAND];
      const status = await onTerminal(...holdfast, 'status', folder).exited;
      expect(status).toMatchObject({ code: 0, stdout: expect.stringContaining('a.lock') });
      const refused = await onTerminal(...holdfast, 'run', '-w', '100ms', path, 'true').exited;
      expect(refused).toMatchObject({ code: 75, stdout: expect.stringContaining('gave up') });
    });
  }
});

describe('a reader that goes away is no fault', () => {
  test.each([[['--help']], [['run', '--help']], [['status', '.']], [['status', '--json', '.']]])(
    '%j',
    async (words) => {
      const program = start(words);
      // Before it has written anything.
      program.process.stdout?.destroy();
      expect((await program.exited).stderr).toBe('');
    },
  );

  test('status --watch ends at the next change', async () => {
    const path = lockPath();
    const program = start(['status', '--watch', '--json', path]);
    await program.says('"missing"');
    program.process.stdout?.destroy();
    using _lock = FileLock.acquireSync(path);
    expect((await program.exited).stderr).toBe('');
  });
});

test('status --watch ends at SIGINT, as any program does', async () => {
  const path = lockPath();
  const program = start(['status', '--watch', '--json', path]);
  await program.says('"missing"');
  using lock = FileLock.acquireSync(path);
  await program.says('"held"');
  lock.releaseSync();
  await program.says('"free"');
  const { code, signal, stderr, stdout } = await program.kill('SIGINT');
  expect({ code, signal, stderr }).toEqual({ code: null, signal: 'SIGINT', stderr: '' });
  const states = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line)[0].state);
  expect(states).toEqual(['missing', 'held', 'free']);
});

test('the built command is what it is in here', async () => {
  const version = expect.stringMatching(/^holdfast \d+\.\d+\.\d+\n$/);
  expect(await finish(['--version'])).toMatchObject({ code: 0, stdout: version, stderr: '' });
  expect(await finish(['bogus'])).toMatchObject({ code: 64, stdout: '' });
  expect(await finish(['run', lockPath(), 'sh', '-c', 'exit 9'])).toMatchObject({ code: 9 });
});
