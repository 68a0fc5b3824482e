import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inspect } from '../../src/index.js';
import { Slots } from '../../src/slots.js';
import { testFolder } from '../support/folder.js';
import { SlotsPeer } from '../support/slots-peer.js';

test('a folder that does not exist has slots that were never taken', async () => {
  const path = join(testFolder(), 'none');
  expect(await new Slots(path, { slots: 2 }).inspect()).toEqual({
    path,
    slots: [1, 2].map((number) => ({
      number,
      path: join(path, `${number}.lock`),
      state: 'missing',
      mode: null,
      holders: [],
      waiters: [],
      record: null,
      otherLocks: [],
    })),
    taken: 0,
    waiters: [],
  });
});

test('who has which slot, and each waiter once, in their order', async () => {
  const folder = testFolder();
  const [holder, dead, first, second, third] = (await SlotsPeer.startMany(5)) as [
    SlotsPeer,
    SlotsPeer,
    SlotsPeer,
    SlotsPeer,
    SlotsPeer,
  ];
  await holder.acquire('a', folder, 3, { data: { job: 'lint' } });
  await dead.acquire('a', folder, 3);
  await holder.acquire('b', folder, 3);
  await dead.kill();
  const slots = new Slots(folder, { slots: 4 });
  expect(await slots.inspect()).toMatchObject({
    taken: 2,
    waiters: [],
    slots: [
      { number: 1, state: 'held', holders: [{ pid: holder.pid, data: { job: 'lint' } }] },
      { number: 2, state: 'stale', holders: [], record: { pid: dead.pid } },
      { number: 3, state: 'held', holders: [{ pid: holder.pid }] },
      { number: 4, state: 'missing' },
    ],
  });
  await holder.acquire('c', folder, 3);
  await first.becomesFirst('a', folder, 3);
  await second.queues('a', folder, 3);
  await third.queues('a', folder, 3);
  // The kernel has the first in the list of each slot.
  expect(await inspect(join(folder, '1.lock'))).toMatchObject({ waiters: [first.pid] });
  const status = await slots.inspect();
  expect(status).toMatchObject({ taken: 3, waiters: [first.pid, second.pid, third.pid] });
  expect(status.slots.map(({ waiters }) => waiters)).toEqual([[], [], [], []]);
});
