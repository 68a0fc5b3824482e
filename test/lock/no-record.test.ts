import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { FileLock } from '../../src/index.js';
import { FILL, INSTANCE_LOCK, IS_FREE, mountedAt } from '../support/disk.js';
import { lockPath, testFolder } from '../support/folder.js';
import { runScript, type ScriptResult } from '../support/script.js';
import { needs } from '../support/tools.js';

// Where the disk takes no record, a lock is held without one, or refused if the
// caller asked for a record by name.

const PRELUDE = `${IS_FREE}${INSTANCE_LOCK}
  const warnings = [];
  process.on('warning', ({ name, code, message }) => warnings.push([name, code, message.includes(path)]));
  // Warnings come a moment later.
  const warned = async () => {
    await new Promise(setImmediate);
    return warnings.splice(0);
  };
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
    const fill = `${FILL}
      fs.writeFileSync(path, '');
      fill();
    `;
    return runScript(join(folder, 'test.lock'), fill + PRELUDE + WAYS + source, {
      wrap: mountedAt(folder, 'size=16k'),
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
      fs.rmSync(filler);
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
