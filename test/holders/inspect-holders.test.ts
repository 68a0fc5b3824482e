import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Walk } from '../../src/holders/kernel-tables.js';
import { viewKernel } from '../../src/holders/kernel-view.js';
import { readContent } from '../../src/holders/lock-file.js';
import { heldContent, parseContent } from '../../src/holders/owner-record.js';
import { ownIdentity } from '../../src/holders/process-identity.js';
import { FileLock, inspect } from '../../src/index.js';
import { until } from '../support/census.js';
import { lockPath } from '../support/folder.js';
import { Peer } from '../support/peer.js';
import { Program } from '../support/program.js';
import { runScript } from '../support/script.js';
import { needs } from '../support/tools.js';

const PYTHON = `
import fcntl, sys
file = open(sys.argv[1], 'a')
fcntl.flock(file, fcntl.LOCK_EX)
print('held', flush=True)
sys.stdin.read()
`;
const PERL = `
use Fcntl ':flock';
$| = 1;
open(my $file, '>>', $ARGV[0]) or die;
flock($file, LOCK_SH) or die;
print "held\\n";
<STDIN>;
`;

describe('another program holds the lock', () => {
  needs('python3')('python, without a record', async () => {
    const path = lockPath();
    const holder = Program.start('python3', ['-c', PYTHON, path]);
    await holder.says('held');
    expect(await inspect(path)).toMatchObject({
      state: 'held',
      mode: 'exclusive',
      holders: [
        {
          pid: holder.pid,
          self: false,
          source: 'kernel',
          verified: true,
          since: null,
          command: expect.stringMatching(/^python/),
          data: null,
        },
      ],
      record: null,
    });
    await holder.end();
    expect(await inspect(path)).toMatchObject({ state: 'free', holders: [] });
  });

  needs('perl')('perl, shared, with what it was called as in one line', async () => {
    const path = lockPath();
    const args = ['-e', PERL, path, 'a\nb', '\u001b[31mred\u001b[0m', 'x'.repeat(500)];
    const holder = Program.start('perl', args);
    await holder.says('held');
    const { mode, holders } = await inspect(path);
    expect(mode).toBe('shared');
    expect(holders).toMatchObject([{ pid: holder.pid, verified: true, since: null }]);
    expect(holders[0]?.command).toMatch(/^perl -e/);
    expect(holders[0]?.command).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(holders[0]?.command?.length).toBeLessThanOrEqual(200);
  });

  needs('flock')('flock(1): itself and the command that shares its lock', async () => {
    const path = lockPath();
    const holder = Program.start('flock', [path, 'sh', '-c', 'echo held; exec cat']);
    await holder.says('held');
    await until(async () => (await inspect(path)).holders.some(({ command }) => command === 'cat'));
    const { holders } = await inspect(path);
    expect(holders.map(({ pid }) => pid)).toContain(holder.pid);
    expect(holders).toHaveLength(2);
    for (const each of holders) expect(each).toMatchObject({ verified: true, since: null });
  });

  needs('python3')("an old holder's record is not taken for that of a later one", async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path, { data: { port: 80 } });
    await peer.kill();
    const holder = Program.start('python3', ['-c', PYTHON, path]);
    await holder.says('held');
    expect(await inspect(path)).toMatchObject({
      state: 'held',
      holders: [{ pid: holder.pid, since: null, data: null }],
      record: { pid: peer.pid, running: false, data: { port: 80 } },
    });
    await expect(FileLock.acquire(path, { timeout: 0 })).rejects.toMatchObject({
      holder: { pid: holder.pid, since: null, data: null },
    });
  });
});

describe('a lock that is shared with a child', () => {
  const SHARING = `
    import { spawn } from 'node:child_process';
    const lock = FileLock.acquireSync(args[0], { data: { port: 80 } });
    const child = spawn('sleep', ['20'], { stdio: ['ignore', 'ignore', 'ignore', lock.fd] });
    child.once('spawn', () => say('child ' + child.pid + ' runs'));`;

  test('is held by both, since the record says, and by the child when the locker dies', async () => {
    const path = lockPath();
    const locker = Program.module(SHARING, [path]);
    await locker.says('runs');
    const child = Number(/child (\d+)/.exec(locker.stdout)?.[1]);
    const both = await inspect(path);
    expect(both.holders.map(({ pid }) => pid).sort()).toEqual([locker.pid, child].sort());
    for (const holder of both.holders) {
      expect(holder).toMatchObject({ since: both.record?.since, data: { port: 80 } });
    }
    await locker.kill();
    expect(await inspect(path)).toMatchObject({
      state: 'held',
      mode: 'exclusive',
      holders: [{ pid: child, verified: true, command: 'sleep 20', since: null, data: null }],
      record: { pid: locker.pid, running: false },
    });
    await expect(FileLock.acquire(path, { timeout: 20 })).rejects.toMatchObject({
      code: 'ERR_LOCK_TIMEOUT',
      holder: { pid: child, verified: true },
    });
    process.kill(child, 'SIGKILL');
    await until(async () => (await inspect(path)).state === 'stale');
  });

  needs('root')('is held by someone whom another user cannot look into', async () => {
    const path = lockPath();
    const locker = Program.module(SHARING, [path]);
    await locker.says('runs');
    const script = 'report(await inspect(path));';
    chmodSync(dirname(path), 0o755);
    chmodSync(path, 0o644);
    const nobody = { uid: 65534, gid: 65534 };
    const seen = await runScript(path, script, nobody);
    const holder = { pid: locker.pid, self: false, source: 'kernel', verified: false };
    expect(seen.reports).toMatchObject([{ state: 'held', mode: 'exclusive', holders: [holder] }]);
    await locker.kill();
    const dead = await runScript(path, script, nobody);
    const somebody = { pid: null, self: false, source: 'kernel', verified: false };
    expect(dead.reports).toMatchObject([{ state: 'held', holders: [somebody] }]);
  });
});

// The kernel's tables as the test wants them: pids are not used again on demand.
const FILE = 'fe:0:77';
const lockLine = (pid: number, mode = 'WRITE', arrow = ''): string =>
  `1: ${arrow}FLOCK  ADVISORY  ${mode} ${pid} fe:00:77 0 EOF\n`;
const withLock = (mode = 'WRITE'): string => `pos:\t0\nlock:\t${lockLine(1, mode)}`;
const stat = (pid: number, ticks = 500): string =>
  `${pid} (a) b) S${' 1'.repeat(18)} ${ticks} 4096 0\n`;

type Tables = Record<string, string | string[] | null | (string | null)[]>;

/** Runs a walk over `tables`; a function is asked each time. */
function walk<R>(steps: Walk<R>, tables: Record<string, Tables[string] | (() => string)>): R {
  let step = steps.next();
  while (step.done !== true) {
    const entry = tables['text' in step.value ? step.value.text : step.value.list] ?? null;
    const answer = typeof entry === 'function' ? entry() : entry;
    step = steps.next(answer as string | string[] | null);
  }
  return step.value;
}

const everyHolder = { everyHolder: true };
const holding = (pid: number, command: string): Tables => ({
  [`/proc/${pid}/fdinfo`]: ['0', '5'],
  [`/proc/${pid}/fdinfo/0`]: 'pos:\t0\n',
  [`/proc/${pid}/fdinfo/5`]: withLock(),
  [`/proc/${pid}/cmdline`]: `/usr/bin/${command}\0-x\0`,
  [`/proc/${pid}/stat`]: stat(pid),
});
const innocent = (pid: number): Tables => ({
  [`/proc/${pid}/fdinfo`]: ['0'],
  [`/proc/${pid}/fdinfo/0`]: 'pos:\t0\n',
  [`/proc/${pid}/cmdline`]: 'innocent\0',
  [`/proc/${pid}/stat`]: stat(pid),
});

describe('the tables', () => {
  test('name a pid that is somebody else by now: the one with the descriptor is named', () => {
    const tables = {
      '/proc': ['1', '40', '41', 'self'],
      '/proc/locks': lockLine(40),
      ...innocent(40),
      ...holding(41, 'child'),
    };
    for (const options of [everyHolder, { everyHolder: false }]) {
      const view = walk(viewKernel(FILE, null, options), tables);
      expect(view?.holders).toMatchObject([{ pid: 41, verified: true, command: 'child -x' }]);
    }
  });

  test('name a dead pid, and nobody can be found: held all the same', () => {
    const tables = { '/proc': ['1'], '/proc/locks': lockLine(40) };
    const view = walk(viewKernel(FILE, null, everyHolder), tables);
    expect(view).toMatchObject({ mode: 'exclusive', holders: [{ pid: null, verified: false }] });
  });

  test('miss a lock in one read: it is not free at first sight', () => {
    let reads = 0;
    const tables = {
      '/proc': ['40'],
      '/proc/locks': () => (++reads < 3 ? '' : lockLine(40)),
      ...holding(40, 'holder'),
    };
    const view = walk(viewKernel(FILE, null, everyHolder), tables);
    expect(view?.holders).toMatchObject([{ pid: 40, verified: true }]);
    expect(reads).toBe(3);
  });

  test('miss it three times: free; cannot be read: not known', () => {
    const free = walk(viewKernel(FILE, null, everyHolder), { '/proc/locks': '' });
    expect(free).toEqual({ mode: null, holders: [], waiters: [], others: [] });
    expect(walk(viewKernel(FILE, null, everyHolder), {})).toBeNull();
  });

  test('list waiters, other files and other kinds of lock apart', () => {
    const others = `2: POSIX  ADVISORY  WRITE 50 fe:00:77 0 EOF\n3: OFDLCK ADVISORY  WRITE -1 fe:00:77 0 EOF\n`;
    const elsewhere =
      '4: FLOCK  ADVISORY  WRITE 51 fe:00:78 0 EOF\n5: FLOCK  ADVISORY  WRITE 52 fd:00:77 0 EOF\n';
    const waiting = lockLine(60, 'WRITE', '-> ') + lockLine(61, 'READ', ' -> ');
    const tables = {
      '/proc': ['40'],
      '/proc/locks': others + elsewhere + lockLine(40) + waiting,
      ...holding(40, 'holder'),
    };
    const view = walk(viewKernel(FILE, null, everyHolder), tables);
    expect(view).toMatchObject({ mode: 'exclusive', holders: [{ pid: 40 }], waiters: [60, 61] });
    expect(view?.others).toEqual([
      { kind: 'posix', mode: 'exclusive', pid: 50 },
      { kind: 'ofd', mode: 'exclusive', pid: null },
    ]);
  });

  test('repeat a lock, as they do while others come and go: it counts once', () => {
    const locks = lockLine(40) + lockLine(60, 'WRITE', '-> ') + lockLine(61, 'WRITE', '-> ');
    const tables = { '/proc': ['40'], '/proc/locks': locks + locks, ...holding(40, 'holder') };
    const view = walk(viewKernel(FILE, null, everyHolder), tables);
    expect(view).toMatchObject({ holders: [{ pid: 40 }], waiters: [60, 61] });
  });

  test('give a record to the holder only where pid and start agree', () => {
    const { start, boot } = ownIdentity();
    const since = new Date(0);
    const record = parseContent(heldContent('json', since.getTime(), 5, '"port":80,'));
    const ticks = Number(start.split('@')[0]);
    const base = {
      '/proc': [String(process.pid)],
      '/proc/locks': lockLine(process.pid),
      ...holding(process.pid, 'node'),
    };
    expect(boot).not.toBe('');
    for (const [stored, expected] of [
      [ticks, { since, data: { port: 80 } }],
      [ticks + 1, { since: null, data: null }],
    ] as const) {
      const tables = { ...base, [`/proc/${process.pid}/stat`]: stat(process.pid, stored) };
      const view = walk(viewKernel(FILE, record, everyHolder), tables);
      expect(view?.holders).toMatchObject([{ pid: process.pid, self: true, ...expected }]);
    }
  });

  test('name the command before the `holdfast run` around it', () => {
    const tables = {
      '/proc': ['40', '41'],
      '/proc/locks': lockLine(40),
      ...holding(40, 'x'),
      '/proc/40/cmdline': 'node\0/usr/bin/holdfast\0run\0a.lock\0deploy\0',
      ...holding(41, 'deploy'),
    };
    for (const options of [everyHolder, { everyHolder: false }]) {
      const view = walk(viewKernel(FILE, null, options), tables);
      expect(view?.holders.map(({ pid }) => pid)).toEqual([41, 40]);
    }
  });
});

test('a record that is being rewritten is never seen in between', async () => {
  const path = lockPath();
  const writer = Program.module(
    `
    const lock = FileLock.acquireSync(args[0], { data: { long: '' } });
    say('held');
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (let turn = 0; ; turn++) {
      lock.update({ long: 'x'.repeat(turn % 2 === 0 ? 2000 : 100) });
      Atomics.wait(pause, 0, 0, 1);
    }`,
    [path],
  );
  await writer.says('held');
  const end = performance.now() + 500;
  while (performance.now() < end) {
    expect(readContent(path)).toMatchObject({ ours: true, owner: { pid: writer.pid } });
  }
  expect((await inspect(path)).record).toMatchObject({ pid: writer.pid });
});
