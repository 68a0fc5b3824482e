import { execFileSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  checkData,
  heldContent,
  parseContent,
  releasedContent,
} from '../../src/holders/owner-record.js';
import { FileLock, inspect } from '../../src/index.js';
import { lockPath, testFolder } from '../support/folder.js';
import { Peer } from '../support/peer.js';
import { runScript, type ScriptResult } from '../support/script.js';
import { needs } from '../support/tools.js';

/** Runs `source` with a tmpfs of so many KiB mounted at the folder of its lock. */
async function onDisk(size: number, source: string): Promise<ScriptResult> {
  const folder = testFolder();
  const script = `mount -t tmpfs -o size=${size}k,nr_inodes=8 none "$0" && exec "$@"`;
  const result = await runScript(join(folder, 'test.lock'), PRELUDE + source, {
    wrap: ['unshare', '-m', 'sh', '-c', script, folder],
  });
  expect(result).toMatchObject({ stderr: '', code: 0 });
  return result;
}

const PRELUDE = `
  const { execFileSync } = await import('node:child_process');
  const { dirname } = await import('node:path');
  const { InstanceLock } = await import(new URL('instance.js', process.env.HOLDFAST_TEST_ENTRY));
  const filler = path + '.filler';
  const fill = () => {
    const fd = fs.openSync(filler, 'w');
    try {
      for (;;) fs.writeSync(fd, Buffer.alloc(4096));
    } catch (error) {
      if (error.code !== 'ENOSPC') throw error;
    } finally {
      fs.closeSync(fd);
    }
  };
  const empty = () => fs.truncateSync(filler, 0);
  const remount = (how) => execFileSync('mount', ['-o', 'remount,' + how, dirname(path)]);
  // Of another process, since what this one is told of itself is in question.
  const isFree = () => {
    try {
      execFileSync('flock', ['-n', path, 'true']);
      return true;
    } catch {
      return false;
    }
  };
  const text = () => fs.readFileSync(path, 'utf8');
  const names = () => fs.readdirSync(dirname(path)).sort().join();
  // Node keeps a descriptor from its first child on.
  execFileSync('true');
`;

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

describe('on a file system that became read-only', () => {
  const readOnly = { code: 'EROFS', errno: -30 };

  needs(
    'root',
    'unshare',
    'flock',
  )('a lock is taken without a record, or refused', async () => {
    const { reports } = await onDisk(
      64,
      `
      fs.writeFileSync(path, '4711\\n');
      remount('ro');
      const before = descriptors();
      for (const options of [{}, { keepFile: false }, { mode: 'shared' }, { record: 'json' }]) {
        const lock = await FileLock.acquire(path, options);
        report([lock.held, isFree()]);
        report(await outcome(() => lock.update({ port: 1 })));
        report(await outcome(() => lock.release()));
        report([text(), isFree(), descriptors() - before]);
      }
      report(await outcome(() => InstanceLock.acquire(path)));
      report(await outcome(() => FileLock.acquire(path + '2')));
      report(await outcome(() => FileLock.acquire(path + '.d/a.lock')));
      report([isFree(), descriptors() - before, names()]);
      `,
    );
    expect(reports).toMatchObject([
      ...Array(4)
        .fill([[true, false], { code: 'ERR_LOCK_STATE' }, {}, ['4711\n', true, 0]])
        .flat(),
      { code: 'ERR_LOCK_STATE' },
      { ...readOnly, syscall: 'open' },
      { ...readOnly, syscall: 'mkdir' },
      [true, 0, 'test.lock'],
    ]);
  });

  needs(
    'root',
    'unshare',
    'flock',
  )('a lock of the time before is still released', async () => {
    // A descriptor that may write forbids the remount, so the writes fail by
    // strace here, as they do where the kernel gives up on a damaged disk.
    const path = lockPath();
    const source = `
      const before = descriptors();
      const lock = FileLock.acquireSync(path, { keepFile: false });
      report(await outcome(() => lock.update({ port: 1 })));
      report([lock.held, FileLock.tryAcquire(path)]);
      report(await outcome(() => lock.release()));
      report([lock.held, descriptors() - before]);
    `;
    const fail = [
      'pwrite64:error=EROFS:when=2+',
      'unlink:error=EROFS',
      'openat:error=EROFS:when=3+',
    ];
    const inject = fail.flatMap((each) => ['-e', `inject=${each}`]);
    const { reports } = await runScript(path, source, {
      wrap: ['strace', '-f', '-qq', '-o', '/dev/null', '-P', path, ...inject],
    });
    expect(reports).toMatchObject([
      { ...readOnly, syscall: 'write', path },
      [true, null],
      { ...readOnly, syscall: 'write', path },
      [false, 0],
    ]);
    using lock = FileLock.acquireSync(path);
    expect(lock.held).toBe(true);
  });
});

describe('with few descriptors', () => {
  needs('prlimit', 'flock')('each number that is left is enough, or it is EMFILE', async () => {
    const path = lockPath();
    const holder = await Peer.start();
    await holder.acquire('a', `${path}.held`);
    const { reports, stderr } = await runScript(
      path,
      `
      const { InstanceLock } = await import(new URL('instance.js', process.env.HOLDFAST_TEST_ENTRY));
      // What is loaded when it is first needed is there.
      FileLock.acquireSync(path).releaseSync();
      await outcome(() => FileLock.acquire(path + '.held', { timeout: 5 }));
      const lock = FileLock.acquireSync(path + '.mine', { keepFile: false });
      const taken = [];
      const fill = () => {
        try {
          for (;;) taken.push(fs.openSync('/dev/null'));
        } catch {}
      };
      fill();
      const all = taken.length;
      for (let left = 0; left <= 4; left++) {
        const row = [];
        for (const call of [
          () => FileLock.acquire(path).then((each) => each.release()),
          () => FileLock.acquireSync(path, { keepFile: false }).releaseSync(),
          () => FileLock.acquire(path + '.held', { timeout: 0 }),
          () => FileLock.acquire(path + '.held', { timeout: 20 }),
          () => FileLock.acquireSync(path + '.held', { timeout: 20 }),
          () => InstanceLock.acquire(path + '.i').then((each) => each.release()),
          () => lock.update({ left }),
        ]) {
          const { code, syscall } = await outcome(call);
          row.push(code === undefined ? 'ok' : syscall === undefined ? code : code + ' ' + syscall);
        }
        report(row);
        fill();
        if (taken.length !== all) report('a descriptor leaked with ' + left);
        for (let more = 0; more <= left; more++) fs.closeSync(taken.pop());
      }
      fill();
      report(await outcome(() => lock.releaseSync()));
      report([lock.held, taken.length === all]);
      taken.forEach((fd) => fs.closeSync(fd));
      report(await outcome(() => FileLock.tryAcquire(path + '.mine').releaseSync()));
      `,
      { wrap: ['prlimit', '--nofile=64:64'] },
    );
    expect(stderr).toBe('');
    const [rows, end] = [reports.slice(0, -3), reports.slice(-3)];
    expect(rows[0]).toEqual([...Array(6).fill('EMFILE open'), 'ok']);
    for (const row of rows.slice(1)) {
      expect(row).toEqual([
        'ok',
        // To remove the file takes a second one; it stays where there is none.
        expect.stringMatching(/^(ok|EMFILE unlink)$/),
        'ERR_LOCK_HELD',
        'ERR_LOCK_TIMEOUT',
        'ERR_LOCK_TIMEOUT',
        expect.stringMatching(/^(ok|EMFILE unlink)$/),
        'ok',
      ]);
    }
    expect(rows.at(-1)).toEqual([
      'ok',
      'ok',
      'ERR_LOCK_HELD',
      'ERR_LOCK_TIMEOUT',
      'ERR_LOCK_TIMEOUT',
      'ok',
      'ok',
    ]);
    expect(end).toMatchObject([{ code: 'EMFILE', syscall: 'unlink' }, [false, true], {}]);
  });
});

describe('with few threads', () => {
  needs('root', 'prlimit')('any number of waits polls, and each ends as it should', async () => {
    const path = lockPath();
    chmodSync(dirname(path), 0o777);
    // A user of this test's own: the limit counts all processes of a user.
    const id = 300_000 + process.pid;
    const peer = await Peer.start({ uid: id, gid: id });
    await peer.acquire('warm', path, { permissions: 0o666 });
    await peer.inspect(path);
    await peer.release('warm');
    const threads = (): number => readdirSync(`/proc/${peer.pid}/task`).length;
    execFileSync('prlimit', ['--pid', `${peer.pid}`, '--nproc=1:1'], { uid: id, gid: id });
    const holder = FileLock.acquireSync(path);
    const before = threads();
    const waits = await Promise.all(
      Array.from({ length: 8 }, (_, at) => peer.waitFor(`${at}`, path, { mode: 'shared' })),
    );
    const late = Array.from({ length: 4 }, (_, at) =>
      peer.acquire(`late ${at}`, path, { timeout: 30 + at }),
    );
    await Promise.all(
      late.map((each) => expect(each).rejects.toMatchObject({ code: 'ERR_LOCK_TIMEOUT' })),
    );
    expect(threads()).toBe(before);
    expect((await inspect(path)).waiters).toEqual([]);
    holder.releaseSync();
    for (const { granted } of waits) expect(await granted).toMatchObject({ held: true });
    expect(FileLock.tryAcquire(path)).toBeNull();
    await Promise.all(waits.map((_, at) => peer.release(`${at}`)));
    FileLock.acquireSync(path).releaseSync();
  });
});

// What a SIGKILL, a power loss or a full disk can leave of a write.

const SINCE = Date.parse('2026-02-25T10:30:00.000Z');
const TOKEN = 1772015400000000;

/** Each state of the file between the old content and the new one. */
function tears(old: string, text: string): string[] {
  const states: string[] = [];
  for (let length = 0; length <= text.length; length++) {
    states.push(text.slice(0, length) + old.slice(length), text.slice(0, length));
  }
  return states;
}

const CONTENTS = {
  nothing: '',
  'a token': releasedContent('json', TOKEN - 7),
  'a pid': '4711\n',
  'a record': heldContent('json', SINCE - 60_000, TOKEN - 7, ''),
  'a longer record': heldContent(
    'json',
    SINCE - 60_000,
    TOKEN - 7,
    checkData({ a: 'x'.repeat(90) }),
  ),
};

const NEW = {
  'a record': heldContent('json', SINCE, TOKEN, checkData({ port: 80, name: '\u00e9' })),
  'a token': releasedContent('json', TOKEN),
  'a pid': '31337\n',
};

describe('a write torn at each byte', () => {
  const cases = Object.keys(CONTENTS).flatMap((old) =>
    Object.keys(NEW).map((text) => [text, old] as const),
  );

  test.each(cases)('of %s over %s names one of their holders, or nobody', (text, old) => {
    const [after, before] = [NEW[text as keyof typeof NEW], CONTENTS[old as keyof typeof CONTENTS]];
    const known = [parseContent(before), parseContent(after)];
    const owners = known.map(({ owner }) => owner?.pid);
    const seen = new Set<number>();
    for (const state of tears(before, after)) {
      const content = parseContent(state);
      const { ours, token, owner } = content;
      if (!ours) expect(content).toEqual({ ours: false, token: 0, owner: null });
      // A number that was cut short is a number: pids are for people.
      if (/^\s*\d+\s*$/.test(state)) continue;
      // Of two tokens that share the page the digits may mix, but never to a
      // smaller one than the last.
      if (token !== 0) expect(token).toBeGreaterThanOrEqual(known[0]?.token ?? 0);
      if (owner !== null) seen.add(owner.pid);
    }
    expect(owners).toEqual(expect.arrayContaining([...seen]));
  });

  test('never keeps the next one from locking, nor is it taken for a holder', () => {
    const path = lockPath();
    const [before, after] = [CONTENTS['a longer record'], NEW['a record']];
    for (const state of tears(before, after)) {
      writeFileSync(path, state);
      const { ours, token } = parseContent(state);
      using lock = FileLock.acquireSync(path);
      expect(lock.held).toBe(true);
      expect(lock.token).toBeGreaterThan(token);
      if (ours) {
        expect(parseContent(readFileSync(path, 'utf8')).owner?.pid).toBe(process.pid);
        const pid = lock.previous?.pid ?? process.pid;
        expect(pid).toBe(process.pid);
      } else {
        expect(lock.previous).toBeNull();
        expect(readFileSync(path, 'utf8')).toBe(state);
      }
    }
  });

  test('of several pages is still ours, wherever it is cut', () => {
    const path = lockPath();
    const big = (letter: string, size: number): string =>
      heldContent('json', SINCE, TOKEN, checkData({ a: letter.repeat(size) }));
    const [before, after] = [big('x', 20_000), big('y', 14_000)];
    for (let length = 4096; length < after.length; length += 4096) {
      for (const state of [after.slice(0, length) + before.slice(length), after.slice(0, length)]) {
        writeFileSync(path, state);
        expect(parseContent(state)).toMatchObject({ ours: true });
        FileLock.acquireSync(path).releaseSync();
        expect(parseContent(readFileSync(path, 'utf8'))).toMatchObject({ ours: true, owner: null });
      }
    }
  });
});
