// @module-tag long
import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FileLock, inspect } from '../../src/index.js';
import { until } from '../support/census.js';
import { limit } from '../support/limit.js';
import { LOCKERS, Stage } from '../support/replay.js';
import { needs } from '../support/tools.js';

// What a moment decides: waits, signals and deaths, one program after the other.

function isFree(path: string): boolean {
  const lock = FileLock.tryAcquire(path, { record: false });
  lock?.releaseSync();
  return lock !== null;
}

/** Says which of these signals it gets. Ends with 3 at SIGTERM, with 4 at `stage.stop()`. */
function listener(...signals: NodeJS.Signals[]): string[] {
  const source = `
    const { constants, openSync, writeSync } = require('node:fs');
    const { Socket } = require('node:net');
    for (const signal of ${JSON.stringify(signals)}) process.on(signal, () => {
      writeSync(1, 'got ' + signal + '\\n');
      if (signal === 'SIGTERM') process.exit(3);
    });
    const alive = openSync('alive', constants.O_RDONLY | constants.O_NONBLOCK);
    new Socket({ fd: alive, writable: false }).on('end', () => process.exit(4)).resume();
    writeSync(1, 'ready ' + process.pid + '\\n');`;
  return [process.execPath, '-e', source];
}

for (const locker of LOCKERS) {
  const refusal = locker === 'flock' ? 1 : 75;
  const it = needs('flock');

  describe(`${locker}: waiting`, () => {
    it('is granted the lock when it is freed within the time', async () => {
      const stage = new Stage(locker);
      using lock = FileLock.acquireSync(stage.path(), { record: false });
      const program = stage.start('-w', '20', 'f', 'echo', 'got');
      await until(async () => (await inspect(stage.path())).waiters.includes(program.pid));
      lock.releaseSync();
      expect(await program.end()).toMatchObject({ code: 0, stdout: 'got\n' });
    });

    it('is granted it without -w as well, and after another', async () => {
      const stage = new Stage(locker);
      using lock = FileLock.acquireSync(stage.path(), { record: false });
      const programs = [stage.start('f', 'echo', 'got'), stage.start('f', 'echo', 'got')];
      await until(async () => (await inspect(stage.path())).waiters.length === 2);
      lock.releaseSync();
      for (const program of programs) {
        expect(await program.end()).toMatchObject({ code: 0, stdout: 'got\n' });
      }
    });

    it('-w 1.5 gives up after 1.5 seconds, neither sooner nor much later', async () => {
      const stage = new Stage(locker);
      using _lock = FileLock.acquireSync(stage.path(), { record: false });
      const began = performance.now();
      const program = stage.start('-w', '1.5', 'f', 'echo', 'got');
      expect(await program.end()).toMatchObject({ code: refusal, stdout: '' });
      const elapsed = performance.now() - began;
      expect(elapsed).toBeGreaterThanOrEqual(1500);
      expect(elapsed).toBeLessThan(limit(6000));
    });

    it('of a descriptor is granted it when it is freed', async () => {
      const stage = new Stage(locker);
      using lock = FileLock.acquireSync(stage.path(), { record: false });
      const program = stage.script('exec 9>>f; lock -w 20 9 && echo got');
      await until(async () => (await inspect(stage.path())).waiters.length === 1);
      lock.releaseSync();
      expect(await program.end()).toMatchObject({ code: 0, stdout: 'got\n' });
    });

    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1'] as const) {
      it(`is ended by ${signal}, and nothing is left`, async () => {
        const stage = new Stage(locker);
        using lock = FileLock.acquireSync(stage.path(), { record: false });
        const program = stage.script(`ulimit -c 0; exec lock f echo got`);
        await until(async () => (await inspect(stage.path())).waiters.includes(program.pid));
        program.process.kill(signal);
        // What does not listen to the first signal gets one that it must obey.
        await Promise.race([
          program.exited,
          until(() => /Debugger/.test(program.stderr)).then(() => program.kill('SIGKILL')),
        ]);
        // Node would open its debugger at SIGUSR1: holdfast makes it an exit.
        const exits = locker === 'holdfast' && signal === 'SIGUSR1';
        const end = exits ? { code: 138, signal: null } : { code: null, signal };
        expect(await program.exited).toMatchObject({ ...end, stdout: '' });
        lock.releaseSync();
        expect(isFree(stage.path())).toBe(true);
      });
    }
  });

  describe(`${locker}: the lock and the command`, () => {
    it('the command keeps the lock when lock is killed', async () => {
      const stage = new Stage(locker);
      stage.keepAlive();
      const program = stage.start('f', ...listener());
      await program.says('ready');
      await program.kill('SIGKILL');
      expect(isFree(stage.path())).toBe(false);
      stage.stop();
      await until(() => isFree(stage.path()));
    });

    it('with -o it does not', async () => {
      const stage = new Stage(locker);
      stage.keepAlive();
      const program = stage.start('-o', 'f', ...listener());
      await program.says('ready');
      expect(isFree(stage.path())).toBe(false);
      await program.kill('SIGKILL');
      await until(() => isFree(stage.path()));
      const pid = Number(/ready (\d+)/.exec(program.stdout)?.[1]);
      expect(process.kill(pid, 0)).toBe(true);
    });

    it('with -F the command is the holder, under the pid of lock', async () => {
      const stage = new Stage(locker);
      stage.keepAlive();
      const program = stage.start('-F', 'f', ...listener());
      await program.says(`ready ${program.pid}`);
      const { state, holders } = await inspect(stage.path());
      expect({ state, pids: holders.map(({ pid }) => pid) }).toEqual({
        state: 'held',
        pids: [program.pid],
      });
      await program.kill('SIGKILL');
      expect(isFree(stage.path())).toBe(true);
    });

    it('a child in the background holds the lock after the command has ended', async () => {
      const stage = new Stage(locker);
      stage.keepAlive();
      const program = stage.start(
        'f',
        'sh',
        '-c',
        'exec 8<alive; cat <&8 >/dev/null & echo started',
      );
      expect(await program.exited).toMatchObject({ code: 0, stdout: 'started\n' });
      expect(isFree(stage.path())).toBe(false);
      stage.stop();
      await until(() => isFree(stage.path()));
    });

    it('with -o a child in the background does not', async () => {
      const stage = new Stage(locker);
      stage.keepAlive();
      const script = 'exec 8<alive; cat <&8 >/dev/null & echo started';
      const program = stage.start('-o', 'f', 'sh', '-c', script);
      expect(await program.exited).toMatchObject({ code: 0, stdout: 'started\n' });
      expect(isFree(stage.path())).toBe(true);
    });

    it('the command may let go of the lock before it ends', async () => {
      const stage = new Stage(locker);
      const program = stage.start('f', 'sh', '-c', 'flock -u 3; echo free; read line');
      await program.says('free');
      expect(isFree(stage.path())).toBe(true);
      expect((await program.end()).code).toBe(1);
    });

    it('a lock file that is replaced meanwhile is not the one that is locked', async () => {
      const stage = new Stage(locker);
      const program = stage.start('f', 'sh', '-c', 'rm f; echo gone; read line');
      await program.says('gone');
      writeFileSync(stage.path(), 'new');
      expect(isFree(stage.path())).toBe(true);
      await program.end();
      await expect(inspect(stage.path())).resolves.toMatchObject({ state: 'free' });
    });
  });
}

describe('signals to lock while the command runs', () => {
  needs('flock')('flock(1) dies of them and leaves the command alone', async () => {
    const stage = new Stage('flock');
    stage.keepAlive();
    const program = stage.start('f', ...listener('SIGTERM'));
    await program.says('ready');
    expect(await program.kill('SIGTERM')).toMatchObject({ code: null, signal: 'SIGTERM' });
    expect(isFree(stage.path())).toBe(false);
    expect(program.stdout).not.toContain('got');
    stage.stop();
    await until(() => isFree(stage.path()));
  });

  const signals = ['SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGTERM'] as const;

  test('holdfast passes each on and ends as the command does', async () => {
    const stage = new Stage('holdfast');
    stage.keepAlive();
    const program = stage.start('f', ...listener(...signals));
    await program.says('ready');
    for (const signal of signals) {
      program.process.kill(signal);
      await program.says(`got ${signal}`);
    }
    const { code, stdout, stderr } = await program.exited;
    expect({ code, stderr }).toEqual({ code: 3, stderr: '' });
    expect(stdout.split('\n').slice(1, -1)).toEqual(signals.map((signal) => `got ${signal}`));
    expect(isFree(stage.path())).toBe(true);
  });

  test.each(signals)('%s ends both where the command does not listen: 128+N', async (signal) => {
    const stage = new Stage('holdfast');
    const program = stage.script('ulimit -c 0; exec lock f sh -c "echo ready; exec cat"');
    await program.says('ready');
    const { code, signal: own } = await program.kill(signal);
    const numbers = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGUSR1: 10, SIGUSR2: 12, SIGTERM: 15 };
    expect({ code, own }).toEqual({ code: 128 + numbers[signal], own: null });
    expect(isFree(stage.path())).toBe(true);
  });

  test('already in the first moment of the command', async () => {
    for (let round = 0; round < 10; round++) {
      const stage = new Stage('holdfast');
      const script = 'trap "echo got; exit 3" TERM; kill -TERM $PPID; while :; do :; done';
      const program = stage.start('f', 'sh', '-c', script);
      expect(await program.exited).toMatchObject({ code: 3, stdout: 'got\n', signal: null });
    }
  });

  test('signals that come when the command has ended change nothing', async () => {
    const stage = new Stage('holdfast');
    const program = stage.start('f', 'sh', '-c', 'trap "" TERM; echo ready; exit 7');
    await program.says('ready');
    let ended = false;
    program.exited.then(() => {
      ended = true;
    });
    while (!ended) {
      program.process.kill('SIGTERM');
      await new Promise(setImmediate);
    }
    expect(await program.exited).toMatchObject({ code: 7, signal: null });
  });

  test('a second signal reaches a command that outlives the first', async () => {
    const stage = new Stage('holdfast');
    stage.keepAlive();
    const program = stage.start('f', ...listener('SIGINT'));
    await program.says('ready');
    program.process.kill('SIGINT');
    await program.says('got SIGINT');
    expect(await program.kill('SIGTERM')).toMatchObject({ code: 143, signal: null });
  });

  test('with -F there is nothing in between', async () => {
    const stage = new Stage('holdfast');
    stage.keepAlive();
    const program = stage.start('-F', 'f', ...listener('SIGTERM'));
    await program.says('ready');
    expect(await program.kill('SIGTERM')).toMatchObject({ code: 3, signal: null });
  });
});
