import { execFileSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect } from 'vitest';
import { parseContent } from '../../src/holders/owner-record.js';
import { FileLock, inspect } from '../../src/index.js';
import { lockPath, testFolder } from '../support/folder.js';
import { Peer } from '../support/peer.js';
import { runScript } from '../support/script.js';
import { needs } from '../support/tools.js';

/** strace that lets system calls on `path`, and no others, fail. */
function failing(path: string, ...injections: string[]): string[] {
  const inject = injections.flatMap((each) => ['-e', `inject=${each}`]);
  return ['strace', '-f', '-qq', '-o', '/dev/null', '-P', path, ...inject];
}

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

/** Runs node with a tmpfs of 16 KiB mounted at the folder. */
function onSmallDisk(folder: string): string[] {
  const script = 'mount -t tmpfs -o size=16k none "$0" && exec "$@"';
  return ['unshare', '-m', 'sh', '-c', script, folder];
}

const FILL = `
  const filler = fs.openSync(path + '.filler', 'w');
  try {
    for (;;) fs.writeSync(filler, Buffer.alloc(4096));
  } catch (error) {
    if (error.code !== 'ENOSPC') throw error;
  }
`;

describe('the disk is full', () => {
  needs('root', 'unshare')(
    'acquiring fails with ENOSPC where a record is asked for, and gives the lock back',
    async () => {
      const folder = testFolder();
      const { reports, stderr } = await runScript(
        join(folder, 'test.lock'),
        `
      ${FILL}
      const before = descriptors();
      for (const call of ['acquire', 'acquireSync', 'tryAcquire']) {
        report(await outcome(() => FileLock[call](path, { record: 'json' })));
      }
      report([descriptors() - before, fs.readFileSync(path, 'utf8')]);
      report(await outcome(() => FileLock.tryAcquire(path, { record: false }).release()));
      fs.ftruncateSync(filler, 0);
      report(await outcome(() => FileLock.tryAcquire(path)));
      `,
        { wrap: onSmallDisk(folder) },
      );
      expect(stderr).toBe('');
      const error = { code: 'ENOSPC', errno: -28, syscall: 'write' };
      expect(reports).toMatchObject([error, error, error, [0, ''], {}, { value: 'lock' }]);
    },
  );

  needs('root', 'unshare')('a record that does not fit leaves no torn one', async () => {
    const folder = testFolder();
    const { reports } = await runScript(
      join(folder, 'test.lock'),
      `
      const first = FileLock.acquireSync(path);
      first.releaseSync();
      ${FILL}
      report(await outcome(() => FileLock.acquire(path, { data: { long: 'x'.repeat(9000) } })));
      report(fs.readFileSync(path, 'utf8'));
      report(first.token);
      `,
      { wrap: onSmallDisk(folder) },
    );
    expect(reports[0]).toMatchObject({ code: 'ENOSPC', syscall: 'write' });
    const content = parseContent(reports[1]);
    expect(content).toMatchObject({ ours: true, owner: null });
    expect(content.token).toBeGreaterThanOrEqual(reports[2]);
  });

  needs('root', 'unshare')(
    'update that does not fit throws, the lock and its token stay',
    async () => {
      const folder = testFolder();
      const { reports } = await runScript(
        join(folder, 'test.lock'),
        `
      const lock = FileLock.acquireSync(path, { data: { port: 80 } });
      ${FILL}
      report(await outcome(() => lock.update({ long: 'x'.repeat(9000) })));
      report([lock.held, FileLock.tryAcquire(path), fs.readFileSync(path, 'utf8')]);
      lock.update({ port: 81 });
      report((await inspect(path)).record.data);
      report(await outcome(() => lock.release()));
      report(fs.readFileSync(path, 'utf8') === '{"holdfast":{"token":' + lock.token + '}}\\n');
      `,
        { wrap: onSmallDisk(folder) },
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

describe('too little of something', () => {
  needs('prlimit')('no descriptors: EMFILE, and all is well once there are some', async () => {
    const path = lockPath();
    const holder = FileLock.acquireSync(path);
    const { reports, code, stderr } = await runScript(
      path,
      `
      FileLock.acquireSync(path + '0').releaseSync();
      const taken = [];
      const fill = () => {
        try {
          for (;;) taken.push(fs.openSync('/dev/null'));
        } catch {}
      };
      fill();
      for (const call of ['acquire', 'acquireSync', 'tryAcquire']) {
        report(await outcome(() => FileLock[call](path + '2')));
      }
      // One is enough to wait, though neither the holder nor a thread is to be had.
      fs.closeSync(taken.pop());
      report(await outcome(() => FileLock.acquire(path, { timeout: 0 })));
      report(await outcome(() => FileLock.acquire(path, { timeout: 60 })));
      report(await outcome(() => FileLock.acquireSync(path, { timeout: 60 })));
      const lock = FileLock.tryAcquire(path + '2');
      report(await outcome(() => FileLock.tryAcquire(path + '3')));
      lock.releaseSync();
      const at = taken.length;
      fill();
      report(taken.length - at);
      `,
      { wrap: ['prlimit', '--nofile=64:64'] },
    );
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const error = { code: 'EMFILE', errno: -24, syscall: 'open' };
    expect(reports).toMatchObject([
      error,
      error,
      error,
      { code: 'ERR_LOCK_HELD' },
      { code: 'ERR_LOCK_TIMEOUT' },
      { code: 'ERR_LOCK_TIMEOUT' },
      error,
      1,
    ]);
    holder.releaseSync();
  });

  needs('root', 'prlimit')('no threads: it polls, and is granted the lock', async () => {
    const path = lockPath();
    chmodSync(dirname(path), 0o777);
    // A user of this test's own: the limit counts all processes of a user.
    const id = 200_000 + process.pid;
    const peer = await Peer.start({ uid: id, gid: id });
    // Whatever threads of its own Node makes on demand are there by now.
    await peer.acquire('warm', path, { permissions: 0o666 });
    await peer.inspect(path);
    await peer.release('warm');
    const threads = (): number => readdirSync(`/proc/${peer.pid}/task`).length;
    execFileSync('prlimit', ['--pid', String(peer.pid), '--nproc=1:1'], { uid: id, gid: id });
    const holder = FileLock.acquireSync(path);
    const before = threads();
    const { granted } = await peer.waitFor('a', path);
    await expect(peer.acquire('b', path, { timeout: 60 })).rejects.toMatchObject({
      code: 'ERR_LOCK_TIMEOUT',
    });
    await expect(peer.call('acquireSync', 'c', path, { timeout: 0 })).rejects.toMatchObject({
      code: 'ERR_LOCK_HELD',
    });
    expect(threads()).toBe(before);
    expect((await inspect(path)).waiters).toEqual([]);
    holder.releaseSync();
    expect(await granted).toMatchObject({ held: true });
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
