import { closeSync, existsSync, mkdirSync, openSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { LockHeldError, LockStateError, LockUnsupportedError } from '../../src/base/errors.js';
import { EXIT, exitCodeOf } from '../../src/cli/exit-codes.js';
import * as help from '../../src/cli/help.js';
import { main } from '../../src/cli/main.js';
import { parseRun } from '../../src/cli/run-options.js';
import { clock, parseTime } from '../../src/cli/time.js';
import { FileLock, inspect } from '../../src/index.js';
import { until } from '../support/census.js';
import { call, Screen } from '../support/command.js';
import { lockPath } from '../support/folder.js';
import { Peer } from '../support/peer.js';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));

function isFree(path: string): boolean {
  const lock = FileLock.tryAcquire(path, { record: false });
  lock?.releaseSync();
  return lock !== null;
}

describe('help and version go to stdout', () => {
  test.each<[string[], string]>([
    [['--help'], help.MAIN_HELP],
    [['-h'], help.MAIN_HELP],
    [['help'], help.MAIN_HELP],
    [['run', '--help'], help.RUN_HELP],
    [['run', '-nh', 'file'], help.RUN_HELP],
    [['status', '--help'], help.STATUS_HELP],
    [['status', '-h', 'file'], help.STATUS_HELP],
    [['--version'], `holdfast ${version}\n`],
    [['-V'], `holdfast ${version}\n`],
  ])('%j', async (argv, stdout) => {
    expect(await call(...argv)).toEqual({ code: 0, stdout, stderr: '' });
  });

  test('every option is in the help', () => {
    const options = ['-x', '-e', '-s', '-n', '-w', '-E', '-o', '-F', '-c', '-u', '--verbose'];
    for (const option of options) expect(help.RUN_HELP).toContain(option);
    for (const option of ['--json', '--watch', '--probe'])
      expect(help.STATUS_HELP).toContain(option);
    for (const code of [64, 65, 69, 70, 73, 75]) expect(help.RUN_HELP).toContain(String(code));
  });

  test('no line is longer than a terminal is wide', () => {
    const lines = Object.values(help).join('').split('\n');
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
  });
});

describe('wrong words are 64, and stderr says where to look', () => {
  test.each([
    [[]],
    [['bogus']],
    [['toString']],
    [['']],
    [['run']],
    [['run', '--']],
    [['run', '-Z', 'f', 'true']],
    [['run', '-c', 'true', 'f']],
    [['run', '--command', 'true', 'f']],
    [['run', '--verbose=1', 'f', 'true']],
    [['run', '-w']],
    [['run', '-w', 'soon', 'f', 'true']],
    [['run', '-E', '256', 'f', 'true']],
    [['run', '-o', '-F', 'f', 'true']],
    [['run', 'f']],
    [['run', 'f', '-c']],
    [['run', 'f', '--command']],
    [['run', 'f', '-c', 'a', 'b']],
    [['run', 'f', '-ca', 'b']],
    [['run', 'f', '--command=a', 'b']],
    [['status']],
    [['status', '--bogus', 'f']],
    [['status', '--json=1', 'f']],
  ])('%j', async (argv) => {
    const { code, stdout, stderr } = await call(...argv);
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toMatch(/^holdfast: .+; see: holdfast (run |status )?--help\n$/);
  });
});

describe('run', () => {
  test('resolves to the exit code of the command', async () => {
    const path = lockPath();
    for (let code = 0; code <= 255; code++) {
      expect(await call('run', path, 'sh', '-c', `exit ${code}`)).toMatchObject({ code });
    }
  });

  test.each([1, 2, 9, 13, 15, 31])('signal %i is 128 and the number', async (number) => {
    const kill = `ulimit -c 0; kill -${number} $$`;
    expect(await call('run', lockPath(), 'sh', '-c', kill)).toMatchObject({ code: 128 + number });
  });

  test('a record names it while the command runs, and is gone afterwards', async () => {
    const path = lockPath();
    const copy = `${path}.copy`;
    expect(await call('run', path, 'cp', path, copy)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(JSON.parse(readFileSync(copy, 'utf8'))).toMatchObject({ pid: process.pid });
    expect(JSON.parse(readFileSync(path, 'utf8'))).not.toHaveProperty('pid');
    expect(isFree(path)).toBe(true);
  });

  test('passes signals on, and takes its listeners away', async () => {
    const path = lockPath();
    const ready = `${path}.ready`;
    const script = 'trap "exit 5" USR2; : >"$0"; while :; do :; done';
    const called = call('run', path, 'sh', '-c', script, ready);
    await until(async () => (await inspect(ready)).state !== 'missing');
    process.kill(process.pid, 'SIGUSR2');
    expect(await called).toMatchObject({ code: 5 });
    expect(process.listenerCount('SIGUSR2')).toBe(0);
  });

  test('what cannot be run is 69, and its reason is said', async () => {
    const path = lockPath();
    const script = `${path}.script`;
    closeSync(openSync(script, 'w', 0o644));
    for (const command of ['./nowhere/at/all', script]) {
      for (const options of [[], ['-F']]) {
        const { code, stderr } = await call('run', ...options, path, command);
        expect({ code, stderr }).toMatchObject({ code: 69 });
        expect(stderr).toContain(command);
      }
    }
    expect(isFree(path)).toBe(true);
    expect(process.listenerCount('SIGTERM')).toBe(0);
  });

  test.each([
    ['a circle of symlinks', (path: string) => symlinkSync(path, path), 73],
    ['a device', () => '/dev/null', 65],
    ['below a file', () => join(process.execPath, 'f'), 73],
  ])('FILE that cannot be locked: %s', async (_, make, code) => {
    const path = lockPath();
    const file = make(path) ?? path;
    expect(await call('run', file, 'true')).toMatchObject({ code, stdout: '' });
  });

  test('-u runs the command without the lock, --verbose tells it', async () => {
    const path = lockPath();
    const { code, stderr, stdout } = await call('run', '-u', '--verbose', path, 'true');
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr.split('\n')).toEqual([
      expect.stringMatching(/^holdfast: getting lock took \d+\.\d{6} seconds$/),
      'holdfast: executing true',
      '',
    ]);
  });

  test('a refusal names the pid, its command and its age, and says what to do', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    const { code, stdout, stderr } = await call('run', '-n', path, 'true');
    expect({ code, stdout }).toEqual({ code: 75, stdout: '' });
    const [refusal, advice] = stderr.split('\n');
    expect(refusal).toMatch(/^holdfast: .+ is held by pid \d+ \(node .*\), for \d+s$/);
    expect(refusal).toContain(`${path} is held by pid ${peer.pid} (node `);
    expect(advice).toContain('command not run');
    expect(advice).toContain(`holdfast status ${path}`);
  });

  test('-E changes what a refusal ends with', async () => {
    const path = lockPath();
    using _lock = FileLock.acquireSync(path);
    expect(await call('run', '-n', '-E', '0', path, 'false')).toMatchObject({ code: 0 });
    expect(await call('run', '-w', '0.01', '-E', '7', path, 'false')).toMatchObject({ code: 7 });
  });
});

describe('run NUMBER', () => {
  const isOpen = (fd: number): boolean => existsSync(`/proc/self/fd/${fd}`);

  function descriptorOf(path: string): number {
    const fd = openSync(path, 'a');
    onTestFinished(() => {
      if (isOpen(fd)) closeSync(fd);
    });
    return fd;
  }

  test('locks for as long as the descriptor is open, and -u unlocks', async () => {
    const path = lockPath();
    const fd = descriptorOf(path);
    expect(await call('run', '-n', String(fd))).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(isFree(path)).toBe(false);
    const { code, stderr } = await call('run', '--verbose', '-u', String(fd));
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('took') });
    expect(isFree(path)).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe('');
  });

  test.each([
    ['-n', []],
    ['-w', ['0.05']],
  ])('is refused by another holder, whom it names: %s', async (option, value) => {
    const path = lockPath();
    const fd = descriptorOf(path);
    const peer = await Peer.start();
    await peer.acquire('a', path);
    const { code, stderr } = await call('run', option, ...value, String(fd));
    expect(code).toBe(75);
    expect(stderr).toContain(`descriptor ${fd} is held by pid ${peer.pid} `);
    // It is the caller's.
    expect(isOpen(fd)).toBe(true);
  });

  test('that is not open is 65', async () => {
    expect(await call('run', '987654')).toMatchObject({ code: 65, stdout: '' });
  });
});

describe('an internal error is 70, on stderr', () => {
  test.each([
    [new Error('on purpose'), 'Error: on purpose'],
    ['a string', 'a string'],
    [Object.assign(new Error('without a stack'), { stack: undefined }), 'without a stack'],
  ])('%s', async (thrown, detail) => {
    const stderr = new Screen();
    const stdout = {
      write: (): never => {
        throw thrown;
      },
    };
    expect(await main(['--help'], { stdout, stderr })).toBe(70);
    expect(stderr.text).toMatch(/^holdfast: internal error/);
    expect(stderr.text).toContain(detail);
    for (const line of stderr.lines) expect(line).toMatch(/^holdfast: /);
  });
});

describe('what an error means', () => {
  const failed = (syscall: string): Error => Object.assign(new Error(), { code: 'EIO', syscall });
  test.each<[string, unknown, number]>([
    ['open fails', failed('open'), EXIT.cantCreate],
    ['mkdir fails', failed('mkdir'), EXIT.cantCreate],
    ['flock fails', failed('flock'), EXIT.data],
    ['held', new LockHeldError('/f', null), EXIT.refused],
    ['a state', new LockStateError('/f', ''), EXIT.data],
    ['unsupported', new LockUnsupportedError('/f', ''), EXIT.data],
    ['an argument', Object.assign(new TypeError(), { code: 'ERR_INVALID_ARG_VALUE' }), EXIT.usage],
    ['without a code', new Error(), EXIT.software],
    ['null', null, EXIT.software],
    ['no object', 'text', EXIT.software],
  ])('%s', (_, error, code) => {
    expect(exitCodeOf(error)).toBe(code);
  });
});

describe('words', () => {
  test.each([
    ['30', 30_000],
    ['1.5', 1500],
    ['.5', 500],
    ['5.', 5000],
    ['0', 0],
    ['500ms', 500],
    ['2s', 2000],
    ['10m', 600_000],
    ['1h', 3_600_000],
    ['1d', 86_400_000],
  ])('the time %s', (text, milliseconds) => {
    expect(parseTime(text, '--timeout', 'run')).toBe(milliseconds);
  });

  test.each(['', '.', '-1', '1.5.2', '1 s', '1w', 'ms', 'Infinity', '1e3', '1,5'])(
    'no time: %j',
    (text) => {
      expect(() => parseTime(text, '--timeout', 'run')).toThrow(
        expect.objectContaining({ code: 64 }),
      );
    },
  );

  test.each([
    [0, '0:00'],
    [7999, '0:07'],
    [754_000, '12:34'],
    [3_723_000, '1:02:03'],
    [360_000_000, '100:00:00'],
  ])('%i ms on the clock', (milliseconds, text) => {
    expect(clock(milliseconds)).toBe(text);
  });

  test.each<[string[], object]>([
    [['f', 'a', '-n'], { target: 'f', command: ['a', '-n'], timeout: Number.POSITIVE_INFINITY }],
    [['f', '--', '-a', '--'], { command: ['-a', '--'] }],
    [['--', '-f', 'a'], { target: '-f', command: ['a'] }],
    [['-sn', 'f', 'a'], { mode: 'shared', timeout: 0 }],
    [['-s', '-e', 'f', 'a'], { mode: 'exclusive' }],
    [['-x', '--shared', 'f', 'a'], { mode: 'shared' }],
    [['-w5', 'f', 'a'], { timeout: 5000 }],
    [['--wait=2', 'f', 'a'], { timeout: 2000 }],
    [['-w', '9', '--timeout', '1', 'f', 'a'], { timeout: 1000 }],
    [['-n', '-w', '9', 'f', 'a'], { timeout: 0 }],
    [['f', '-c', 'a b'], { command: ['SHELL', '-c', 'a b'] }],
    [['f', '--command', ''], { command: ['SHELL', '-c', ''] }],
    [['f', '-ca b'], { command: ['SHELL', '-c', 'a b'] }],
    [['f', '--command=a\nb'], { command: ['SHELL', '-c', 'a\nb'] }],
    [['9'], { target: 9, command: [] }],
    [['9', 'a'], { target: '9', command: ['a'] }],
    [['-E', '0', '-o', 'f', 'a'], { conflictCode: 0, close: true, inPlace: false }],
  ])('%j', (argv, options) => {
    expect(parseRun(argv, 'SHELL')).toMatchObject(options);
  });
});

test('missing folders are made, and FILE may be a folder', async () => {
  const path = join(lockPath(), 'a', 'b.lock');
  expect(await call('run', path, 'true')).toMatchObject({ code: 0 });
  mkdirSync(join(dirname(path), 'folder'));
  expect(await call('run', join(dirname(path), 'folder'), 'true')).toMatchObject({ code: 0 });
});
