import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Election } from '../../src/election.js';
import { until } from '../support/census.js';
import { ELECTION } from '../support/election-member.js';
import { ElectionPeer } from '../support/election-peer.js';
import { primariesOf, queueUp } from '../support/election-queue.js';
import { testFolder } from '../support/folder.js';
import { flockThreads, queueOf, seatOf } from '../support/kernel.js';
import { limit } from '../support/limit.js';
import { within } from '../support/remote.js';
import { runScript } from '../support/script.js';
import { inTwoSizes } from '../support/sizes.js';

describe('failover', () => {
  const ways: [string, (peer: ElectionPeer) => unknown][] = [
    ['leaves', (peer) => peer.call('leave', 'm')],
    ['calls process.exit', (peer) => peer.call('exit', 0)],
    ['is killed', (peer) => peer.kill('SIGKILL')],
    ['is terminated', (peer) => peer.kill('SIGTERM')],
    ['crashes with an exception', (peer) => peer.call('crash')],
    ['crashes with SIGABRT', (peer) => peer.call('abort')],
  ];
  test.each(ways)(
    'when the primary %s, the next in the queue is primary, with a larger term',
    async (_, end) => {
      const directory = testFolder();
      const { peers, term } = await queueUp(directory, 3);
      const [first, second, third] = peers as [ElectionPeer, ElectionPeer, ElectionPeer];
      Promise.resolve(end(first)).catch(() => {});
      const next = await second.becomesPrimary('m');
      expect(next).toBeGreaterThan(term);
      expect(await third.describe('m')).toMatchObject({ isPrimary: false, term: 0 });
      expect(await third.call('primary', 'm')).toMatchObject({ id: 'm1', pid: second.pid });
      await until(async () => (await third.members('m')).length === 2);
      await until(() => !existsSync(join(directory, 'm0.lock')));
      await second.call('leave', 'm');
      expect(await third.becomesPrimary('m')).toBeGreaterThan(next);
    },
  );

  inTwoSizes(
    (kills) => `terms grow strictly over ${kills} kills, each with its own processes`,
    { short: 3, long: 20 },
    async (kills) => {
      const directory = testFolder();
      const terms: number[] = [];
      let primary = await ElectionPeer.start();
      terms.push(await primary.lead('m', directory));
      for (let round = 0; round < kills; round++) {
        const next = await ElectionPeer.start();
        await next.standBy('m', directory);
        const gone = primary.kill();
        terms.push(await next.becomesPrimary('m'));
        await gone;
        primary = next;
      }
      expect(terms).toEqual([...new Set(terms)].sort((one, other) => one - other));
    },
  );

  test('a stopped standby does not block the queue, and goes on afterwards', async () => {
    const directory = testFolder();
    const { peers } = await queueUp(directory, 3);
    const [first, second, third] = peers as [ElectionPeer, ElectionPeer, ElectionPeer];
    await second.stop();
    await first.kill();
    await third.becomesPrimary('m');
    expect(seatOf(directory)).toEqual({ pid: third.pid, waiting: 0 });
    expect(await third.members('m')).toMatchObject([{ id: 'm1' }, { id: 'm2', primary: true }]);
    second.continue();
    await until(() => queueOf(directory) === 1);
    expect(await second.describe('m')).toMatchObject({ isPrimary: false, term: 0 });
    await third.kill();
    await second.becomesPrimary('m');
  });

  test('a stopped primary is still primary, and goes on afterwards', async () => {
    const directory = testFolder();
    const { peers, term } = await queueUp(directory, 2);
    const [first, second] = peers as [ElectionPeer, ElectionPeer];
    await first.stop();
    // As long as a stale heartbeat would take with some: it looks for itself.
    const looks = performance.now() + 1500;
    await until(async () => {
      const primary = await second.call('primary', 'm');
      expect(primary).toMatchObject({ id: 'm0', pid: first.pid });
      return performance.now() > looks;
    });
    expect(await second.describe('m')).toMatchObject({ isPrimary: false, term: 0 });
    first.continue();
    expect(await first.describe('m')).toMatchObject({ isPrimary: true, term });
    expect(first.count('standby')).toBe(0);
    await first.call('leave', 'm');
    expect(await second.becomesPrimary('m')).toBeGreaterThan(term);
  });

  test('one death wakes one waiting thread of twelve, as the scheduler counts', async () => {
    const directory = testFolder();
    const { peers } = await queueUp(directory, 13);
    const [first, ...others] = peers as [ElectionPeer, ...ElectionPeer[]];
    for (const waiter of others) await until(() => flockThreads(waiter.pid).length === 1);
    const before = others.map(({ pid }) => flockThreads(pid)[0]);
    await first.kill();
    await (others[0] as ElectionPeer).becomesPrimary('m');
    // Each has answered, so whoever was woken has run since.
    await primariesOf(others);
    const after = others.map(({ pid }) => flockThreads(pid)[0]);
    const woken = before.filter((each, at) => {
      const now = after[at];
      return now?.tid !== each?.tid || now?.switches !== each?.switches;
    });
    expect(woken).toEqual([before[0]]);
    expect(queueOf(directory)).toBe(11);
  });
});

describe('worker threads', () => {
  test('exclude each other and the main thread, and when the primary is terminated the next is primary', async () => {
    const directory = testFolder();
    const [first, second] = (await ElectionPeer.startMany(2, { thread: true })) as [
      ElectionPeer,
      ElectionPeer,
    ];
    const term = await first.lead('m', directory, { id: 'a' });
    await second.standBy('m', directory, { id: 'b' });
    await using own = await Election.join(directory, { id: 'c' });
    await until(() => queueOf(directory) === 2);
    expect((await own.members()).map((each) => [each.id, each.self, each.primary])).toEqual([
      ['a', true, true],
      ['b', true, false],
      ['c', true, false],
    ]);
    await first.worker?.terminate();
    const next = await second.becomesPrimary('m');
    expect(next).toBeGreaterThan(term);
    await until(async () => (await own.members()).length === 2);
    expect(own.isPrimary).toBe(false);
    await second.worker?.terminate();
    await within(own.whenPrimary(), () => 'the main thread is not primary');
    expect(own.term).toBeGreaterThan(next);
    await until(() => readdirSync(directory).length === 2);
    expect(readdirSync(directory).sort()).toEqual(['.primary', 'c.lock']);
  });

  test('a standby that is terminated leaves the queue', async () => {
    const directory = testFolder();
    const [first, second, third] = (await ElectionPeer.startMany(3, { thread: true })) as [
      ElectionPeer,
      ElectionPeer,
      ElectionPeer,
    ];
    await first.lead('m', directory, { id: 'a' });
    await second.standBy('m', directory, { id: 'b' });
    await third.standBy('m', directory, { id: 'c' });
    await second.worker?.terminate();
    await until(() => queueOf(directory) === 1);
    await first.worker?.terminate();
    await third.becomesPrimary('m');
    expect(await third.members('m')).toMatchObject([{ id: 'c', primary: true }]);
  });
});

describe('ids', () => {
  test('one that lives in another process is held, and its pid is named', async () => {
    const directory = testFolder();
    const [first, second] = (await ElectionPeer.startMany(2)) as [ElectionPeer, ElectionPeer];
    await first.lead('m', directory, { id: 'one' });
    await expect(second.join('m', directory, { id: 'one' })).rejects.toMatchObject({
      code: 'ERR_LOCK_HELD',
      holder: { pid: first.pid },
    });
    await first.stop();
    await expect(second.join('m', directory, { id: 'one' })).rejects.toMatchObject({
      code: 'ERR_LOCK_HELD',
      holder: { pid: first.pid },
    });
    await first.kill();
    expect(existsSync(join(directory, 'one.lock'))).toBe(true);
    await second.join('m', directory, { id: 'one' });
    await second.becomesPrimary('m');
    expect(await second.members('m')).toMatchObject([{ id: 'one', pid: second.pid }]);
  });

  test('of sixteen that join with one id at the same moment one does, the others are refused', {
    tags: ['long'],
  }, async () => {
    const peers = await ElectionPeer.startMany(4);
    for (let round = 0; round < 5; round++) {
      const directory = testFolder();
      const results = await Promise.allSettled(
        Array.from({ length: 16 }, (_, at) =>
          (peers[at % 4] as ElectionPeer).join(`${round}-${at}`, directory, { id: 'one' }),
        ),
      );
      const refused = results.filter(({ status }) => status === 'rejected');
      for (const each of refused) {
        expect(each).toMatchObject({ reason: { code: 'ERR_LOCK_HELD' } });
      }
      expect(refused).toHaveLength(15);
    }
  });
});

test('a descriptor handed down keeps the seat when the primary is killed, until the child ends', async () => {
  const directory = testFolder();
  const standby = await ElectionPeer.start();
  const source = `
    const { spawn } = await import('node:child_process');
    const { Election } = await import(${JSON.stringify(ELECTION)});
    const election = await Election.join(path, { id: 'a' });
    await election.lead(({ fd }) => {
      const child = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
      report(child.pid);
      process.kill(process.pid, 'SIGKILL');
    });
  `;
  const { reports, signal } = await runScript(directory, source);
  expect(signal).toBe('SIGKILL');
  const [child] = reports as [number];
  onTestFinished(() => {
    try {
      process.kill(child, 'SIGKILL');
    } catch {
      // It has ended, as it should.
    }
  });
  await standby.standBy('m', directory, { id: 'b' });
  expect(await standby.describe('m')).toMatchObject({ isPrimary: false });
  // The dead one is no member, and there is none to name.
  expect(await standby.members('m')).toMatchObject([{ id: 'b', primary: false }]);
  expect(await standby.call('primary', 'm')).toBeNull();
  process.kill(child, 'SIGKILL');
  await standby.becomesPrimary('m');
});

test('1,000 members in one folder, of eight processes, join, follow each other and leave in bounded time', {
  tags: ['long'],
}, async () => {
  const directory = testFolder();
  const peers = await ElectionPeer.startMany(8);
  const start = performance.now();
  const counts = await Promise.all(
    peers.map((each, at) => each.call<number>('joinMany', directory, `p${at}`, 125)),
  );
  expect(counts.reduce((sum, each) => sum + each, 0)).toBe(1000);
  await until(() => queueOf(directory) === 999);
  const joined = performance.now();
  const primaries = await Promise.all(peers.map((each) => each.call<string[]>('primaries')));
  const [primary] = primaries.flat();
  expect(primaries.flat()).toHaveLength(1);
  const members = await peers[0]?.call<{ id: string }[]>('members', 'p0-0');
  expect(members).toHaveLength(1000);
  const host = peers[primaries.findIndex((each) => each.length === 1)] as ElectionPeer;
  await host.kill();
  const rest = peers.filter((each) => each !== host);
  await until(
    async () =>
      (await Promise.all(rest.map((each) => each.call<string[]>('primaries')))).flat().length === 1,
  );
  expect(readFileSync(join(directory, '.primary'), 'utf8')).not.toContain(`"${primary}"`);
  await Promise.all(rest.map((each) => each.call('leaveMany')));
  expect(readdirSync(directory)).toEqual(['.primary']);
  expect(joined - start).toBeLessThan(15_000);
  expect(performance.now() - joined).toBeLessThan(limit(15_000));
});
