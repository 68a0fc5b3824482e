import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { COMMAND, call, finish, onTerminal, start } from '../support/command.js';
import { lockPath } from '../support/folder.js';
import type { Program } from '../support/program.js';
import { needs } from '../support/tools.js';

const CAT = ['sh', '-c', 'echo runs; exec cat'];

/** A first instance, which runs until its stdin ends or it is killed. */
async function running(path: string, ...options: string[]): Promise<Program> {
  const program = start(['run', '--instance', 'watcher', ...options, path, ...CAT]);
  await program.says('runs');
  return program;
}

describe('run --instance', () => {
  test('the second start is refused at once, by name and pid', async () => {
    const path = lockPath();
    await running(path);
    const { code, stdout, stderr } = await call(
      'run',
      '--instance',
      'watcher',
      path,
      'echo',
      'two',
    );
    expect({ code, stdout }).toEqual({ code: 75, stdout: '' });
    expect(stderr).toMatch(/^holdfast: another watcher is already running \(pid \d+\)\n/);
  });

  test('-E changes the code, -w waits', async () => {
    const path = lockPath();
    const first = await running(path);
    expect((await call('run', '-E', '9', '--instance', 'w', path, 'true')).code).toBe(9);
    const second = start(['run', '-w', '20', '--instance', 'watcher', path, 'echo', 'two']);
    await expect.poll(() => second.stderr).toMatch(/waiting/);
    await first.end();
    expect(await second.end()).toMatchObject({ code: 0, stdout: 'two\n' });
  });

  test('--data is in the record, and others see it', async () => {
    const path = lockPath();
    await running(path, '--data', 'url=http://localhost:1?a=b', '--data', 'port=1');
    const { stdout } = await call('status', '--json', path);
    expect(JSON.parse(stdout)[0].holders[0].data).toEqual({
      url: 'http://localhost:1?a=b',
      port: '1',
    });
  });

  test('after kill -9 the next one runs, and says what it found', async () => {
    const path = lockPath();
    const program = start(['run', '-o', '--instance', 'watcher', path, ...CAT]);
    await program.says('runs');
    const { pid } = program;
    await program.kill('SIGKILL');
    const { code, stdout, stderr } = await finish([
      'run',
      '--instance',
      'watcher',
      path,
      'echo',
      'two',
    ]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'two\n' });
    expect(stderr).toContain(`Warning: the last instance (pid ${pid}, which is not running)`);
  });

  test('--terminate --yes ends the first one and takes its place', async () => {
    const path = lockPath();
    const first = await running(path);
    const second = finish(['run', '--instance', 'w', '--terminate', '--yes', path, 'echo', 'two']);
    expect(await second).toMatchObject({ code: 0, stdout: 'two\n' });
    expect(await first.exited).toMatchObject({ code: 143 });
  });

  test('--force --yes runs beside the first one, with its own lock', async () => {
    const path = lockPath();
    const first = await running(path);
    const { ino } = statSync(path);
    const second = finish(['run', '--instance', 'w', '--force', '--yes', path, 'echo', 'two']);
    expect(await second).toMatchObject({ code: 0, stdout: 'two\n' });
    expect(statSync(path).ino).not.toBe(ino);
    expect(await first.end()).toMatchObject({ code: 0 });
    expect(FileLock.tryAcquire(path)?.releaseSync()).toBeUndefined();
  });

  test.each(['--force', '--terminate'])('%s without a terminal needs --yes', async (option) => {
    const path = lockPath();
    const first = await running(path);
    const { ino } = statSync(path);
    const { code, stderr } = await finish(['run', '--instance', 'w', option, path, 'echo', 'two']);
    expect(code).toBe(64);
    expect(stderr).toContain('--yes');
    expect(statSync(path).ino).toBe(ino);
    expect(await first.end()).toMatchObject({ code: 0 });
  });

  test.each([
    ['--force', 'f', 'true'],
    ['--terminate', 'f', 'true'],
    ['--instance', 'w', '--force', '--terminate', '--yes', 'f', 'true'],
    ['--instance', 'w', '-s', 'f', 'true'],
    ['--instance', 'w', '9'],
    ['--data', 'no-value', 'f', 'true'],
    ['--data', '=x', 'f', 'true'],
    ['--data', 'pid=1', lockPathLater(), 'true'],
  ])('wrong usage is 64: %s %s %s %s', async (...argv) => {
    expect((await call('run', ...argv)).code).toBe(64);
  });

  test('a file that is somebody’s data is refused and untouched', async () => {
    const path = lockPath();
    writeFileSync(path, '{"name":"package"}');
    const { code } = await call('run', '--instance', 'w', path, 'true');
    expect(code).toBe(65);
    expect(readFileSync(path, 'utf8')).toBe('{"name":"package"}');
  });

  for (const [answer, code] of [
    ['n', 75],
    ['', 75],
    ['y', 0],
  ] as const) {
    needs('python3')(`on a terminal it asks: '${answer}' is ${code}`, async () => {
      const path = lockPath();
      const first = await running(path);
      const words = ['run', '--instance', 'w', '--force', path, 'echo', 'took its place'];
      const program = onTerminal(process.execPath, COMMAND, ...words);
      await program.says('Continue? [y/N]');
      program.process.stdin?.write(`${answer}\n`);
      const end = await program.exited;
      expect(end.code).toBe(code);
      expect(end.stdout.includes('took its place')).toBe(code === 0);
      expect(end.stdout).toContain('Warning: overriding the lock of pid');
      await first.end();
    });
  }
});

/** Not to be made before the tests run: nothing is opened. */
function lockPathLater(): string {
  return '/nowhere/at/all.lock';
}

describe('run --instance --terminate', () => {
  const take = (path: string): Promise<{ code: number | null; stdout: string }> =>
    finish(['run', '--instance', 'b', '--terminate', '--yes', path, 'echo', 'mine']);

  test('ends a child that its holder started when it was asked to end', async () => {
    const path = lockPath();
    const script = 'trap "sleep 60 & exit" TERM; echo runs; while :; do sleep 0.05; done';
    const first = start(['run', '-F', '--instance', 'b', path, '--', 'bash', '-c', script]);
    await first.says('runs');
    expect(await take(path)).toMatchObject({ code: 0, stdout: 'mine\n' });
  });

  test('ends a hold of thirty processes in one go', async () => {
    const path = lockPath();
    const script = 'for i in $(seq 30); do sleep 25 & done; echo runs; wait';
    const first = start(['run', '--instance', 'b', path, '--', 'bash', '-c', script]);
    await first.says('runs');
    expect(await take(path)).toMatchObject({ code: 0, stdout: 'mine\n' });
  });
});

test('run --instance --force tells the instance that it overrides', async () => {
  const path = lockPath();
  const first = start(['run', '--instance', 'b', path, 'sh', '-c', 'echo runs; exec cat']);
  await first.says('runs');
  await finish(['run', '--instance', 'b', '--force', '--yes', path, 'true']);
  await expect.poll(() => first.stderr, { timeout: 5000 }).toContain('another b may be running');
  await first.end();
});
