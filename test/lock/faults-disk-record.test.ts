import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { InstanceLock } from '../../src/instance.js';
import { lockPath, testFolder } from '../support/folder.js';
import { errorOf } from '../support/refused.js';
import { runScript, type ScriptResult } from '../support/script.js';
import { needs } from '../support/tools.js';

// Where the disk takes no record: held without one, or refused where it was
// asked for by name.

const PRELUDE = `
  const { execFileSync, spawn } = await import('node:child_process');
  const { once } = await import('node:events');
  const { InstanceLock } = await import(new URL('instance.js', process.env.HOLDFAST_TEST_ENTRY));
  const warnings = [];
  process.on('warning', ({ name, code, message }) => warnings.push([name, code, message.includes(path)]));
  // Warnings come a moment later.
  const warned = async () => {
    await new Promise(setImmediate);
    return warnings.splice(0);
  };
  const isFree = () => {
    try {
      execFileSync('flock', ['-n', path, 'true']);
      return true;
    } catch {
      return false;
    }
  };
  execFileSync('true');
  const before = descriptors();
`;

const WAYS = `
  const ways = {
    acquire: (options) => FileLock.acquire(path, options),
    acquireSync: (options) => FileLock.acquireSync(path, options),
    tryAcquire: (options) => FileLock.tryAcquire(path, options),
    tryUpgrade: (options) => {
      const lock = FileLock.acquireSync(path, { ...options, mode: 'shared' });
      lock.tryUpgrade();
      return lock;
    },
  };
  const withoutName = async (options) => {
    for (const [way, call] of Object.entries(ways)) {
      const lock = await call(options);
      report([way, lock.held, lock.mode, isFree(), lock.token > 0, await warned()]);
      report(await outcome(() => lock.update({ port: 1 })));
      report(await outcome(() => lock.releaseSync()));
      report([isFree(), descriptors() - before]);
    }
  };
  const byName = async (options) => {
    for (const call of Object.values(ways)) {
      report(await outcome(() => call(options)));
      report([isFree(), descriptors() - before, await warned()]);
    }
    report(await outcome(() => InstanceLock.acquire(path, { keepFile: true })));
    report([isFree(), descriptors() - before, await warned()]);
  };
`;

const WARNING = ['HoldfastWarning', 'HOLDFAST_NO_RECORD', true];
const held = ['acquire', 'acquireSync', 'tryAcquire', 'tryUpgrade'].flatMap((way) => [
  [way, true, 'exclusive', false, true, [WARNING]],
  { code: 'ERR_LOCK_STATE' },
  {},
  [true, 0],
]);
const refused = (error: object): unknown[] =>
  Array(5)
    .fill([error, [true, 0, []]])
    .flat();

describe('on a full disk', () => {
  const full = { code: 'ENOSPC', errno: -28, syscall: 'write' };

  async function onFullDisk(source: string): Promise<ScriptResult> {
    const folder = testFolder();
    const mount = 'mount -t tmpfs -o size=16k none "$0" && exec "$@"';
    const fill = `
      fs.writeFileSync(path, '');
      const filler = fs.openSync(path + '.filler', 'w');
      try {
        for (;;) fs.writeSync(filler, Buffer.alloc(4096));
      } catch (error) {
        if (error.code !== 'ENOSPC') throw error;
      }
      fs.closeSync(filler);
    `;
    return runScript(join(folder, 'test.lock'), fill + PRELUDE + WAYS + source, {
      wrap: ['unshare', '-m', 'sh', '-c', mount, folder],
    });
  }

  needs(
    'root',
    'unshare',
    'flock',
  )('the lock is held, and a warning says so', async () => {
    const { reports } = await onFullDisk(`
      await withoutName({});
      // Once there is room, the next has its record.
      fs.rmSync(path + '.filler');
      const lock = FileLock.acquireSync(path);
      lock.update({ port: 1 });
      report([(await inspect(path)).record.data, await warned()]);
    `);
    expect(reports).toMatchObject([...held, [{ port: 1 }, []]]);
  });

  needs(
    'root',
    'unshare',
    'flock',
  )('asked for by name, it is the error', async () => {
    const { reports } = await onFullDisk(`
      await byName({ record: 'json' });
      await byName({ data: { port: 1 } });
    `);
    expect(reports).toMatchObject([...refused(full), ...refused(full)]);
  });

  needs(
    'root',
    'unshare',
    'flock',
  )('a file that is new is made and locked', async () => {
    const { reports } = await onFullDisk(`
      fs.rmSync(path);
      const lock = await FileLock.acquire(path);
      report([lock.held, isFree(), fs.statSync(path).size, await warned()]);
    `);
    expect(reports).toEqual([[true, false, 0, [WARNING]]]);
  });
});

describe('with a limit of 0 bytes for files', () => {
  const limit = { wrap: ['prlimit', '--fsize=0:0'] };
  const tooBig = { code: 'EFBIG', errno: -27, syscall: 'write' };

  needs('prlimit', 'flock')('the lock is held, and no signal ends the process', async () => {
    const path = lockPath();
    const { reports, code } = await runScript(
      path,
      `${PRELUDE + WAYS}await withoutName({});`,
      limit,
    );
    expect(code).toBe(0);
    expect(reports).toMatchObject(held);
  });

  needs('prlimit', 'flock')('asked for by name, it is the error', async () => {
    const path = lockPath();
    const source = `${PRELUDE + WAYS}await byName({ record: 'pid' });`;
    const { reports, code } = await runScript(path, source, limit);
    expect(code).toBe(0);
    expect(reports).toMatchObject(refused(tooBig));
  });

  needs('prlimit')('a lock that is handed down is adopted', async () => {
    const path = lockPath();
    const lock = FileLock.acquireSync(path, { record: false });
    const source = `${PRELUDE}
      report(await outcome(() => FileLock.adopt(3, path, { record: 'json' })));
      const lock = FileLock.adopt(3, path);
      report([lock.held, lock.mode, await warned()]);
      report(await outcome(() => lock.releaseSync()));
    `;
    const { reports } = await runScript(path, source, { ...limit, inherit: [lock.fd] });
    lock.detach();
    expect(reports).toMatchObject([tooBig, [true, 'exclusive', [WARNING]], {}]);
    expect(FileLock.tryAcquire(path)?.releaseSync()).toBeUndefined();
  });
});

describe('a token that cannot grow', () => {
  const LAST = Number.MAX_SAFE_INTEGER;
  const content = (token: number): string => `{"holdfast":{"token":${token}}}\n`;

  test('is an error that says what to do, and the file stays', async () => {
    const path = lockPath();
    const refusal = { code: 'ERR_LOCK_STATE', path, message: expect.stringContaining('remove') };
    for (const token of [LAST, 2 ** 53, 1e300]) {
      writeFileSync(path, content(token));
      for (const call of [
        () => FileLock.acquire(path),
        () => FileLock.acquireSync(path, { keepFile: false }),
        () => FileLock.tryAcquire(path, { record: 'pid' }),
        () => InstanceLock.acquire(path),
        () => InstanceLock.acquireSync(path),
      ]) {
        expect(await errorOf(call)).toMatchObject(refusal);
      }
      const shared = FileLock.acquireSync(path, { mode: 'shared' });
      expect(shared.token).toBe(token);
      expect(await errorOf(() => shared.tryUpgrade())).toMatchObject(refusal);
      expect(shared.held).toBe(false);
      expect(readFileSync(path, 'utf8')).toBe(content(token));
    }
  });

  test('is not looked at without a record', () => {
    const path = lockPath();
    writeFileSync(path, content(LAST));
    using lock = FileLock.acquireSync(path, { record: false });
    expect(lock.token).toBeLessThan(LAST);
  });

  test('comes after the last one that can', async () => {
    const path = lockPath();
    writeFileSync(path, content(LAST - 1));
    const lock = FileLock.acquireSync(path);
    expect(lock.token).toBe(LAST);
    lock.releaseSync();
    expect(readFileSync(path, 'utf8')).toBe(content(LAST));
    expect(await errorOf(() => FileLock.acquireSync(path))).toMatchObject({
      code: 'ERR_LOCK_STATE',
    });
  });
});
