import { closeSync, existsSync, mkdirSync, openSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FileLock, inspect } from '../../src/index.js';
import { until } from '../support/census.js';
import { call } from '../support/command.js';
import { lockPath } from '../support/folder.js';
import { Peer } from '../support/peer.js';

function isFree(path: string): boolean {
  const lock = FileLock.tryAcquire(path, { record: false });
  lock?.releaseSync();
  return lock !== null;
}

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

  test('the command has the token of an exclusive lock', async () => {
    const path = lockPath();
    const tokens: number[] = [];
    for (const options of [[], ['-o']]) {
      const copy = `${path}.token`;
      expect(
        await call('run', ...options, path, '-c', `echo $HOLDFAST_TOKEN > ${copy}`),
      ).toMatchObject({ code: 0 });
      tokens.push(Number(readFileSync(copy, 'utf8')));
    }
    expect(tokens[0]).toBeGreaterThan(0);
    expect(tokens[1]).toBeGreaterThan(tokens[0] as number);
    const none = 'test -z "$HOLDFAST_TOKEN"';
    expect(await call('run', '-u', path, '-c', none)).toMatchObject({ code: 0 });
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

  test('-u runs the command without the lock, --verbose says so', async () => {
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
    // The descriptor belongs to the caller.
    expect(isOpen(fd)).toBe(true);
  });

  test('that is not open is 65', async () => {
    expect(await call('run', '987654')).toMatchObject({ code: 65, stdout: '' });
  });
});

test('missing folders are created, and FILE may be a folder', async () => {
  const path = join(lockPath(), 'a', 'b.lock');
  expect(await call('run', path, 'true')).toMatchObject({ code: 0 });
  mkdirSync(join(dirname(path), 'folder'));
  expect(await call('run', join(dirname(path), 'folder'), 'true')).toMatchObject({ code: 0 });
});
