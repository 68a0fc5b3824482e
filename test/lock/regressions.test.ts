import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LockFile } from '../../src/holders/lock-file.js';
import { checkData, parseContent } from '../../src/holders/owner-record.js';
import { FileLock, fileLocker, inspectFolder } from '../../src/index.js';
import { checkRequest } from '../../src/lock/options.js';
import type { Deadline } from '../../src/lock/wait.js';
import { waitForLock } from '../../src/lock/waiting.js';
import { until } from '../support/census.js';
import { lockPath, testFolder } from '../support/folder.js';
import { Peer } from '../support/peer.js';
import { Program } from '../support/program.js';

/** What reviews found by experiment, each as small as it could be made. */
describe('once broken', () => {
  test('timers that are plain numbers, as in a browser, lose no lock', async () => {
    const path = lockPath();
    const source = `
      const held = FileLock.acquireSync(args[0]);
      globalThis.setTimeout = globalThis.setInterval = () => 5;
      const waiting = FileLock.acquire(args[0]);
      held.releaseSync();
      (await waiting).releaseSync();
      FileLock.acquireSync(args[0]).releaseSync();
      say('free');
    `;
    const { code, stdout } = await Program.module(source, [path]).exited;
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'free\n' });
  });

  test('a signal that cannot be listened to is refused before anything is opened', async () => {
    const path = lockPath();
    const signal = { aborted: false } as AbortSignal;
    await expect(FileLock.acquire(path, { signal })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
    });
    expect(() => statSync(path)).toThrow(/ENOENT/);
  });

  test('a lock file with an x bit is a lock file: record, token, removal', () => {
    const path = lockPath();
    writeFileSync(path, '{"holdfast":{"token":4000000000000005}}\n');
    chmodSync(path, 0o755);
    const first = FileLock.acquireSync(path, { record: 'json' });
    expect(JSON.parse(readFileSync(path, 'utf8')).pid).toBe(process.pid);
    first.releaseSync();
    const second = FileLock.acquireSync(path, { keepFile: false });
    expect([first.token, second.token]).toEqual([4000000000000006, 4000000000000007]);
    second.releaseSync();
    expect(() => statSync(path)).toThrow(/ENOENT/);
  });

  test('inspectFolder, held up by its reader, names nobody who has let go', async () => {
    const folder = testFolder();
    const [a, b] = [join(folder, 'a.lock'), join(folder, 'b.lock')];
    FileLock.acquireSync(a).releaseSync();
    const [first, second] = await Promise.all([Peer.start(), Peer.start()]);
    await first.acquire('b', b);
    const statuses = inspectFolder(folder);
    expect((await statuses.next()).value?.path).toBe(a);
    await first.release('b');
    await second.acquire('b', b);
    const status = (await statuses.next()).value;
    expect(status?.holders.map(({ pid }) => pid)).toEqual([second.pid]);
  });

  test('a synchronous wait whose onWait starts one of its own is refused', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    await peer.acquire('a', path);
    let waiting: Promise<FileLock> | undefined;
    const onWait = (): void => {
      waiting = FileLock.acquire(path);
    };
    expect(() => FileLock.acquireSync(path, { timeout: 20_000, onWait })).toThrow(
      expect.objectContaining({ code: 'ERR_LOCK_STATE' }),
    );
    await peer.release('a');
    (await waiting)?.releaseSync();
  });

  test('a parent whose child has released writes into nobody’s record', async () => {
    const path = lockPath();
    const lock = FileLock.acquireSync(path, { data: { a: 1 } });
    const child = await Peer.start({ stdio: ['ignore', 'pipe', 'pipe', 'ipc', lock.fd] });
    await child.call('adopt', 'a', 4, path);
    await child.release('a');
    const other = await Peer.start();
    await other.acquire('b', path);
    expect(() => lock.update({ a: 2 })).toThrow(expect.objectContaining({ code: 'ERR_LOCK_LOST' }));
    lock.detach();
    expect(JSON.parse(readFileSync(path, 'utf8')).pid).toBe(other.pid);
  });

  test.each(['unlinked', 'replaced'])(
    'a record that is to be written into a file that was %s just now: the lock is lost',
    async (how) => {
      const path = lockPath();
      const { writeRecord } = await import('../../src/lock/hold.js');
      const { acquireSync } = await import('../../src/lock/acquire.js');
      const request = checkRequest(path, {}, 0);
      const held = acquireSync(request);
      rmSync(path);
      if (how === 'replaced') writeFileSync(path, '');
      // As adopt() writes it, after it has compared path and descriptor.
      expect(() => writeRecord(held, { data: '', guarded: true })).toThrow(
        expect.objectContaining({ code: 'ERR_LOCK_LOST' }),
      );
      held.file.close();
    },
  );

  test('abort at the moment a replaced file is given up: no lock comes of it', async () => {
    const path = lockPath();
    const { acquire } = await import('../../src/lock/acquire.js');
    const controller = new AbortController();
    const request = checkRequest(path, { signal: controller.signal }, 1000);
    const { native } = request;
    let rounds = 0;
    const changing = {
      ...native,
      // The path leads elsewhere at first; by then the caller has had enough.
      compare: (id: number) => {
        if (rounds++ > 0) return native.compare(id);
        controller.abort(new Error('enough'));
        return -116;
      },
    };
    await expect(acquire({ ...request, native: changing })).rejects.toThrow('enough');
    await until(() => FileLock.tryAcquire(path)?.releaseSync() === undefined);
  });

  test('a timer that fires before the deadline, or is cut at 2^31-1, is set again', async () => {
    const path = lockPath();
    using _held = FileLock.acquireSync(path);
    const { native } = checkRequest(path, undefined, 0);
    // A timer asked for 1 ms, at whose end 40 ms turn out to be left.
    const left = [1, 40, 40, 0];
    const deadline = {
      get remaining(): number {
        return left.shift() ?? 0;
      },
    } as Deadline;
    const began = performance.now();
    const outcome = await waitForLock({
      file: new LockFile(native, native.open(path, 0o600), path),
      mode: 2,
      deadline,
      followPath: true,
      signal: undefined,
      pollInterval: undefined,
    });
    expect(outcome).toBe('timeout');
    expect(performance.now() - began).toBeGreaterThan(35);
  });

  test('an option that is undefined leaves the locker’s default', async () => {
    const path = lockPath();
    using _held = FileLock.acquireSync(path);
    const locker = fileLocker({ timeout: 20 });
    const options = { timeout: undefined } as unknown as { timeout: number };
    await expect(locker.acquire(path, options)).rejects.toMatchObject({ code: 'ERR_LOCK_TIMEOUT' });
  });

  test.each([[new Map()], [new Set()], [new Date(Number.NaN)]])('data with %o is refused', (a) => {
    expect(() => checkData({ a })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
  });

  test('a whole record with the remainder of a long one behind it keeps its token', () => {
    const torn = `{"holdfast":{"token":1772015400000000}}\n${'\n'.repeat(4056)}${'x'.repeat(900)}"}\n`;
    expect(parseContent(torn)).toMatchObject({ ours: true, token: 1772015400000000 });
  });
});
