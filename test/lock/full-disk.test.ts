import { describe, expect } from 'vitest';
import { parseContent } from '../../src/holders/owner-record.js';
import { onDisk } from '../support/disk.js';
import { needs } from '../support/tools.js';

describe('on a full disk', () => {
  const full = { code: 'ENOSPC', errno: -28, syscall: 'write' };

  needs(
    'root',
    'unshare',
    'flock',
  )('a lock that was there can be taken and released', async () => {
    const { reports } = await onDisk(
      16,
      `
      FileLock.acquireSync(path).releaseSync();
      fill();
      const before = descriptors();
      for (const keepFile of [true, false]) {
        const lock = await FileLock.acquire(path, { keepFile });
        report([lock.held, isFree()]);
        await lock.release();
        report([fs.existsSync(path), isFree(), descriptors() - before]);
      }
      `,
    );
    expect(reports).toEqual([
      [true, false],
      [true, true, 0],
      [true, false],
      [false, true, 0],
    ]);
  });

  needs(
    'root',
    'unshare',
    'flock',
  )('each way to acquire with a record by name fails, and nothing is locked', async () => {
    const { reports } = await onDisk(
      16,
      `
      fs.writeFileSync(path, '');
      fill();
      const before = descriptors();
      const instance = { keepFile: true };
      for (const call of [
        () => FileLock.acquire(path, { record: 'json' }),
        () => FileLock.acquireSync(path, { record: 'pid' }),
        () => FileLock.tryAcquire(path, { data: { a: 1 }, keepFile: false }),
        () => InstanceLock.acquire(path, instance),
        () => InstanceLock.acquireSync(path, instance),
      ]) {
        report(await outcome(call));
        report([isFree(), descriptors() - before]);
        if (!fs.existsSync(path)) fs.writeFileSync(path, '');
      }
      const shared = FileLock.acquireSync(path, { mode: 'shared', record: 'json' });
      report(await outcome(() => shared.tryUpgrade()));
      report([shared.held, isFree(), descriptors() - before, text()]);
      empty();
      report(await outcome(() => FileLock.acquire(path)));
      `,
    );
    expect(reports).toMatchObject([
      ...Array(5)
        .fill([full, [true, 0]])
        .flat(),
      full,
      [false, true, 0, ''],
      { value: 'lock' },
    ]);
  });

  needs(
    'root',
    'unshare',
    'flock',
  )('a theft leaves the old holder where it was', async () => {
    const { reports } = await onDisk(
      16,
      `
      const lock = FileLock.acquireSync(path, { data: { port: 80 } });
      fill();
      const before = descriptors();
      const theft = InstanceLock.acquire(path, { force: { how: 'steal' } });
      report(await outcome(() => theft));
      report([lock.isCurrent(), isFree(), descriptors() - before, names()]);
      report((await inspect(path)).record.data);
      lock.releaseSync();
      report([text() === '{"holdfast":{"token":' + lock.token + '}}\\n', isFree()]);
      `,
    );
    expect(reports).toMatchObject([
      full,
      [true, false, 0, 'test.lock,test.lock.filler'],
      { port: 80 },
      [true, true],
    ]);
  });

  needs('root', 'unshare')('where no inode is left no file is made', async () => {
    const { reports } = await onDisk(
      64,
      `
      const before = descriptors();
      try {
        for (let at = 0; ; at++) fs.writeFileSync(path + at, '');
      } catch (error) {
        report(error.code);
      }
      for (const at of [path, path + '.d/a.lock']) {
        for (const call of ['acquire', 'acquireSync', 'tryAcquire']) {
          report(await outcome(() => FileLock[call](at)));
        }
      }
      report([fs.existsSync(path), descriptors() - before]);
      report(await outcome(() => FileLock.acquireSync(path + '0').releaseSync()));
      `,
    );
    expect(reports).toMatchObject([
      'ENOSPC',
      ...Array(3).fill({ ...full, syscall: 'open' }),
      ...Array(3).fill({ ...full, syscall: 'mkdir' }),
      [false, 0],
      {},
    ]);
  });
});

describe('a record on a disk without room', () => {
  needs('root', 'unshare')(
    'acquiring fails with ENOSPC where a record is asked for, and gives the lock back',
    async () => {
      const { reports } = await onDisk(
        16,
        `
      fill();
      const before = descriptors();
      for (const call of ['acquire', 'acquireSync', 'tryAcquire']) {
        report(await outcome(() => FileLock[call](path, { record: 'json' })));
      }
      report([descriptors() - before, fs.readFileSync(path, 'utf8')]);
      report(await outcome(() => FileLock.tryAcquire(path, { record: false }).release()));
      empty();
      report(await outcome(() => FileLock.tryAcquire(path)));
      `,
      );
      const error = { code: 'ENOSPC', errno: -28, syscall: 'write' };
      expect(reports).toMatchObject([error, error, error, [0, ''], {}, { value: 'lock' }]);
    },
  );

  needs('root', 'unshare')('a record that does not fit leaves no torn one', async () => {
    const { reports } = await onDisk(
      16,
      `
      const first = FileLock.acquireSync(path);
      first.releaseSync();
      fill();
      report(await outcome(() => FileLock.acquire(path, { data: { long: 'x'.repeat(9000) } })));
      report(fs.readFileSync(path, 'utf8'));
      report(first.token);
      `,
    );
    expect(reports[0]).toMatchObject({ code: 'ENOSPC', syscall: 'write' });
    const content = parseContent(reports[1]);
    expect(content).toMatchObject({ ours: true, owner: null });
    expect(content.token).toBeGreaterThanOrEqual(reports[2]);
  });

  needs('root', 'unshare')(
    'update that does not fit throws, the lock and its token stay',
    async () => {
      const { reports } = await onDisk(
        16,
        `
      const lock = FileLock.acquireSync(path, { data: { port: 80 } });
      fill();
      report(await outcome(() => lock.update({ long: 'x'.repeat(9000) })));
      report([lock.held, FileLock.tryAcquire(path), fs.readFileSync(path, 'utf8')]);
      lock.update({ port: 81 });
      report((await inspect(path)).record.data);
      report(await outcome(() => lock.release()));
      report(fs.readFileSync(path, 'utf8') === '{"holdfast":{"token":' + lock.token + '}}\\n');
      `,
      );
      expect(reports[0]).toMatchObject({ code: 'ENOSPC', syscall: 'write' });
      expect(reports[1].slice(0, 2)).toEqual([true, null]);
      expect(parseContent(reports[1][2])).toMatchObject({
        ours: true,
        owner: { data: { port: 80 } },
      });
      expect(reports.slice(2)).toMatchObject([{ port: 81 }, {}, true]);
    },
  );
});
