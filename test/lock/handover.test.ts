import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FileLock, inspect } from '../../src/index.js';
import { descriptorsTo } from '../support/census.js';
import { lockPath } from '../support/folder.js';
import { GIVEN, heir } from '../support/heir.js';
import { Program } from '../support/program.js';
import { inTwoSizes } from '../support/sizes.js';

function record(path: string): { pid?: number; holdfast?: { token: number } } {
  return JSON.parse(readFileSync(path, 'utf8'));
}

describe('a lock that is handed to a child', () => {
  test.each(['adopt, then detach', 'detach, then adopt'])(
    'is the child’s with its record, in the order: %s',
    async (order) => {
      const path = lockPath();
      const lock = FileLock.acquireSync(path);
      const child = await heir(lock);
      if (order.startsWith('detach')) {
        lock.detach();
        expect(record(path)).toEqual({ holdfast: { token: lock.token } });
      }
      const adopted = await child.call('adopt', 'a', GIVEN, path);
      expect(adopted).toMatchObject({ held: true, mode: 'exclusive', token: lock.token });
      if (lock.held) lock.detach();
      expect(lock.held).toBe(false);
      expect(lock.fd).toBe(-1);
      expect(descriptorsTo(path)).toBe(0);
      expect(record(path)).toMatchObject({ pid: child.pid, holdfast: { token: lock.token } });
      expect(FileLock.tryAcquire(path)).toBeNull();
      expect(await inspect(path)).toMatchObject({
        state: 'held',
        holders: [{ pid: child.pid, verified: true }],
        record: { pid: child.pid },
      });
      await child.kill();
      using next = FileLock.acquireSync(path);
      expect(next.previous).toMatchObject({ pid: child.pid, running: false });
      expect(next.token).toBeGreaterThan(lock.token);
    },
  );

  test('outlives its parent, and is free when the child has released', async () => {
    const path = lockPath();
    const parent = Program.module(
      `
      import { spawn } from 'node:child_process';
      const lock = FileLock.acquireSync(args[0]);
      const source = \`
        import { FileLock } from \${JSON.stringify(args[1])};
        import { writeSync } from 'node:fs';
        globalThis.kept = FileLock.adopt(3, \${JSON.stringify(args[0])});
        process.send('adopted');
        process.disconnect();
        const timer = setInterval(() => {}, 1000);
        process.once('SIGTERM', () => {
          kept.releaseSync();
          clearInterval(timer);
        });
      \`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
        stdio: ['ignore', 'ignore', 'inherit', lock.fd, 'ipc'],
      });
      child.once('message', () => {
        lock.detach();
        say('child ' + child.pid + ' has it');
        child.unref();
        child.channel?.unref();
      });`,
      [path, new URL('../../dist/index.js', import.meta.url).href],
    );
    expect(await parent.exited).toMatchObject({ code: 0, stderr: '' });
    const pid = Number(/child (\d+)/.exec(parent.stdout)?.[1]);
    expect(record(path)).toMatchObject({ pid });
    await expect(FileLock.acquire(path, { timeout: 0 })).rejects.toMatchObject({
      code: 'ERR_LOCK_HELD',
      holder: { pid, self: false, verified: true },
    });
    process.kill(pid, 'SIGTERM');
    using lock = await FileLock.acquire(path, { timeout: 10_000 });
    expect(lock.previous).toBeNull();
  });

  test('is not unlocked by detach, but is by release, for the child as well', async () => {
    const path = lockPath();
    const lock = FileLock.acquireSync(path);
    const child = await heir(lock);
    await child.call('adopt', 'a', GIVEN, path);
    lock.releaseSync();
    // The child cannot know.
    expect(await child.call('describe', 'a')).toMatchObject({ held: true });
    using other = FileLock.acquireSync(path);
    expect(other.held).toBe(true);
  });

  test('may be shared', async () => {
    const path = lockPath();
    const lock = FileLock.acquireSync(path, { mode: 'shared' });
    const child = await heir(lock);
    expect(await child.call('adopt', 'a', GIVEN, path)).toMatchObject({ mode: 'shared' });
    lock.detach();
    expect(FileLock.tryAcquire(path)).toBeNull();
    FileLock.acquireSync(path, { mode: 'shared' }).releaseSync();
    expect(readFileSync(path, 'utf8')).toBe('');
    await child.release('a');
    FileLock.acquireSync(path).releaseSync();
  });

  test('is not inherited further', async () => {
    const path = lockPath();
    const lock = FileLock.acquireSync(path);
    const child = Program.module(
      `
      import { execFileSync } from 'node:child_process';
      const lock = FileLock.adopt(3, args[0]);
      const list = execFileSync('ls', ['-l', '/proc/self/fd'], { encoding: 'utf8' });
      say(list.includes(args[0]) ? 'inherited' : 'not inherited');`,
      [path],
      { stdio: ['pipe', 'pipe', 'pipe', lock.fd] },
    );
    expect(await child.exited).toMatchObject({ code: 0, stderr: '', stdout: 'not inherited\n' });
    lock.releaseSync();
  });

  test.each(['json', 'pid', false] as const)(
    'has the record that the child wants: %s',
    async (format) => {
      const path = lockPath();
      const lock = FileLock.acquireSync(path);
      const child = await heir(lock);
      await child.call('adopt', 'a', GIVEN, path, { record: format, data: { port: 1 } });
      lock.detach();
      const content = readFileSync(path, 'utf8');
      if (format === 'json') expect(record(path)).toMatchObject({ pid: child.pid, port: 1 });
      if (format === 'pid') expect(content).toBe(`${child.pid}\n`);
      if (format === false) expect(content).not.toContain('"pid"');
    },
  );
});

describe('a child that merely inherits the descriptor', () => {
  test.each([
    ['SIGKILL', true],
    ['SIGKILL', false],
    ['process.exit()', true],
    ['process.exit()', false],
  ])(
    'keeps the lock over the end of its parent by %s, and is named (keepFile: %s)',
    async (ending, keepFile) => {
      const path = lockPath();
      const parent = Program.module(
        `
        import { spawn } from 'node:child_process';
        const lock = FileLock.acquireSync(args[0], { keepFile: args[2] === 'true' });
        const child = spawn('sleep', ['30'], { stdio: ['ignore', 'ignore', 'ignore', lock.fd] });
        child.once('spawn', () => {
          say('child ' + child.pid + ' runs');
          if (args[1] === 'process.exit()') process.exit();
        });`,
        [path, ending, String(keepFile)],
      );
      await parent.says('runs');
      const pid = Number(/child (\d+)/.exec(parent.stdout)?.[1]);
      if (ending === 'SIGKILL') await parent.kill();
      await parent.exited;
      const intruder = FileLock.tryAcquire(path);
      intruder?.releaseSync();
      expect(intruder).toBeNull();
      expect(await inspect(path)).toMatchObject({
        state: 'held',
        holders: [{ pid, command: 'sleep 30', self: false, verified: true }],
      });
      process.kill(pid);
      await using lock = await FileLock.acquire(path, { timeout: 10_000 });
      expect(lock.held).toBe(true);
    },
  );
});

describe('detach', () => {
  test('leaves the record of a child and removes its own', async () => {
    const path = lockPath();
    const lock = FileLock.acquireSync(path);
    lock.detach();
    expect(record(path)).toEqual({ holdfast: { token: lock.token } });
    expect(() => lock.detach()).toThrow(expect.objectContaining({ code: 'ERR_LOCK_STATE' }));
    lock.releaseSync();
    // Nobody had been given the descriptor, so closing it was its end.
    FileLock.acquireSync(path).releaseSync();
  });

  inTwoSizes(
    (rounds) => `${rounds} hand-overs in both orders at once end with the record of the child`,
    { short: 2, long: 20 },
    async (rounds) => {
      for (let round = 0; round < rounds; round++) {
        const path = lockPath(`${round}.lock`);
        const lock = FileLock.acquireSync(path);
        const child = await heir(lock);
        const adopting = child.call('adopt', 'a', GIVEN, path);
        if (round % 2 === 0) await new Promise(setImmediate);
        lock.detach();
        await adopting;
        expect(record(path)).toMatchObject({ pid: child.pid });
        await child.kill();
      }
    },
  );
});
