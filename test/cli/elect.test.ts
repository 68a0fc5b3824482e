import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Election } from '../../src/election.js';
import { FileLock } from '../../src/index.js';
import { until } from '../support/census.js';
import { endProcess } from '../support/claims-peer.js';
import { COMMAND, call, finish, start } from '../support/command.js';
import { testFolder } from '../support/folder.js';
import { queueOf, seatOf } from '../support/kernel.js';
import { Program } from '../support/program.js';
import { needs } from '../support/tools.js';

const NODE = process.execPath;

/** A command that says who it is and runs until its stdin ends or a signal comes. */
const SAYS = (name: string): string[] => [
  NODE,
  '-e',
  `process.stdin.resume().on('end', () => process.exit(7));
   require('fs').writeSync(1, '${name} ' + process.pid + ' term ' + process.env.HOLDFAST_TERM + '\\n')`,
];

/** The pid that a command of `SAYS` has told; it ends with the test. */
async function pidOf(program: Program, name: string): Promise<number> {
  await program.says(`${name} `);
  await until(() => program.stdout.includes('term'));
  const pid = Number(new RegExp(`${name} (\\d+)`).exec(program.stdout)?.[1]);
  onTestFinished(() => endProcess(pid));
  return pid;
}

function termOf(program: Program): number {
  return Number(/term (\d+)/.exec(program.stdout)?.[1]);
}

function lives(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

async function standBy(directory: string, args: string[], count = 1): Promise<Program> {
  const program = start(['elect', ...args]);
  await until(() => queueOf(directory) === count);
  return program;
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
    await until(() => !lives(first.pid));
    expect(lives(command)).toBe(true);
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

  test('.primary removed: a command that ignores SIGTERM gets SIGKILL after five seconds, and only then a standby runs its own', async () => {
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
          const runs = lives(command);
          overlapped ||= runs && speaks();
          return !runs;
        });
        const took = performance.now() - begin;
        expect((await first.exited).code).toBe(137);
        expect(took).toBeGreaterThan(4500);
        expect(took).toBeLessThan(6500);
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
  ])('%j is a usage error, and makes nothing', async (args) => {
    const cwd = testFolder();
    const { code, stdout, stderr } = await finish(args, { cwd });
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

describe('a seat that cannot be had', () => {
  const kinds: [string, number, (path: string) => void][] = [
    ['a symlink', 73, (path) => symlinkSync('nowhere', path)],
    ['a FIFO', 65, (path) => execFileSync('mkfifo', [path])],
    ['a folder', 65, (path) => mkdirSync(path)],
    ['a file with other content', 65, (path) => writeFileSync(path, 'mine')],
  ];
  test.each(kinds)('%s is %i at once, with one line', async (_, expected, make) => {
    const directory = testFolder();
    make(join(directory, '.primary'));
    const { code, stdout, stderr } = await finish(['elect', directory, 'echo', 'led']);
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' });
    expect(stderr).toMatch(/^holdfast: .+\n$/);
    expect(readdirSync(directory)).toEqual(['.primary']);
  });

  test('and that comes while it stands by: the same', async () => {
    const directory = testFolder();
    const seat = FileLock.acquireSync(join(directory, '.primary'));
    const program = await standBy(directory, [directory, 'echo', 'led']);
    rmSync(join(directory, '.primary'));
    symlinkSync('nowhere', join(directory, '.primary'));
    seat.releaseSync();
    const { code, stdout, stderr } = await program.exited;
    expect({ code, stdout }).toEqual({ code: 73, stdout: '' });
    expect(stderr.match(/ELOOP/g)).toHaveLength(1);
    expect(readdirSync(directory)).toEqual(['.primary']);
  });

  needs('root')('another user’s 0600 file is 73 at once', async () => {
    const directory = testFolder();
    chmodSync(directory, 0o777);
    writeFileSync(join(directory, '.primary'), '', { mode: 0o600 });
    const user = { uid: 65534, gid: 65534 };
    const { code, stdout } = await finish(['elect', directory, 'echo', 'led'], user);
    expect({ code, stdout }).toEqual({ code: 73, stdout: '' });
    expect(readdirSync(directory)).toEqual(['.primary']);
  });
});

describe('a folder whose name is not UTF-8', () => {
  // As a string of JavaScript it cannot be typed, so a shell does.
  const bytes = String.raw`caf\351`;
  test.each([
    ['named', '"$2" "$1" elect "$(printf \'$bytes\')" echo led'],
    ['the working directory', 'cd "$(printf \'$bytes\')" && "$2" "$1" elect . echo led'],
    ['below the working directory', 'cd "$(printf \'$bytes\')" && "$2" "$1" elect sub echo led'],
    ['asked about', '"$2" "$1" elect status "$(printf \'$bytes\')"'],
  ])('%s: is refused, and no other folder is made or used', async (_, line) => {
    const root = testFolder();
    mkdirSync(Buffer.concat([Buffer.from(join(root, 'caf')), Buffer.from([0xe9])]));
    mkdirSync(join(root, 'caf\ufffd'));
    const script = line.replaceAll('$bytes', bytes);
    const { code, stdout, stderr } = await Program.start(
      'sh',
      ['-c', script, 'sh', COMMAND, NODE],
      { cwd: root },
    ).end();
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toContain('UTF-8');
    const names = [...readdirSync(root), ...readdirSync(join(root, 'caf\ufffd'))];
    expect(names).toHaveLength(2);
  });

  test('a name that has the replacement character itself is a name', async () => {
    const root = testFolder();
    const directory = join(root, 'caf\ufffd');
    const { code, stdout } = await finish(['elect', directory, 'echo', 'led']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'led\n' });
    expect(readdirSync(root)).toEqual(['caf\ufffd']);
  });
});

describe('holdfast elect status', () => {
  test('shows members, who is primary and what they run, as a table and as JSON', async () => {
    const directory = testFolder();
    const first = start(['elect', '--id', 'a', directory, ...SAYS('first')]);
    await pidOf(first, 'first');
    const second = await standBy(directory, ['--id', 'b', directory, ...SAYS('second')]);
    const { code, stdout } = await call('elect', 'status', directory);
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/MEMBER.*STATE.*PID/);
    expect(lines[1]).toMatch(new RegExp(`^\\W*a\\s.*primary.*${first.pid}`));
    expect(lines[2]).toMatch(new RegExp(`^\\W*b\\s.*standby.*${second.pid}`));
    const json = await call('elect', 'status', '--json', directory);
    expect(JSON.parse(json.stdout)).toMatchObject({
      members: [
        { id: 'a', pid: first.pid, primary: true, self: false },
        { id: 'b', pid: second.pid, primary: false, self: false },
      ],
      primary: { state: 'held' },
    });
  });

  test('of a folder that is empty, missing or has only the dead: none', async () => {
    const root = testFolder();
    mkdirSync(join(root, 'empty'));
    mkdirSync(join(root, 'dead'));
    writeFileSync(join(root, 'dead', 'x.lock'), 'old heartbeat');
    for (const name of ['empty', 'missing', 'dead']) {
      expect(await call('elect', 'status', join(root, name))).toEqual({
        code: 0,
        stdout: 'no members\n',
        stderr: '',
      });
      const { stdout } = await call('elect', 'status', join(root, name), '--json');
      expect(JSON.parse(stdout)).toMatchObject({ members: [] });
    }
    expect(existsSync(join(root, 'missing'))).toBe(false);
    expect(existsSync(join(root, 'empty', '.primary'))).toBe(false);
  });

  test('removes nothing, and takes no lock of another program’s file for a member', async () => {
    const directory = testFolder();
    writeFileSync(join(directory, 'yarn.lock'), '');
    writeFileSync(join(directory, 'Cargo.lock'), 'version = 4\n');
    const lock = FileLock.acquireSync(join(directory, 'Cargo.lock'));
    onTestFinished(() => lock.releaseSync());
    const { code, stdout } = await call('elect', 'status', directory);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'no members\n' });
    expect(readdirSync(directory).sort()).toEqual(['Cargo.lock', 'yarn.lock']);
  });

  test('whatever stands in a member’s file is data, and hides no other member', async () => {
    const directory = testFolder();
    const holdfast = JSON.stringify({ hostname: 'h', start: '', boot: '', token: 1 });
    const record = (startedAt: string, fields: string): string =>
      `{"pid":2147483647,"startedAt":"${startedAt}",${fields}"holdfast":${holdfast}}\n`;
    const now = '2026-01-17T15:30:00.000Z';
    const contents = {
      array: record(now, '"command":["a"],'),
      object: record(now, '"command":{"toString":1},'),
      nothing: record(now, '"command":null,'),
      first: record('-271821-04-20T00:00:00.000Z', '"command":"first",'),
      last: record('+275760-09-13T00:00:00.000Z', '"command":"last",'),
      proto: record(now, '"__proto__":{"command":1},"toJSON":1,"constructor":1,'),
      escape: record(now, '"command":"\\u001b[31m\\u0000\\ud800",'),
      empty: '',
    };
    const none = { long: 'x'.repeat(10_000_000), deep: '['.repeat(100_000), bytes: '\0\xff' };
    for (const [id, text] of Object.entries({ ...contents, ...none })) {
      const path = join(directory, `${id}.lock`);
      const lock = FileLock.acquireSync(path, { record: false });
      onTestFinished(() => lock.releaseSync());
      writeFileSync(path, text);
    }
    const { code, stdout, stderr } = await call('elect', 'status', directory);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const rows = stdout.trimEnd().split('\n').slice(1);
    const ids = Object.keys(contents).sort();
    expect(rows.map((row) => row.split(' ')[0])).toEqual(ids);
    for (const id of ['array', 'object', 'nothing', 'empty']) {
      expect(rows.find((row) => row.startsWith(`${id} `))).toMatch(/ -$/);
    }
    expect(stdout).not.toContain('\u001b');
    const json = await call('elect', 'status', directory, '--json');
    const { members } = JSON.parse(json.stdout);
    expect(members.map(({ id }: { id: string }) => id)).toEqual(ids);
    expect(members[0]).toMatchObject({ id: 'array', data: { command: ['a'] } });
  });

  test('a seat that cannot be had does not hide the members', async () => {
    const directory = testFolder();
    const election = await Election.join(directory, { id: 'a' });
    await election.whenPrimary();
    onTestFinished(() => election.leave());
    election.on('error', () => {});
    rmSync(join(directory, '.primary'));
    symlinkSync('nowhere', join(directory, '.primary'));
    const json = await call('elect', 'status', directory, '--json');
    expect(json.code).toBe(0);
    const told = JSON.parse(json.stdout);
    expect(told).toMatchObject({ primary: null, problem: expect.stringContaining('.primary') });
    const table = await call('elect', 'status', directory);
    expect(table.stdout).toContain('no member can be primary');
  });

  test('a name with control characters cannot write to the terminal', async () => {
    const directory = testFolder();
    const election = await Election.join(directory, {
      id: 'a\u001b[31m',
      data: { command: 'x\u001by' },
    });
    onTestFinished(() => election.leave());
    await election.whenPrimary();
    const { stdout } = await call('elect', 'status', directory);
    expect(stdout).not.toContain('\u001b');
    expect(stdout).toContain('primary');
  });
});
