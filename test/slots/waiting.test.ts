import { getEventListeners } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Holder } from '../../src/index.js';
import { type Slot, Slots } from '../../src/slots.js';
import { descriptorsTo, IDLE_THREADS, threadCount, until } from '../support/census.js';
import { testFolder } from '../support/folder.js';
import { waitsFor } from '../support/kernel.js';
import { limit } from '../support/limit.js';
import { Program } from '../support/program.js';
import { errorOf } from '../support/refused.js';
import { inTwoSizes } from '../support/sizes.js';
import { inQueue, SlotsPeer, waitsForSlots } from '../support/slots-peer.js';

const SLOTS = 3;

/** All slots are held, by this process. */
async function full(): Promise<{ folder: string; slots: Slots; taken: Slot[] }> {
  const folder = testFolder();
  const slots = new Slots(folder, { slots: SLOTS });
  const taken: Slot[] = [];
  while (taken.length < SLOTS) taken.push(await slots.acquire());
  return { folder, slots, taken };
}

/** Nothing waits, and nothing is open but what the test holds. */
async function expectNothingLeft(folder: string, held: number): Promise<void> {
  await until(() => descriptorsTo(folder) === held);
  for (const name of readdirSync(folder)) expect(waitsFor(join(folder, name))).toBe(0);
}

describe('a wait ends', () => {
  test.each([1, 2, 3])('by a grant of slot %d, whichever is released', async (number) => {
    const { folder, slots, taken } = await full();
    const pending = slots.acquire();
    await until(() => waitsForSlots(folder, SLOTS));
    taken[number - 1]?.releaseSync();
    await using slot = await pending;
    expect(slot.number).toBe(number);
    await expectNothingLeft(folder, SLOTS);
    for (const each of taken) each.releaseSync();
  });

  test('for each in turn, and never more than are released', async () => {
    const { folder, slots, taken } = await full();
    let inside = SLOTS;
    // From then on; so far it is this test that has them.
    let most = 0;
    const workers = Array.from({ length: 20 }, async () => {
      const slot = await slots.acquire();
      most = Math.max(most, ++inside);
      await until(() => most === SLOTS);
      inside--;
      slot.releaseSync();
    });
    await until(() => waitsForSlots(folder, SLOTS));
    inside = 0;
    for (const each of taken) each.releaseSync();
    await Promise.all(workers);
    expect(most).toBe(SLOTS);
    await expectNothingLeft(folder, 0);
  });

  test.each([1, 20, 99.5, 250])('at its deadline of %d ms, never before it', async (timeout) => {
    const { folder, slots, taken } = await full();
    // One is the first of the queue, the other behind it.
    const took = await Promise.all(
      [1, 2].map(async () => {
        const began = performance.now();
        const error = await errorOf(() => slots.acquire({ timeout }));
        expect(error).toMatchObject({ code: 'ERR_LOCK_TIMEOUT', timeout });
        return performance.now() - began;
      }),
    );
    expect(Math.min(...took)).toBeGreaterThanOrEqual(timeout);
    // Loosely: the machine may be busy.
    expect(Math.max(...took)).toBeLessThan(limit(timeout + 1500));
    await expectNothingLeft(folder, SLOTS);
    for (const each of taken) each.releaseSync();
  });

  test('by an abort at each step, with the reason itself', async () => {
    const { folder, slots, taken } = await full();
    const blocker = new AbortController();
    const steps: ((signal: AbortSignal) => Promise<unknown>)[] = [
      // At once, in the first look's own turn.
      async () => {},
      // As the first of the queue.
      () => until(() => waitsForSlots(folder, SLOTS)),
      // Behind it.
      () => until(() => inQueue(folder) === 1),
    ];
    for (const [number, step] of steps.entries()) {
      const first = number === 2 ? slots.acquire({ signal: blocker.signal }) : null;
      if (first !== null) await until(() => waitsForSlots(folder, SLOTS));
      for (const reason of [new Error('enough'), 'a string', undefined]) {
        const controller = new AbortController();
        const { signal } = controller;
        const pending = errorOf(() => slots.acquire({ signal }));
        await step(signal);
        controller.abort(reason);
        expect(await pending).toBe(signal.reason);
        expect(getEventListeners(signal, 'abort')).toEqual([]);
      }
      if (first === null) continue;
      blocker.abort(null);
      expect(await errorOf(() => first)).toBeNull();
    }
    const before = AbortSignal.abort('before');
    expect(await errorOf(() => slots.acquire({ signal: before }))).toBe('before');
    for (const timeout of [0, 50]) {
      const controller = new AbortController();
      const pending = errorOf(() => slots.acquire({ timeout, signal: controller.signal }));
      controller.abort('now');
      expect(await pending).toBe('now');
    }
    await expectNothingLeft(folder, SLOTS);
    for (const each of taken) each.releaseSync();
  });

  test('by what onWait throws, or by an abort in it', async () => {
    const { folder, slots, taken } = await full();
    const error = new Error('rather not');
    const onWait = (): void => {
      throw error;
    };
    expect(await errorOf(() => slots.acquire({ onWait }))).toBe(error);
    const controller = new AbortController();
    const { signal } = controller;
    const aborting = slots.acquire({ signal, onWait: () => controller.abort(error) });
    expect(await errorOf(() => aborting)).toBe(error);
    await expectNothingLeft(folder, SLOTS);
    for (const each of taken) each.releaseSync();
  });

  test('with its worker, also as the first of the queue', async () => {
    const { folder, slots, taken } = await full();
    const worker = await SlotsPeer.start({ thread: true });
    await worker.becomesFirst('a', folder, SLOTS);
    const pending = slots.acquire();
    await until(() => inQueue(folder) === 1);
    await worker.end();
    // The next one is the first.
    await until(() => inQueue(folder) === 0 && waitsForSlots(folder, SLOTS));
    taken[1]?.releaseSync();
    await using slot = await pending;
    expect(slot.number).toBe(2);
    for (const each of taken) each.releaseSync();
  });
});

inTwoSizes(
  (rounds) => `${rounds} aborts that race with a release lose no slot`,
  { short: 40, long: 500 },
  async (rounds) => {
    const folder = testFolder();
    const slots = new Slots(folder, { slots: 2 });
    let granted = 0;
    for (let round = 0; round < rounds; round++) {
      const taken = [slots.tryAcquire(), slots.tryAcquire()] as [Slot, Slot];
      expect(taken).not.toContain(null);
      const controller = new AbortController();
      const pending = slots.acquire({ signal: controller.signal }).then(
        (slot) => {
          granted++;
          slot.releaseSync();
        },
        () => {},
      );
      if (round % 3 > 0) await until(() => waitsForSlots(folder, 2));
      // Both at once: the second grant has to be given back.
      for (const slot of taken) slot.releaseSync();
      if (round % 2 === 0) await new Promise(setImmediate);
      controller.abort();
      await pending;
      // A thread that is not scheduled within 20 ms gives back its grant later.
      await until(() => descriptorsTo(folder) === 0);
    }
    expect(granted).toBeGreaterThan(0);
  },
);

test('onWait is called once, with the holders, and only where there is a wait', async () => {
  const { slots, taken } = await full();
  const seen: Holder[][] = [];
  const onWait = (holders: Holder[]): void => {
    seen.push(holders);
  };
  expect(await errorOf(() => slots.acquire({ timeout: 0, onWait }))).toBeInstanceOf(Error);
  expect(seen).toEqual([]);
  const pending = slots.acquire({ onWait });
  await errorOf(() => slots.acquire({ timeout: 20 }));
  taken[0]?.releaseSync();
  using _slot = await pending;
  expect(seen).toHaveLength(1);
  expect(seen[0]).toMatchObject([{ self: true }, { self: true }, { self: true }]);
  taken[1]?.releaseSync();
  using _free = await slots.acquire({ onWait });
  expect(seen).toHaveLength(1);
  taken[2]?.releaseSync();
});

test('waits take a thread for each slot once, and no more for those behind the first', async () => {
  const { folder, slots, taken } = await full();
  const before = threadCount();
  const controller = new AbortController();
  const { signal } = controller;
  const waits = Array.from({ length: 10 }, () => errorOf(() => slots.acquire({ signal })));
  await until(() => waitsForSlots(folder, SLOTS) && inQueue(folder) === 9);
  // One for each slot, and for each of the nine.
  expect(threadCount()).toBeLessThanOrEqual(before + SLOTS + 9);
  controller.abort();
  await Promise.all(waits);
  await until(() => threadCount() <= before + IDLE_THREADS);
  await expectNothingLeft(folder, SLOTS);
  for (const each of taken) each.releaseSync();
});

test('waiting blocks neither the event loop nor the pool of libuv', async () => {
  const folder = testFolder();
  const source = `
    import { stat } from 'node:fs/promises';
    const { Slots } = await import(new URL('slots.js', args[1]));
    const slots = new Slots(args[0], { slots: 2 });
    const taken = [await slots.acquire(), await slots.acquire()];
    const waits = Array.from({ length: 20 }, () => slots.acquire());
    await new Promise(setImmediate);
    await stat(args[0]);
    say('stat');
    taken[0].releaseSync();
    await Promise.all(waits.map(async (wait) => (await wait).releaseSync()));
    say('all');
  `;
  const entry = new URL('../../dist/', import.meta.url).href;
  const env = { ...process.env, UV_THREADPOOL_SIZE: '1' };
  const { code, stdout, stderr } = await Program.module(source, [folder, entry], { env }).exited;
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'stat\nall\n', stderr: '' });
});
