import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ownIdentity } from '../../src/holders/process-identity.js';
import { FileLock, inspect, watchLock } from '../../src/index.js';
import { until } from '../support/census.js';
import { lockPath, testFolder } from '../support/folder.js';
import { Peer } from '../support/peer.js';
import { runScript } from '../support/script.js';
import { needs } from '../support/tools.js';

const NOBODY_HOLDS = { mode: null, holders: [], waiters: [], otherLocks: [] };

describe('the state', () => {
  test('missing: there is no file, and looking creates none', async () => {
    const path = lockPath();
    for (const file of [path, join(path, 'deeper', 'test.lock')]) {
      for (const probe of [false, true]) {
        const missing = { path: file, state: 'missing', ...NOBODY_HOLDS, record: null };
        expect(await inspect(file, { probe })).toEqual(missing);
      }
    }
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test('free: nobody holds it and nobody left a record', async () => {
    const path = lockPath();
    const free = { path, state: 'free', ...NOBODY_HOLDS, record: null };
    for (const prepare of [
      () => writeFileSync(path, ''),
      () => FileLock.acquireSync(path).releaseSync(),
      () => writeFileSync(path, 'data'),
    ]) {
      prepare();
      expect(await inspect(path)).toEqual(free);
      expect(await inspect(path, { probe: true })).toEqual(free);
    }
  });

  test('stale: nobody holds it and a record was left', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    const { token } = await peer.acquire('a', path, { data: { port: 80 } });
    await peer.kill();
    const record = {
      pid: peer.pid,
      running: false,
      token,
      data: { port: 80 },
      hostname: hostname(),
    };
    for (const probe of [false, true]) {
      const status = await inspect(path, { probe });
      expect(status).toMatchObject({ path, state: 'stale', ...NOBODY_HOLDS, record });
      expect(status.record?.since).toBeInstanceOf(Date);
    }
  });

  test('held: with the holder, what it does and since when', async () => {
    const path = lockPath();
    const peer = await Peer.start();
    const before = Date.now();
    await peer.acquire('a', path, { data: { port: 80 } });
    for (const probe of [false, true]) {
      const status = await inspect<{ port: number }>(path, { probe });
      expect(status).toMatchObject({ path, state: 'held', mode: 'exclusive', waiters: [] });
      expect(status.holders).toEqual([
        {
          pid: peer.pid,
          self: false,
          source: 'kernel',
          verified: true,
          inOtherContainer: false,
          since: status.record?.since,
          command: expect.stringMatching(/^node .*peer\.mjs$/),
          hostname: hostname(),
          data: { port: 80 },
        },
      ]);
      expect(status.holders[0]?.since?.getTime()).toBeGreaterThanOrEqual(before);
      expect(status.record).toMatchObject({ pid: peer.pid, running: true, data: { port: 80 } });
    }
  });

  test('held by this process: self', async () => {
    const path = lockPath();
    for (const options of [{}, { record: false }, { mode: 'shared' }] as const) {
      const lock = FileLock.acquireSync(path, options);
      const { state, mode, holders } = await inspect(path);
      expect({ state, mode }).toEqual({ state: 'held', mode: lock.mode });
      expect(holders).toMatchObject([{ pid: process.pid, self: true, verified: true }]);
      lock.releaseSync();
    }
  });

  test('of a directory, without a record', async () => {
    const folder = testFolder();
    expect(await inspect(folder)).toMatchObject({ state: 'free', record: null });
    const lock = FileLock.acquireSync(folder);
    expect(await inspect(folder)).toMatchObject({
      state: 'held',
      holders: [{ self: true, since: null, data: null }],
      record: null,
    });
    lock.releaseSync();
  });

  needs('root', 'unshare')('unknown: in a pid namespace that does not see the holder', async () => {
    const path = lockPath();
    const folder = dirname(path);
    const at = (name: string): string => join(folder, name);
    const peer = await Peer.start();
    const { token } = await peer.acquire('a', at('stale.lock'));
    await peer.kill();
    using _held = FileLock.acquireSync(at('held.lock'), { data: { port: 80 } });
    using _shared = FileLock.acquireSync(at('shared.lock'), { mode: 'shared' });
    writeFileSync(at('free.lock'), '');
    const { reports, stderr } = await runScript(
      path,
      `
      for (const name of args) {
        const file = path.replace('test', name);
        report([await inspect(file), await inspect(file, { probe: true })]);
      }
      report(await outcome(() => FileLock.acquire(path.replace('test', 'held'), { timeout: 0 })));
      const lock = FileLock.acquireSync(path);
      report(await inspect(path));
      `,
      {
        wrap: ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'],
        args: ['held', 'shared', 'free', 'stale', 'missing'],
      },
    );
    expect(stderr).toBe('');
    const [held, shared, free, stale, missing, refusal, own] = reports;
    const holder = {
      // Which means another process to those inside, or none.
      pid: null,
      self: false,
      source: 'record',
      verified: false,
      inOtherContainer: true,
      hostname: hostname(),
      data: { port: 80 },
    };
    expect(held).toMatchObject([
      { state: 'unknown', mode: null, holders: [holder], record: { running: null } },
      { state: 'held', mode: 'exclusive', holders: [holder] },
    ]);
    expect(shared).toMatchObject([
      { state: 'unknown', mode: null, holders: [] },
      { state: 'held', mode: 'shared', holders: [] },
    ]);
    expect(free).toMatchObject([
      { state: 'unknown', holders: [], record: null },
      { state: 'free', holders: [], record: null },
    ]);
    expect(stale).toMatchObject([
      { state: 'unknown', record: { token } },
      { state: 'stale', record: { token } },
    ]);
    expect(missing).toMatchObject([{ state: 'missing' }, { state: 'missing' }]);
    expect(refusal).toMatchObject({ code: 'ERR_LOCK_HELD', holder });
    expect(own).toMatchObject({ state: 'held', holders: [{ self: true, source: 'kernel' }] });
  });
});

describe('inspect', () => {
  needs('strace')('takes no lock unless asked to probe', async () => {
    const path = lockPath();
    const log = `${path}.log`;
    writeFileSync(path, '');
    for (const [options, flocks] of [
      ['{}', 0],
      ['{ probe: true }', 3],
    ] as const) {
      const wrap = ['strace', '-f', '-qq', '-o', log, '-P', path, '-e', 'trace=flock'];
      await runScript(path, `await inspect(path, ${options});`, { wrap });
      const calls = readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line.includes('flock('));
      expect(calls.length).toBeGreaterThanOrEqual(flocks === 0 ? 0 : 2);
      expect(calls.length).toBeLessThanOrEqual(flocks);
    }
  });

  test('does not change the file', async () => {
    const path = lockPath();
    FileLock.acquireSync(path).releaseSync();
    const before = statSync(path, { bigint: true });
    await inspect(path);
    await inspect(path, { probe: true });
    const { mtimeNs, ctimeNs, ino } = statSync(path, { bigint: true });
    expect({ mtimeNs, ctimeNs, ino }).toEqual({
      mtimeNs: before.mtimeNs,
      ctimeNs: before.ctimeNs,
      ino: before.ino,
    });
  });

  test('lists waiters in the order in which they came, and several shared holders', async () => {
    const path = lockPath();
    const peers = await Promise.all([Peer.start(), Peer.start(), Peer.start(), Peer.start()]);
    const [first, second, third, fourth] = peers as [Peer, Peer, Peer, Peer];
    await first.acquire('a', path, { mode: 'shared', data: { port: 80 } });
    await second.acquire('a', path, { mode: 'shared' });
    const waiters = async (): Promise<number> => new Set((await inspect(path)).waiters).size;
    await third.waitFor('a', path);
    await until(async () => (await waiters()) === 1);
    await fourth.waitFor('a', path);
    await until(async () => (await waiters()) === 2);
    const status = await inspect(path);
    expect(status).toMatchObject({ state: 'held', mode: 'shared', record: null });
    expect(status.waiters).toEqual([third.pid, fourth.pid]);
    const pids = status.holders.map(({ pid }) => pid).sort();
    expect(pids).toEqual([first.pid, second.pid].sort());
    for (const holder of status.holders) {
      expect(holder).toMatchObject({ verified: true, since: null, data: null });
    }
  });

  test('is not shaken by a record of any depth', async () => {
    const path = lockPath();
    const { pid, ...identity } = ownIdentity();
    const deep = '['.repeat(30_000) + ']'.repeat(30_000);
    const since = new Date().toISOString();
    const own = JSON.stringify({ ...identity, token: 5 });
    writeFileSync(path, `{"pid":${pid},"startedAt":"${since}","a":${deep},"holdfast":${own}}\n`);
    const nobody = { state: 'free', record: null };
    expect(await inspect(path)).toMatchObject(nobody);
    const watch = watchLock(path);
    expect((await watch.next()).value).toMatchObject(nobody);
    await watch.return();
  });
});
