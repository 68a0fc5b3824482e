import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect } from 'vitest';
import { FileLock, inspect } from '../../src/index.js';
import { until } from '../support/census.js';
import { lockPath } from '../support/folder.js';
import { foreign, forgetPrograms } from '../support/foreign.js';
import { Program } from '../support/program.js';
import { needs } from '../support/tools.js';

afterAll(forgetPrograms);

describe.for([
  ['flock', []],
  ['python3', ['long']],
  ['perl', ['long']],
  ['go', ['long']],
] as const)('%s and Holdfast', ([tool, tags]) => {
  const test = (title: string, body: () => Promise<void>): void =>
    needs(tool)(title, { tags: [...tags] }, body);

  test('exclude each other where one is exclusive', async () => {
    const path = lockPath();
    for (const [theirs, ours] of [
      ['exclusive', 'exclusive'],
      ['exclusive', 'shared'],
      ['shared', 'exclusive'],
    ] as const) {
      const lock = FileLock.acquireSync(path, { mode: ours });
      const refused = foreign(tool, path, { mode: theirs });
      await refused.says('refused');
      lock.releaseSync();
      const holder = foreign(tool, path, { mode: theirs });
      await holder.says('held');
      expect(FileLock.tryAcquire(path, { mode: ours })).toBeNull();
      await holder.end();
      FileLock.acquireSync(path, { mode: ours }).releaseSync();
    }
  });

  test('share where both are shared', async () => {
    const path = lockPath();
    using lock = FileLock.acquireSync(path, { mode: 'shared' });
    const holder = foreign(tool, path, { mode: 'shared' });
    await holder.says('held');
    using second = FileLock.acquireSync(path, { mode: 'shared' });
    expect([lock.held, second.held]).toEqual([true, true]);
    expect(FileLock.tryAcquire(path)).toBeNull();
  });

  test('wait for each other', async () => {
    const path = lockPath();
    const lock = FileLock.acquireSync(path);
    const waiter = foreign(tool, path, { wait: true });
    await until(async () => (await inspect(path)).waiters.length === 1);
    expect(waiter.stdout).toBe('');
    lock.releaseSync();
    await waiter.says('held');
    const pending = FileLock.acquire(path);
    await until(async () => (await inspect(path)).waiters.includes(process.pid));
    await waiter.end();
    await using granted = await pending;
    expect(granted.held).toBe(true);
  });

  test('are granted the lock when the other is killed', async () => {
    const path = lockPath();
    writeFileSync(path, '');
    const holder = foreign(tool, path, { wait: true });
    await holder.says('held');
    const pending = FileLock.acquire(path);
    await holder.kill();
    const granted = await pending;
    expect(granted.previous).toBeNull();
    granted.detach();
    const ours = Program.module(
      "globalThis.kept = FileLock.acquireSync(args[0]); say('held'); process.stdin.resume();",
      [path],
    );
    await ours.says('held');
    const waiter = foreign(tool, path, { wait: true });
    await until(async () => (await inspect(path)).waiters.length === 1);
    await ours.kill();
    await waiter.says('held');
  });

  test('the foreign holder is named without a record', async () => {
    const path = lockPath();
    writeFileSync(path, '');
    const holder = foreign(tool, path, { wait: true });
    await holder.says('held');
    const error = await FileLock.acquire(path, { timeout: 0 }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'ERR_LOCK_HELD',
      holder: {
        pid: holder.pid,
        self: false,
        source: 'kernel',
        verified: true,
        since: null,
        data: null,
      },
    });
    expect(await inspect(path)).toMatchObject({
      state: 'held',
      mode: 'exclusive',
      record: null,
    });
    expect((await inspect(path)).holders.map(({ pid }) => pid)).toContain(holder.pid);
  });

  test('a record that was left by a killed holder is not taken for the foreign one', async () => {
    const path = lockPath();
    const dead = Program.module(
      "globalThis.kept = FileLock.acquireSync(args[0], { data: { task: 'old' } }); say('held'); process.stdin.resume();",
      [path],
    );
    await dead.says('held');
    await dead.kill();
    const holder = foreign(tool, path, { wait: true });
    await holder.says('held');
    await expect(FileLock.acquire(path, { timeout: 0 })).rejects.toMatchObject({
      holder: { pid: holder.pid, since: null, data: null },
    });
  });

  test('a file with other content is locked and not touched', async () => {
    const path = lockPath('data.txt');
    writeFileSync(path, 'somebody’s\n');
    const lock = FileLock.acquireSync(path);
    const refused = foreign(tool, path);
    await refused.says('refused');
    lock.releaseSync();
    const holder = foreign(tool, path, { wait: true });
    await holder.says('held');
    await expect(FileLock.acquire(path, { timeout: 20 })).rejects.toMatchObject({
      code: 'ERR_LOCK_TIMEOUT',
    });
    await holder.end();
    using _again = FileLock.acquireSync(path);
    expect(readFileSync(path, 'utf8')).toBe('somebody’s\n');
  });
});

describe('a script that locks itself with flock(1)', () => {
  const test = needs('flock');

  test('runs after Holdfast has held it, unchanged', async () => {
    const path = lockPath('job.sh');
    const script = `#!/bin/sh\n[ "$LOCKED" ] || exec env LOCKED=1 flock -n "$0" "$0"\necho ran\n`;
    writeFileSync(path, script);
    chmodSync(path, 0o755);
    const lock = FileLock.acquireSync(path);
    expect(() => execFileSync('sh', [path], { stdio: 'ignore' })).toThrow();
    lock.releaseSync();
    expect(readFileSync(path, 'utf8')).toBe(script);
    expect(execFileSync('sh', [path], { encoding: 'utf8' })).toBe('ran\n');
  });

  test('a lock file that flock(1) created is used, and flock(1) goes on using it', async () => {
    const path = lockPath();
    execFileSync('flock', [path, 'true']);
    FileLock.acquireSync(path).releaseSync();
    execFileSync('flock', ['-n', path, 'true']);
    using lock = FileLock.acquireSync(path);
    expect(lock.isCurrent()).toBe(true);
    expect(() => execFileSync('flock', ['-n', path, 'true'], { stdio: 'ignore' })).toThrow();
  });

  test('a pid file is read, kept as one and emptied', async () => {
    const path = lockPath('daemon.pid');
    writeFileSync(path, '4194304\n');
    const lock = FileLock.acquireSync(path, { record: 'pid' });
    expect(lock.previous).toMatchObject({ pid: 4194304, running: false });
    expect(execFileSync('cat', [path], { encoding: 'utf8' })).toBe(`${process.pid}\n`);
    lock.releaseSync();
    expect(readFileSync(path, 'utf8')).toBe('');
  });
});
