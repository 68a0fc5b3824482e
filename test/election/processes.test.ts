import { fork } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Election } from '../../src/election.js';
import { until } from '../support/census.js';
import { inParallel } from '../support/claims-kill.js';
import { ElectionPeer } from '../support/election-peer.js';
import { testFolder } from '../support/folder.js';
import { flockThreads, queueOf, seatOf } from '../support/kernel.js';
import { within } from '../support/remote.js';
import { runScript } from '../support/script.js';

const ELECTION = new URL('../../dist/election.js', import.meta.url).href;
const REGISTRY = fileURLToPath(new URL('../support/election-registry.mjs', import.meta.url));

/** Peers that stand in the queue in their order, the first one primary. */
async function queueUp(
  directory: string,
  count: number,
): Promise<{ peers: ElectionPeer[]; term: number }> {
  const peers = await ElectionPeer.startMany(count);
  const [first, ...others] = peers as [ElectionPeer, ...ElectionPeer[]];
  const term = await first.lead('m', directory, { id: 'm0' });
  for (const [at, peer] of others.entries()) {
    await peer.standBy('m', directory, { id: `m${at + 1}` });
  }
  return { peers, term };
}

async function primariesOf(peers: ElectionPeer[]): Promise<boolean[]> {
  return Promise.all(peers.map(async (each) => (await each.describe('m')).isPrimary));
}

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

  test('terms grow strictly over twenty kills, each with its own processes', async () => {
    const directory = testFolder();
    const terms: number[] = [];
    let primary = await ElectionPeer.start();
    terms.push(await primary.lead('m', directory));
    for (let round = 0; round < 20; round++) {
      const next = await ElectionPeer.start();
      await next.standBy('m', directory);
      const gone = primary.kill();
      terms.push(await next.becomesPrimary('m'));
      await gone;
      primary = next;
    }
    expect(terms).toEqual([...new Set(terms)].sort((one, other) => one - other));
  });

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

  test('of sixteen that join with one id at the same moment one does, the others are refused', async () => {
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

describe('settle', () => {
  const ROUNDS = 50;

  test(`of four processes that start together the smallest id is primary, ${ROUNDS} rounds`, async () => {
    const settle = 150;
    const rounds = Array.from({ length: ROUNDS }, (_, round) => round);
    const folder = testFolder();
    await inParallel([0, 1], 2, async (half) => {
      const peers = await ElectionPeer.startMany(4);
      for (const round of rounds.filter((each) => each % 2 === half)) {
        const directory = join(folder, `${round}`);
        const name = `m${round}`;
        // The smallest id begins first, last and in between.
        const ids = ['a', 'b', 'c', 'd'].map((_, at, all) => all[(at + round) % 4] as string);
        const members = peers.map((peer, at) => ({ peer, id: ids[at] as string }));
        const start = performance.now();
        await Promise.all(
          members.map(({ peer, id }) => peer.join(name, directory, { id, settle })),
        );
        const smallest = members.find(({ id }) => id === 'a') as (typeof members)[number];
        const others = members.filter((each) => each !== smallest);
        await smallest.peer.becomesPrimary(name);
        expect(performance.now() - start).toBeLessThan(3000);
        for (const { peer } of others) {
          expect(await peer.describe(name)).toMatchObject({ term: 0 });
        }
        await Promise.all(others.map(({ peer }) => peer.call('leave', name)));
        await smallest.peer.call('leave', name);
        for (const { peer } of others) expect(peer.count('primary', name)).toBe(0);
      }
    });
  }, 60_000);

  test('does not delay whoever comes when the seat is taken: it stands in the queue at once', async () => {
    const directory = testFolder();
    const [first, second] = (await ElectionPeer.startMany(2)) as [ElectionPeer, ElectionPeer];
    await first.lead('m', directory, { id: 'a' });
    const start = performance.now();
    await second.standBy('m', directory, { id: 'b', settle: 10_000 });
    await first.kill();
    await second.becomesPrimary('m');
    expect(performance.now() - start).toBeLessThan(5000);
  });

  test('a stopped one with the smallest id is not waited for for long', async () => {
    const directory = testFolder();
    const [first, second] = (await ElectionPeer.startMany(2)) as [ElectionPeer, ElectionPeer];
    const settle = 400;
    await first.join('m', directory, { id: 'a', settle });
    await first.stop();
    const start = performance.now();
    await second.join('m', directory, { id: 'b', settle });
    await second.becomesPrimary('m');
    expect(performance.now() - start).toBeLessThan(4 * settle);
    first.continue();
    await until(() => queueOf(directory) === 1);
    expect(await first.describe('m')).toMatchObject({ isPrimary: false });
  });

  test('one that is killed while it settles is not waited for', async () => {
    const directory = testFolder();
    const [first, second] = (await ElectionPeer.startMany(2)) as [ElectionPeer, ElectionPeer];
    const settle = 300;
    await first.join('m', directory, { id: 'a', settle });
    await second.join('m', directory, { id: 'b', settle });
    await first.kill();
    await second.becomesPrimary('m');
    expect(await second.members('m')).toMatchObject([{ id: 'b', primary: true }]);
  });
});

describe('files that vanish', () => {
  for (const what of ['.primary', 'the folder'] as const) {
    test(`${what} is removed under five processes: within a second standby and error, then one primary again`, async () => {
      const directory = join(testFolder(), 'folder');
      const { peers, term } = await queueUp(directory, 5);
      const [first] = peers as [ElectionPeer];
      const start = performance.now();
      rmSync(what === '.primary' ? join(directory, '.primary') : directory, { recursive: true });
      const error = await first.event<{ code: string }>('error', 'm');
      expect(performance.now() - start).toBeLessThan(1500);
      expect(error.code).toBe('ERR_LOCK_LOST');
      expect(await first.event('standby', 'm')).toMatchObject({ isPrimary: false });
      await until(() => queueOf(directory) === 4);
      expect((await primariesOf(peers)).filter((each) => each)).toHaveLength(1);
      await until(async () => (await first.members('m')).length === 5);
      const primary = await first.call<{ id: string; pid: number }>('primary', 'm');
      const chosen = peers.find(({ pid }) => pid === primary.pid) as ElectionPeer;
      expect(await chosen.becomesPrimary('m')).toBeGreaterThan(term);
    });
  }

  test('without a listener it is a process warning', async () => {
    const directory = testFolder();
    const peer = await ElectionPeer.start();
    await peer.lead('m', directory, { deaf: true });
    rmSync(join(directory, '.primary'));
    expect(await peer.event('warning', 'HOLDFAST_ELECTION')).toContain('.primary');
    await peer.becomesPrimary('m');
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

test('1,000 members in one folder, of eight processes, join, follow each other and leave in bounded time', async () => {
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
  expect(performance.now() - joined).toBeLessThan(15_000);
}, 60_000);

describe('the registry in one shared file, and an election, on the same schedule', () => {
  interface Instance {
    id: string;
    ask<R = unknown>(step: string, value?: unknown): Promise<R>;
  }

  async function instance(directory: string, id: string, way: string): Promise<Instance> {
    const child = fork(REGISTRY, [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    const answers = new Map<string, (value: unknown) => void>();
    const expectAnswer = <R>(step: string): Promise<R> =>
      within(
        new Promise<R>((resolve) => answers.set(step, resolve as (value: unknown) => void)),
        () => `${id}: no answer to ${step}`,
      );
    child.on('message', ({ step, value }: { step: string; value: unknown }) =>
      answers.get(step)?.(value),
    );
    await expectAnswer('ready');
    const ask = <R>(step: string, value?: unknown): Promise<R> => {
      const answer = expectAnswer<R>(step);
      child.send({ step, value });
      return answer;
    };
    await ask('begin', { directory, id, way });
    return { id, ask };
  }

  test('in the file the last writer wins: four are primary, and three of them are not in it', async () => {
    const directory = testFolder();
    const all = await Promise.all(
      ['a', 'b', 'c', 'd'].map((id) => instance(directory, id, 'shared')),
    );
    const seen = await Promise.all(all.map((each) => each.ask<string[]>('read')));
    expect(seen).toEqual([[], [], [], []]);
    const primaries: boolean[] = [];
    for (const each of all) primaries.push(await each.ask<boolean>('write'));
    expect(primaries).toEqual([true, true, true, true]);
    expect(await all[0]?.ask('look')).toEqual(['d']);
  });

  test('in the election one is primary, the smallest id, and all are members', async () => {
    const directory = testFolder();
    const all = await Promise.all(
      ['a', 'b', 'c', 'd'].map((id) => instance(directory, id, 'election')),
    );
    // The barrier: nobody goes on before everybody has read.
    await Promise.all(all.map((each) => each.ask('read')));
    await Promise.all(all.map((each) => each.ask('write')));
    const states = (): Promise<boolean[]> =>
      Promise.all(all.map((each) => each.ask<boolean>('isPrimary')));
    await until(async () => (await states()).includes(true));
    expect(await states()).toEqual([true, false, false, false]);
    for (const each of all) expect(await each.ask('look')).toEqual(['a', 'b', 'c', 'd']);
    await until(() => queueOf(directory) === 3);
    expect(await states()).toEqual([true, false, false, false]);
    await all[0]?.ask('leave');
    await until(async () => (await states()).includes(true));
    expect((await states()).filter((each) => each)).toHaveLength(1);
  });
});
