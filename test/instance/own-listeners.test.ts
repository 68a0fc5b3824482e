import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { until } from '../support/census.js';
import { lockPath } from '../support/folder.js';
import { instanceProgram } from '../support/instance.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

describe('listeners', () => {
  const COUNT = `const count = () => say(${JSON.stringify(SIGNALS)}.map((each) => process.listenerCount(each)).join(' '));`;

  test('exist only while an instance lock is held', async () => {
    const program = instanceProgram(
      lockPath(),
      `${COUNT}
      const before = process.eventNames().length;
      count();
      const lock = await InstanceLock.acquire(path);
      count();
      await InstanceLock.acquire(path).catch(() => {});
      const second = await InstanceLock.acquire(args[0]);
      count();
      await lock.release();
      count();
      second.releaseSync();
      second.releaseSync();
      count();
      const kept = await InstanceLock.acquire(path, { keepFile: true });
      await InstanceLock.acquire(path).catch(() => count());
      say(process.eventNames().length - before);`,
      { args: [lockPath()] },
    );
    const { stdout } = await program.exited;
    expect(stdout.split('\n')).toEqual([
      '0 0 0',
      '1 1 1',
      '1 1 1',
      '1 1 1',
      '0 0 0',
      '0 0 0',
      '0',
      '',
    ]);
  });

  test('after the release a signal ends the program as ever', async () => {
    const program = instanceProgram(
      lockPath(),
      "const lock = await hold(); lock.releaseSync(); say('free');",
    );
    await program.says('free');
    expect(await program.kill('SIGTERM')).toMatchObject({ signal: 'SIGTERM' });
  });

  test.each(SIGNALS)("of the program's own for %s decide: the lock stays", async (signal) => {
    const path = lockPath();
    const program = instanceProgram(
      path,
      `process.on('${signal}', async () => {
        // Shows that nothing happens: longer than the 250 ms between two checks.
        await new Promise((resolve) => setTimeout(resolve, 400));
        say([lock.held, lock.isCurrent(), fs.existsSync(path)].join(' '));
        await lock.release();
        say('released ' + fs.existsSync(path));
        process.exit(7);
      });
      const lock = await hold();`,
    );
    await program.says('held');
    program.process.kill(signal);
    await until(() => existsSync(path) && FileLock.tryAcquire(path) === null);
    expect(await program.exited).toMatchObject({
      code: 7,
      stdout: 'held\ntrue true true\nreleased false\n',
    });
  });

  test('of the program that come later, or that exit without a release, do so as well', async () => {
    const path = lockPath();
    const program = instanceProgram(
      path,
      `await hold();
      process.once('SIGTERM', () => { say(fs.existsSync(path)); process.exit(0); });
      say('ready');`,
    );
    await program.says('ready');
    expect(await program.kill('SIGTERM')).toMatchObject({ code: 0, stdout: 'held\nready\ntrue\n' });
    expect(existsSync(path)).toBe(false);
  });

  test.each(['before', 'after'])(
    'of the program, once, %s the lock is acquired, do so as well',
    async (when) => {
      const path = lockPath();
      const once = `process.once('SIGTERM', async () => {
      // Shows that nothing happens: the file would be removed at once.
      await new Promise((resolve) => setTimeout(resolve, 100));
      say('clean ' + fs.existsSync(path));
      process.exit(7);
    });`;
      const program = instanceProgram(
        path,
        `${when === 'before' ? once : ''} await hold(); ${when === 'after' ? once : ''} say('ready');`,
      );
      await program.says('ready');
      expect(await program.kill('SIGTERM')).toMatchObject({
        code: 7,
        stdout: 'held\nready\nclean true\n',
      });
      expect(existsSync(path)).toBe(false);
    },
  );

  test('of the program for another signal change nothing', async () => {
    const path = lockPath();
    const program = instanceProgram(path, "process.on('SIGINT', () => {}); await hold();");
    await program.says('held');
    expect(await program.kill('SIGTERM')).toMatchObject({ signal: 'SIGTERM' });
    expect(existsSync(path)).toBe(false);
  });
});
