import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileLock, inspect } from '../../src/index.js';
import { until } from '../support/census.js';
import { COMMAND, finish, onTerminal, start } from '../support/command.js';
import { lockPath, testFolder } from '../support/folder.js';
import { limit } from '../support/limit.js';
import { Program } from '../support/program.js';
import { needs } from '../support/tools.js';

const HOLDFAST = [process.execPath, COMMAND];

/** Every command that prints results. */
const PRINTING: [string, (folder: string) => string[]][] = [
  ['--help', () => ['--help']],
  ['--version', () => ['--version']],
  ['run --help', () => ['run', '--help']],
  ['status', (folder) => ['status', folder]],
  ['status --json', (folder) => ['status', '--json', join(folder, 'a')]],
  ['status --watch', (folder) => ['status', '--watch', join(folder, 'a')]],
  ['claim --help', () => ['claim', '--help']],
  ['mcp --help', () => ['mcp', '--help']],
  ['claim list', (folder) => ['claim', 'list', '--dir', folder]],
  ['claim check', (folder) => ['claim', 'check', '--dir', folder, 'a']],
  ['claim add', (folder) => ['claim', 'add', '--dir', folder, '--agent', 'a', 'b']],
  ['elect status', (folder) => ['elect', 'status', folder]],
  ['next-id', (folder) => ['next-id', folder]],
  ['doctor', (folder) => ['doctor', folder]],
];

// The others print in the same way.
const SHORT = ['--help', 'status', 'claim add', 'next-id'];

for (const [name, words] of PRINTING) {
  const tags = SHORT.includes(name) ? [] : ['long'];

  describe(`the results of ${name} that cannot be written are the exit status`, { tags }, () => {
    test('to a closed pipe it ends as SIGPIPE would: 141', async () => {
      const program = start(words(testFolder()));
      // Before it has written anything.
      program.process.stdout?.destroy();
      expect(await program.exited).toMatchObject({
        code: 128 + constants.signals.SIGPIPE,
        stderr: '',
      });
    });

    test('to a full disk it is 74, with the reason', async () => {
      const full = openSync('/dev/full', 'w');
      try {
        const { code, stderr } = await finish(words(testFolder()), {
          stdio: ['pipe', full, 'pipe'],
        });
        expect(code).toBe(74);
        expect(stderr).toMatch(/^holdfast: cannot write to standard output: ENOSPC/);
      } finally {
        closeSync(full);
      }
    });
  });
}

test('a standard output that the caller has closed takes everything, as /dev/null', async () => {
  const program = Program.start('sh', ['-c', '"$@" >&-', 'sh', ...HOLDFAST, '--help']);
  expect(await program.end()).toMatchObject({ code: 0, stderr: '' });
});

describe('diagnostics that cannot be written change nothing', () => {
  test.each(['>/dev/full', '>&-'])('2%s', async (where) => {
    const path = lockPath();
    using _lock = FileLock.acquireSync(path);
    const script = `"$@" 2${where}`;
    for (const options of [['-n'], ['-w', '100ms']]) {
      const words = [...HOLDFAST, 'run', ...options, path, 'true'];
      expect((await Program.start('sh', ['-c', script, 'sh', ...words]).end()).code).toBe(75);
    }
  });

  test('nor does a pipe whose reader has gone', async () => {
    const path = lockPath();
    using _lock = FileLock.acquireSync(path);
    const program = start(['run', '-w', '100ms', path, 'true']);
    program.process.stderr?.destroy();
    expect((await program.exited).code).toBe(75);
  });
});

/** Of the open file description, which others share. */
function isNonBlocking(pid: number, fd: number): boolean {
  const [, flags = ''] =
    /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8')) ?? [];
  expect(flags).not.toBe('');
  return (Number.parseInt(flags, 8) & 0o4000) !== 0;
}

async function waiterOf(path: string): Promise<number> {
  let pid: number | undefined;
  await until(async () => {
    [pid] = (await inspect(path)).waiters;
    return pid !== undefined;
  });
  return pid as number;
}

describe('descriptors that others share keep their flags', () => {
  test('while it waits, and has said so, those who write to the same pipe lose nothing', async () => {
    const path = lockPath();
    const lock = FileLock.acquireSync(path);
    const sibling = 'read -r line; head -c 1048576 /dev/zero | tr "\\0" x >&2; echo "wrote $?"';
    const script = `{ exec 3<&0; { ${sibling}; } <&3 & "$@"; wait; } 2>&1 | cat`;
    const run = [...HOLDFAST, 'run', path, 'echo', 'got it'];
    const program = Program.start('sh', ['-c', script, 'sh', ...run]);
    await program.says('waiting 0:00');
    const pid = await waiterOf(path);
    expect([0, 1, 2].map((fd) => isNonBlocking(pid, fd))).toEqual([false, false, false]);
    program.process.stdin?.write('go\n');
    await program.says('wrote 0');
    lock.releaseSync();
    const { code, stdout } = await program.end();
    expect(code).toBe(0);
    expect(stdout.match(/x/g)?.length).toBeGreaterThanOrEqual(1_048_576);
    expect(stdout).toContain('got it\n');
  });

  needs('python3')('a terminal too, on which the wait is drawn', async () => {
    const path = lockPath();
    using _lock = FileLock.acquireSync(path);
    const program = onTerminal(...HOLDFAST, 'run', path, 'true');
    await program.says('waiting');
    const pid = await waiterOf(path);
    expect([0, 1, 2].map((fd) => isNonBlocking(pid, fd))).toEqual([false, false, false]);
  });

  const held = (folder: string): string => join(folder, 'held.lock');
  const QUIETLY_SHARED: [string, (folder: string) => string[]][] = [
    ...PRINTING.filter(([name]) => name !== 'status --watch'),
    ['run -n, refused', (folder) => ['run', '-n', held(folder), 'true']],
    ['run -w, in vain', (folder) => ['run', '-w', '100ms', held(folder), 'true']],
    [
      'run --instance --force, without a terminal to ask on',
      (folder) => ['run', '--instance', 'it', '--force', held(folder), 'true'],
    ],
    ['claim plan -', () => ['claim', 'plan', '-']],
    ['a wrong word', () => ['wrong']],
    [
      'a warning of the library',
      (folder) => {
        writeFileSync(join(folder, `${'9'.repeat(30)}-a`), '');
        return ['next-id', folder];
      },
    ],
  ];
  for (const [name, words] of QUIETLY_SHARED) {
    const tags = name.startsWith('run') ? [] : ['long'];
    needs('strace')(`none is set: ${name}`, { tags }, async () => {
      const folder = testFolder();
      using _lock = FileLock.acquireSync(held(folder));
      const trace = join(testFolder(), 'trace');
      const strace = ['-qq', '-e', 'trace=fcntl,ioctl,write', '-o', trace];
      const program = Program.start('strace', [...strace, ...HOLDFAST, ...words(folder)]);
      const { stdout, stderr } = await program.end();
      const calls = readFileSync(trace, 'utf8').split('\n');
      expect(calls.some((call) => /^write\([12], "/.test(call))).toBe(true);
      expect(stdout + stderr).not.toBe('');
      expect(
        calls.filter((call) => /^(?:ioctl\([012], FIONBIO|fcntl\([012], F_SETFL)/.test(call)),
      ).toEqual([]);
    });
  }
});

needs('strace')('Node itself finds no stream to open on standard error', async () => {
  const [hook, trace] = [join(testFolder(), 'hook.cjs'), join(testFolder(), 'trace')];
  // As it does for a warning, and whenever a socket is destroyed.
  writeFileSync(hook, "process.once('exit', () => process.stderr.write('from Node\\n'));");
  const strace = ['-qq', '-e', 'trace=fcntl,ioctl', '-o', trace];
  const env = { ...process.env, NODE_OPTIONS: `--require ${hook}` };
  const program = Program.start('strace', [...strace, ...HOLDFAST, '--version'], { env });
  expect(await program.end()).toMatchObject({ code: 0, stderr: 'from Node\n' });
  expect(readFileSync(trace, 'utf8')).not.toMatch(/^ioctl\(2, FIONBIO/m);
});

describe('a pipe that somebody else has made non-blocking', () => {
  needs('python3')('is waited for until it takes everything', async () => {
    const path = lockPath('x'.repeat(200));
    const many = Array.from({ length: 300 }, () => path);
    const { code, stdout } = await Program.start('python3', [
      ...['-c', SLOW_READER, ...HOLDFAST, 'status', '--json', ...many],
    ]).end();
    expect(code).toBe(0);
    expect(stdout.length).toBeGreaterThan(100_000);
    expect(JSON.parse(stdout)).toHaveLength(many.length);
  });

  needs('python3')('does not hold up a refusal for long when nobody reads', async () => {
    const path = lockPath();
    using _lock = FileLock.acquireSync(path);
    const words = ['run', '-n', path, 'true'];
    const began = performance.now();
    const { code } = await Program.start('python3', ['-c', FULL, ...HOLDFAST, ...words]).end();
    expect(code).toBe(75);
    expect(performance.now() - began).toBeLessThan(limit(10_000));
  });

  needs('python3', 'strace')('gives a plan from it time to come', async () => {
    const plan = [{ agent: 'a', files: ['x'] }];
    const { code, stdout } = await Program.start('python3', [
      ...['-c', LATE_WRITER, JSON.stringify(plan), ...HOLDFAST, 'claim', 'plan', '-'],
    ]).end();
    expect(code).toBe(0);
    expect(stdout).toContain('wave 1: a');
  });
});

/** Reads a little, and the rest only then: what is printed fills the pipe in between. */
const SLOW_READER = `
import os, subprocess, sys
end, start = os.pipe()
os.set_blocking(start, False)
child = subprocess.Popen(sys.argv[1:], stdout=start)
os.close(start)
while True:
    part = os.read(end, 1024)
    if not part: break
    os.write(1, part)
sys.exit(child.wait())
`;

/** Standard error is full from the start. */
const FULL = `
import os, subprocess, sys
end, start = os.pipe()
os.set_blocking(start, False)
try:
    while True: os.write(start, b'x')
except BlockingIOError: pass
sys.exit(subprocess.call(sys.argv[1:], stderr=start))
`;

/** Standard input has nothing at first: it comes once the program has looked for it. */
const LATE_WRITER = `
import os, subprocess, sys
end, start = os.pipe()
os.set_blocking(end, False)
child = subprocess.Popen(['strace', '-qq', '-e', 'trace=read', '-o', '/dev/stderr', *sys.argv[2:]], stdin=end, stderr=subprocess.PIPE, text=True)
for line in child.stderr:
    if line.startswith('read(0, ') and 'EAGAIN' in line: break
os.write(start, sys.argv[1].encode())
os.close(start)
for line in child.stderr: pass
sys.exit(child.wait())
`;
