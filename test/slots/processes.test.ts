import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Slot, Slots } from '../../src/slots.js';
import { until } from '../support/census.js';
import { testFolder } from '../support/folder.js';
import { limit } from '../support/limit.js';
import { Idle } from '../support/processes.js';
import { inTwoSizes } from '../support/sizes.js';
import { inQueue, SlotsPeer, waitsForSlots } from '../support/slots-peer.js';
import { needs } from '../support/tools.js';

describe('processes', () => {
  test('hand over: a release, and a kill, let the first of the queue in', async () => {
    const folder = testFolder();
    const [one, two, three, four] = (await SlotsPeer.startMany(4)) as [
      SlotsPeer,
      SlotsPeer,
      SlotsPeer,
      SlotsPeer,
    ];
    await one.acquire('a', folder, 2);
    await two.acquire('a', folder, 2);
    const { granted } = await three.becomesFirst('a', folder, 2);
    const { granted: next } = await four.queues('a', folder, 2);
    await two.release('a');
    expect(await granted).toMatchObject({ number: 2, previous: null });
    await until(() => waitsForSlots(folder, 2));
    await one.kill();
    expect(await next).toMatchObject({ number: 1, previous: { pid: one.pid } });
  });

  test('go on where the first of the queue is killed', async () => {
    const folder = testFolder();
    const [holder, first, second] = (await SlotsPeer.startMany(3)) as [
      SlotsPeer,
      SlotsPeer,
      SlotsPeer,
    ];
    await holder.acquire('a', folder, 1);
    await first.becomesFirst('a', folder, 1);
    const { granted } = await second.queues('a', folder, 1);
    await first.kill();
    await until(() => inQueue(folder) === 0);
    await holder.release('a');
    expect(await granted).toMatchObject({ number: 1 });
  });

  test('pass a first of the queue that is stopped', async () => {
    const folder = testFolder();
    const slots = new Slots(folder, { slots: 2 });
    const taken = [await slots.acquire(), await slots.acquire()] as [Slot, Slot];
    const [first, second] = (await SlotsPeer.startMany(2)) as [SlotsPeer, SlotsPeer];
    await first.becomesFirst('a', folder, 2);
    const { granted } = await second.queues('a', folder, 2);
    await first.stop();
    const began = performance.now();
    taken[0].releaseSync();
    expect(await granted).toMatchObject({ number: 1 });
    // It looks once a second.
    expect(performance.now() - began).toBeLessThan(limit(2500));
    taken[1].releaseSync();
  });

  test('that believe in a smaller number hold up nobody, and enter only up to it', async () => {
    const folder = testFolder();
    const [first, second] = (await SlotsPeer.startMany(2)) as [SlotsPeer, SlotsPeer];
    const slots = new Slots(folder, { slots: 3 });
    const taken = [await slots.acquire(), await slots.acquire(), await slots.acquire()];
    const { granted: small } = await first.becomesFirst('a', folder, 1);
    const { granted: large } = await second.queues('a', folder, 3);
    taken[2]?.releaseSync();
    expect(await large).toMatchObject({ number: 3 });
    // Nobody was put out.
    expect(taken[1]?.isCurrent()).toBe(true);
    taken[1]?.releaseSync();
    expect(await second.tryAcquire('b', folder, 1)).toBeNull();
    taken[0]?.releaseSync();
    expect(await small).toMatchObject({ number: 1 });
  });

  test('share a slot with a child that has its descriptor', async () => {
    const folder = testFolder();
    const slots = new Slots(folder, { slots: 1 });
    const slot = await slots.acquire();
    const child = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', slot.fd] });
    await once(child, 'spawn');
    slot.detach();
    expect(slot.held).toBe(false);
    expect(slots.tryAcquire()).toBeNull();
    const pending = slots.acquire();
    child.kill('SIGKILL');
    await using next = await pending;
    expect(next.number).toBe(1);
  });

  test('end a worker that holds a slot, and the slot is free', async () => {
    const folder = testFolder();
    const worker = await SlotsPeer.start({ thread: true });
    await worker.acquire('a', folder, 1);
    const pending = new Slots(folder, { slots: 1 }).acquire();
    await until(() => existsSync(join(folder, 'queue.lock')) && waitsForSlots(folder, 1));
    await worker.end();
    await using slot = await pending;
    expect(slot.number).toBe(1);
  });

  needs('flock')('that use flock(1) on the file of a slot take it', async () => {
    const folder = testFolder();
    (await new Slots(folder, { slots: 1 }).acquire()).releaseSync();
    const script = 'exec 9<"$0"; flock 9 && echo held && sleep 60';
    const holder = await Idle.start('sh', ['-c', script, join(folder, '1.lock')], {});
    expect(await holder.line()).toBe('held');
    expect(new Slots(folder, { slots: 1 }).tryAcquire()).toBeNull();
    await holder.kill();
  });
});

inTwoSizes(
  (rounds) => `four tries on four free slots: each gets one, ${rounds} times`,
  { short: 40, long: 2000 },
  async (rounds) => {
    const folder = testFolder();
    const peers = await SlotsPeer.startMany(4);
    for (let round = 0; round < rounds; round++) {
      const got = await Promise.all(peers.map((peer) => peer.tryAcquire('a', folder, 4)));
      expect(got.map((slot) => slot?.number).sort()).toEqual([1, 2, 3, 4]);
      await Promise.all(peers.map((peer) => peer.release('a')));
    }
  },
);
