import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect } from 'vitest';
import { parseContent } from '../../src/holders/owner-record.js';
import { FileLock } from '../../src/index.js';
import { lockPath, testFolder } from '../support/folder.js';
import { Peer } from '../support/peer.js';
import { runScript } from '../support/script.js';
import { failing } from '../support/strace.js';
import { needs } from '../support/tools.js';

describe('flock is not there', () => {
  for (const code of ['ENOSYS', 'ENOLCK', 'ENOTSUP']) {
    needs('strace')(`${code}: ERR_LOCK_UNSUPPORTED, never a lock`, async () => {
      const path = lockPath();
      writeFileSync(path, '');
      const { reports } = await runScript(
        path,
        `
        const before = descriptors();
        report(await outcome(() => FileLock.acquire(path)));
        report(await outcome(() => FileLock.acquire(path, { timeout: 0, mode: 'shared' })));
        report(await outcome(() => FileLock.acquire(path, { pollInterval: 5 })));
        report(await outcome(() => FileLock.acquireSync(path, { timeout: 5000 })));
        report(await outcome(() => FileLock.tryAcquire(path)));
        report(descriptors() - before);
        report(fs.readFileSync(path, 'utf8'));
        `,
        { wrap: failing(path, `flock:error=${code === 'ENOTSUP' ? 'EOPNOTSUPP' : code}`) },
      );
      const error = { name: 'LockUnsupportedError', code: 'ERR_LOCK_UNSUPPORTED', path };
      const cause = { code, syscall: 'flock' };
      expect(reports).toMatchObject([...Array(5).fill({ ...error, cause }), 0, '']);
    });
  }

  needs('strace')('ENOLCK while polling ends the wait', async () => {
    const path = lockPath();
    using _lock = FileLock.acquireSync(path);
    const script = `
      const before = descriptors();
      report(await outcome(() => FileLock.acquire(path, { pollInterval: 1, timeout: 9000 })));
      report(descriptors() - before);
    `;
    const { reports } = await runScript(path, script, {
      wrap: failing(path, 'flock:error=ENOLCK:when=3+'),
    });
    expect(reports).toMatchObject([{ code: 'ERR_LOCK_UNSUPPORTED', cause: { code: 'ENOLCK' } }, 0]);
  });

  needs('strace')('an interrupted flock is tried again', async () => {
    const path = lockPath();
    const script = `report(await outcome(() => FileLock.acquireSync(path)));`;
    const { reports } = await runScript(path, script, {
      wrap: failing(path, 'flock:error=EINTR:when=1..3'),
    });
    expect(reports).toEqual([{ value: 'lock' }]);
  });
});

describe('a system call fails', () => {
  needs('strace')(
    'the record that was asked for is not written: the lock is given back',
    async () => {
      const path = lockPath();
      for (const call of ['acquire', 'acquireSync', 'tryAcquire']) {
        const { reports } = await runScript(
          path,
          `
        const before = descriptors();
        report(await outcome(() => FileLock.${call}(path, { record: 'json' })));
        report(descriptors() - before);
        report(await outcome(() => FileLock.tryAcquire(path)));
        `,
          { wrap: failing(path, 'pwrite64:error=EIO:when=1') },
        );
        const error = { code: 'EIO', errno: -5, syscall: 'write', path };
        expect(reports).toMatchObject([error, 0, { value: 'lock' }]);
      }
    },
  );

  needs('strace')('a failed write costs neither the token nor who crashed', async () => {
    const path = lockPath();
    const crashed = await Peer.start();
    const { token } = await crashed.acquire('a', path);
    await crashed.kill();
    const script = "report(await outcome(() => FileLock.acquire(path, { record: 'json' })));";
    const { reports } = await runScript(path, script, {
      wrap: failing(path, 'pwrite64:error=EIO:when=1'),
    });
    expect(reports).toMatchObject([{ code: 'EIO' }]);
    const content = parseContent(readFileSync(path, 'utf8'));
    expect(content).toMatchObject({ ours: true, token, owner: { pid: crashed.pid } });
  });

  needs('strace')('the record is not read: the lock is given back', async () => {
    const path = lockPath();
    writeFileSync(path, '4711\n');
    const { reports } = await runScript(
      path,
      `
      const before = descriptors();
      report(await outcome(() => FileLock.acquire(path)));
      report(descriptors() - before);
      report(await outcome(() => FileLock.tryAcquire(path, { record: false })));
      `,
      { wrap: failing(path, 'pread64:error=EIO') },
    );
    const error = { code: 'EIO', errno: -5, syscall: 'read', path };
    expect(reports).toMatchObject([error, 0, { value: 'lock' }]);
    expect(readFileSync(path, 'utf8')).toBe('4711\n');
  });

  needs('strace')('the record is not taken out: release fails once, the lock is free', async () => {
    const path = lockPath();
    const { reports } = await runScript(
      path,
      `
      const before = descriptors();
      const lock = FileLock.acquireSync(path, { keepFile: false });
      report(await outcome(() => lock.release()));
      report([lock.held, lock.fd, descriptors() - before, fs.existsSync(path)]);
      report(await outcome(() => lock.release()));
      report(await outcome(() => FileLock.tryAcquire(path)));
      `,
      { wrap: failing(path, 'pwrite64:error=EIO:when=2') },
    );
    expect(reports).toMatchObject([
      { code: 'EIO', errno: -5, syscall: 'write', path },
      [false, -1, 0, false],
      {},
      { value: 'lock' },
    ]);
  });

  needs('strace')('the file is not removed: release fails, the lock is free', async () => {
    const path = lockPath();
    const { reports } = await runScript(
      path,
      `
      const lock = FileLock.acquireSync(path, { keepFile: false });
      report(await outcome(() => lock.release()));
      report(await outcome(() => FileLock.tryAcquire(path)));
      `,
      { wrap: failing(path, 'unlink,unlinkat:error=EPERM:when=1') },
    );
    expect(reports).toMatchObject([
      { code: 'EPERM', errno: -1, syscall: 'unlink', path },
      { value: 'lock' },
    ]);
  });

  needs('strace')('withLock: a failed release throws, after an error it is a warning', async () => {
    const path = lockPath();
    const script = (body: string): string => `
      process.on('warning', ({ name, code }) => report([name, code]));
      report(await outcome(() => holdfast.withLock(path, () => { ${body} })));
      report(await outcome(() => FileLock.tryAcquire(path)));
    `;
    const wrap = failing(path, 'pwrite64:error=EIO:when=2');
    const alone = await runScript(path, script('return 5'), { wrap });
    expect(alone.reports).toMatchObject([{ code: 'EIO', syscall: 'write' }, { value: 'lock' }]);
    const both = await runScript(path, script(`throw new RangeError('body')`), { wrap });
    expect(both.reports).toMatchObject([
      { name: 'RangeError', message: 'body' },
      { value: 'lock' },
      ['HoldfastWarning', 'HOLDFAST_RELEASE_FAILED'],
    ]);
  });
});

describe('the addon is missing', () => {
  needs()('importing works, the first call says what was tried', async () => {
    const path = lockPath();
    const empty = testFolder();
    const { reports, code } = await runScript(
      path,
      `
      for (const call of ['acquire', 'acquireSync', 'tryAcquire']) {
        report(await outcome(() => FileLock[call](path)));
      }
      report(await outcome(() => FileLock.adopt(0, path)));
      report(await outcome(() => holdfast.withLock(path, () => {})));
      report(await outcome(() => holdfast.fileLocker().acquire(path)));
      report(await outcome(() => FileLock.acquire(path, { timeout: -1 })));
      report((await inspect(path)).state);
      `,
      { env: { HOLDFAST_PREBUILD: empty } },
    );
    expect(code).toBe(0);
    const message = expect.stringContaining(empty);
    expect(reports).toMatchObject([
      ...Array(6).fill({ name: 'LockUnsupportedError', code: 'ERR_LOCK_UNSUPPORTED', message }),
      { code: 'ERR_OUT_OF_RANGE' },
      'missing',
    ]);
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  needs()('its error has the path of the lock, as every LockError', async () => {
    const path = lockPath();
    const script = 'report(await outcome(() => FileLock.acquire(path)));';
    const { reports } = await runScript(path, script, {
      env: { HOLDFAST_PREBUILD: dirname(path) },
    });
    expect(reports).toMatchObject([{ code: 'ERR_LOCK_UNSUPPORTED', path }]);
  });
});

needs('strace')('the look after the record decides: replaced each time is refused', async () => {
  const path = lockPath();
  // Of the descriptor, of the path, and of the path once the record is written.
  const wrap = failing(path, 'statx:error=ENOENT:when=3+3');
  const script = 'report(await outcome(() => FileLock.tryAcquire(path)));';
  const { reports } = await runScript(path, script, { wrap });
  expect(reports).toEqual([{ value: null }]);
});
