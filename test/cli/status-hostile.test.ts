import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { printable } from '../../src/base/holder.js';
import { tableLines } from '../../src/cli/table.js';
import { FileLock, inspect, inspectFolder } from '../../src/index.js';
import { call, finish } from '../support/command.js';
import { lockPath, testFolder } from '../support/folder.js';
import { limit } from '../support/limit.js';
import { Program } from '../support/program.js';
import { NOBODY, needs } from '../support/tools.js';

/** Takes the lock that `how` says, on a file that it has open for writing. */
const LOCKER = `
import fcntl, struct, sys
file = open(sys.argv[1], 'r+')
how = sys.argv[2]
if how == 'posix':
    fcntl.lockf(file, fcntl.LOCK_EX)
elif how == 'ofd':
    fcntl.fcntl(file, 37, struct.pack('hhqqi', fcntl.F_RDLCK, 0, 0, 0, 0))
else:
    file = open(sys.argv[1], 'r')
    fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
print('locked', flush=True)
sys.stdin.read()
`;

describe('a lock of another kind on the file', () => {
  for (const [how, mode, hasPid, words] of [
    ['posix', 'exclusive', true, 'has an fcntl lock on it'],
    ['ofd', 'shared', false, 'another process has an OFD lock on it (shared)'],
    ['lease', 'shared', true, 'has a lease on it (shared)'],
  ] as const) {
    needs('python3')(`${how}: it is free for flock, and the other's holder is named`, async () => {
      const path = lockPath();
      FileLock.acquireSync(path).releaseSync();
      const other = Program.start('python3', ['-c', LOCKER, path, how]);
      await other.says('locked');
      const pid = hasPid ? other.pid : null;
      const otherLocks = [{ kind: how, mode, pid }];
      expect(await inspect(path)).toMatchObject({ state: 'free', holders: [], otherLocks });
      for await (const status of inspectFolder(dirname(path))) {
        expect(status).toMatchObject({ state: 'free', otherLocks });
      }
      const { stdout } = await call('status', path);
      expect(stdout).toContain(' free for flock ');
      expect(stdout).toContain(pid === null ? words : `pid ${pid} ${words}`);
      const json = JSON.parse((await call('status', '--json', path)).stdout);
      expect(json).toMatchObject([{ path, otherLocks }]);
      await other.end();
      expect(await inspect(path)).toMatchObject({ state: 'free', otherLocks: [] });
    });
  }

  needs('python3')('it does not hide who holds this one', async () => {
    const path = lockPath();
    using _lock = FileLock.acquireSync(path);
    const other = Program.start('python3', ['-c', LOCKER, path, 'posix']);
    await other.says('locked');
    expect(await inspect(path)).toMatchObject({
      state: 'held',
      holders: [{ self: true, verified: true }],
      otherLocks: [{ kind: 'posix', pid: other.pid }],
    });
    expect((await call('status', path)).stdout).toContain(`pid ${other.pid} has an fcntl lock`);
  });
});

describe('what a file says', () => {
  const ENDS = ['-271821-04-20T00:00:00.000Z', '+275760-09-13T00:00:00.000Z'];
  for (const zone of ['Pacific/Kiritimati', 'America/Los_Angeles', 'UTC']) {
    test(`of the first and the last moment that a Date has: shown in ${zone}`, async () => {
      const folder = testFolder();
      using lock = FileLock.acquireSync(join(folder, 'good.lock'));
      const record = readFileSync(lock.path, 'utf8');
      ENDS.forEach((end, index) => {
        const text = record.replace(/"startedAt":"[^"]*"/, `"startedAt":"${end}"`);
        writeFileSync(join(folder, `${index}.lock`), text);
      });
      const options = { env: { ...process.env, TZ: zone } };
      const { code, stdout, stderr } = await finish(['status', folder], options);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout.split('\n')).toHaveLength(5);
      expect(stdout).toMatch(/0\.lock +free, not released .* started -27182[01]-\d\d-\d\d /);
      expect(stdout).toMatch(/1\.lock +free, not released .* started 275760-09-1[23] /);
      expect(stdout).toMatch(/good\.lock +held/);
    });
  }

  test('that is no text is shown as JSON', () => {
    expect(printable(['a'])).toBe('["a"]');
    expect(printable({ a: '\x1b\n' })).toBe('{"a":"\\u001b\\n"}');
    expect([null, 5, true, undefined].map(printable)).toEqual(['null', '5', 'true', 'undefined']);
  });

  test('that is long is cut in linear time', () => {
    const began = performance.now();
    for (const unit of ['\0', '\x1b ', 'x', '\u202e\n']) {
      expect(printable(unit.repeat(2 ** 22)).length).toBeLessThanOrEqual(200);
    }
    expect(performance.now() - began).toBeLessThan(limit(1000));
  });
});

describe('a file that cannot be inspected', () => {
  needs('root')('does not hide the others: a line each, and 65', async () => {
    const folder = testFolder();
    for (const name of ['a.lock', 'b.lock']) writeFileSync(join(folder, name), '');
    const good = lockPath('good.lock');
    writeFileSync(good, '');
    chmodSync(dirname(good), 0o755);
    // Its names may be read, and nothing else.
    chmodSync(folder, 0o444);
    const { code, stdout, stderr } = await finish(['status', folder, dirname(good)], NOBODY);
    expect(code).toBe(65);
    const lines = stderr.split('\n').slice(0, -1);
    expect(lines).toHaveLength(2);
    lines.forEach((line, index) => {
      const name = ['a.lock', 'b.lock'][index] ?? '';
      expect(line).toContain(`${join(folder, name)}: EACCES`);
    });
    expect(stdout).toMatch(/good\.lock +free/);
  });

  test('is reported to a function, if there is one', async () => {
    const wrong = { onError: 5 } as never;
    await expect(inspectFolder(testFolder(), wrong).next()).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
    });
  });
});

describe('a long table', () => {
  test('is aligned, and made in linear time', () => {
    const rows = Array.from({ length: 2000 }, (_, index) => [
      `${index}`,
      'é古👩'.repeat(index % 3),
      'x',
    ]);
    rows[1321] = ['the longest of all', '', 'x'];
    const began = performance.now();
    const lines = tableLines(rows);
    expect(performance.now() - began).toBeLessThan(limit(5000));
    expect(lines).toHaveLength(rows.length);
    expect(lines.map((line) => line.at(-1))).toEqual(rows.map(() => 'x'));
    const plain = lines.filter((_, index) => index % 3 === 0 && index !== 1321);
    expect(new Set(plain.map((line) => line.length)).size).toBe(1);
  });

  test('has the width of a short one, of ASCII', () => {
    const rows = Array.from({ length: 100 }, (_, index) => [`row ${index}`, 'b', 'c']);
    const more = [...rows, ['row', 'b', 'c']];
    expect(tableLines(more).slice(0, 100)).toEqual(tableLines(rows));
  });
});
