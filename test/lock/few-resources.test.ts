import { execFileSync } from 'node:child_process';
import { chmodSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect } from 'vitest';
import { FileLock, inspect } from '../../src/index.js';
import { lockPath } from '../support/folder.js';
import { Peer } from '../support/peer.js';
import { runScript } from '../support/script.js';
import { needs } from '../support/tools.js';

/** For a script: `fill()` takes all descriptors that are left. */
const TAKE_DESCRIPTORS = `
  const taken = [];
  const fill = () => {
    try {
      for (;;) taken.push(fs.openSync('/dev/null'));
    } catch {}
  };
`;

describe('with few descriptors', () => {
  needs('prlimit', 'flock')('each number that is left is enough, or it is EMFILE', async () => {
    const path = lockPath();
    const holder = await Peer.start();
    await holder.acquire('a', `${path}.held`);
    const { reports, stderr } = await runScript(
      path,
      `
      const { InstanceLock } = await import(new URL('instance.js', process.env.HOLDFAST_TEST_ENTRY));
      // Loads what is loaded on first use.
      FileLock.acquireSync(path).releaseSync();
      await outcome(() => FileLock.acquire(path + '.held', { timeout: 5 }));
      const lock = FileLock.acquireSync(path + '.mine', { keepFile: false });
      ${TAKE_DESCRIPTORS}
      fill();
      const all = taken.length;
      const room = (most) => {
        const before = taken.length;
        try {
          while (taken.length < before + most) taken.push(fs.openSync('/dev/null'));
        } catch {}
        const found = taken.splice(before);
        found.forEach((fd) => fs.closeSync(fd));
        return found.length;
      };
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
          // A waiting thread that is cancelled closes its descriptor when it gets to run.
          for (let tries = 0; room(left) < left && tries < 400; tries++) {
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
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
        // Removing the file needs a second descriptor; without one, the file stays.
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

  needs('prlimit')('a call that failed leaves nothing that later records lack', async () => {
    const path = lockPath();
    const { reports } = await runScript(
      path,
      `
      FileLock.acquireSync(path, { record: false }).releaseSync();
      ${TAKE_DESCRIPTORS}
      fill();
      report((await outcome(() => FileLock.acquireSync(path))).code);
      taken.forEach((fd) => fs.closeSync(fd));
      const lock = FileLock.acquireSync(path);
      report(JSON.parse(fs.readFileSync(path, 'utf8')).holdfast);
      `,
      { wrap: ['prlimit', '--nofile=64:64'] },
    );
    const some = expect.stringMatching(/./);
    expect(reports).toMatchObject(['EMFILE', { hostname: some, start: some, boot: some }]);
  });

  needs('prlimit')('no descriptors: EMFILE, and all is well once there are some', async () => {
    const path = lockPath();
    const holder = FileLock.acquireSync(path);
    const { reports, code, stderr } = await runScript(
      path,
      `
      FileLock.acquireSync(path + '0').releaseSync();
      ${TAKE_DESCRIPTORS}
      fill();
      for (const call of ['acquire', 'acquireSync', 'tryAcquire']) {
        report(await outcome(() => FileLock[call](path + '2')));
      }
      // One is enough to wait, though not to look up the holder or to start a thread.
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
});

let users = 0;

/** A process that cannot start a thread, and how many it has. */
async function threadlessPeer(path: string): Promise<{ peer: Peer; threads: () => number }> {
  chmodSync(dirname(path), 0o777);
  // The limit counts all processes of a user, so this peer has a user of its own.
  const id = 200_000 + process.pid + 100_000 * users++;
  const user = { uid: id, gid: id };
  const peer = await Peer.start(user);
  // The threads that Node starts on demand are there afterwards.
  await peer.acquire('warm', path, { permissions: 0o666 });
  await peer.inspect(path);
  await peer.release('warm');
  execFileSync('prlimit', ['--pid', `${peer.pid}`, '--nproc=1:1'], user);
  return { peer, threads: () => readdirSync(`/proc/${peer.pid}/task`).length };
}

describe('with few threads', () => {
  needs('root', 'prlimit')('any number of waits polls, and each ends as it should', async () => {
    const path = lockPath();
    const { peer, threads } = await threadlessPeer(path);
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

  needs('root', 'prlimit')('no threads: it polls, and is granted the lock', async () => {
    const path = lockPath();
    const { peer, threads } = await threadlessPeer(path);
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
