import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readContent } from '../../src/holders/lock-file.js';
import { FileLock, inspect } from '../../src/index.js';
import { until } from '../support/census.js';
import { lockPath } from '../support/folder.js';
import { Peer } from '../support/peer.js';
import { Program } from '../support/program.js';
import { runScript } from '../support/script.js';
import { NOBODY, needs } from '../support/tools.js';

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

  needs('python3')("an old holder's record is not taken for a later holder's", async () => {
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
    const seen = await runScript(path, script, NOBODY);
    const holder = { pid: locker.pid, self: false, source: 'kernel', verified: false };
    expect(seen.reports).toMatchObject([{ state: 'held', mode: 'exclusive', holders: [holder] }]);
    await locker.kill();
    const dead = await runScript(path, script, NOBODY);
    const somebody = { pid: null, self: false, source: 'kernel', verified: false };
    expect(dead.reports).toMatchObject([{ state: 'held', holders: [somebody] }]);
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
