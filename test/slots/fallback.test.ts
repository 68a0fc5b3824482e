import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { errnoOf } from '../../src/base/errno.js';
import { pathText } from '../../src/base/paths.js';
import { FileLock } from '../../src/index.js';
import type { Request } from '../../src/lock/options.js';
import { IS_REMOTE, type NativeBinding } from '../../src/native/binding.js';
import { enter, tryEnter } from '../../src/slots/enter.js';
import {
  checkCall,
  checkGround,
  type SlotCall,
  type SlotOptions,
} from '../../src/slots/options.js';
import { type Slot, Slots } from '../../src/slots.js';
import { descriptorsTo, until } from '../support/census.js';
import { testFolder } from '../support/folder.js';
import { errorOf } from '../support/refused.js';
import { runScript } from '../support/script.js';
import { waitsForSlots } from '../support/slots-peer.js';
import { needs } from '../support/tools.js';
import { requestWith } from '../support/wrapped-binding.js';

const SLOTS = 3;
const DOOR = new URL('../../dist/slots.js', import.meta.url).href;

beforeAll(async () => {
  // The addon takes one callback for all waits of a thread: that of the first,
  // which must not be one of those below.
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-'));
  const path = join(folder, 'a.lock');
  const held = FileLock.acquireSync(path);
  await errorOf(() => FileLock.acquire(path, { timeout: 1 }));
  held.releaseSync();
  rmSync(folder, { recursive: true });
});

/** A call some of whose system calls are answered by `replace` instead. */
function callWith(
  folder: string,
  options: SlotOptions,
  replace: (native: NativeBinding) => Partial<NativeBinding>,
): SlotCall {
  const call = checkCall(checkGround(folder, { slots: SLOTS }), options);
  const wrap = (request: Request): Request => ({
    ...request,
    native: requestWith(pathText(request.path), {}, replace).native,
  });
  return { ...call, requests: call.requests.map(wrap), queue: wrap(call.queue) };
}

describe.each<[string, (native: NativeBinding) => Partial<NativeBinding>]>([
  ['no threads', () => ({ startWaiting: () => errnoOf('EAGAIN') })],
  // As on a network file system, where even an attempt is made on a thread.
  ['a remote file system', (native) => ({ traits: (id) => native.traits(id) | IS_REMOTE })],
  [
    'a remote file system, and no threads',
    (native) => ({
      traits: (id) => native.traits(id) | IS_REMOTE,
      startWaiting: () => errnoOf('EAGAIN'),
    }),
  ],
])('with %s', (_, replace) => {
  test('a free slot is taken, and a full folder refuses', async () => {
    const folder = testFolder();
    const call = callWith(folder, { timeout: 0 }, replace);
    const taken = [await enter(call), await enter(call), await enter(call)];
    expect(taken.map(({ number }) => number)).toEqual([1, 2, 3]);
    expect(await errorOf(() => enter(call))).toMatchObject({ code: 'ERR_LOCK_HELD' });
    expect(tryEnter(call)).toBeNull();
    for (const { lock } of taken) lock.releaseSync();
    await until(() => descriptorsTo(folder) === 0);
  });

  test('a wait is granted, or ends at its deadline or by an abort', async () => {
    const folder = testFolder();
    const slots = new Slots(folder, { slots: SLOTS });
    const taken = [1, 2, 3].map(() => slots.tryAcquire() as Slot);
    const late = callWith(folder, { timeout: 60 }, replace);
    expect(await errorOf(() => enter(late))).toMatchObject({ code: 'ERR_LOCK_TIMEOUT' });
    const controller = new AbortController();
    const { signal } = controller;
    const aborted = errorOf(() => enter(callWith(folder, { signal }, replace)));
    controller.abort('enough');
    expect(await aborted).toBe('enough');
    const pending = enter(callWith(folder, {}, replace));
    taken[1]?.releaseSync();
    const { number, lock } = await pending;
    expect(number).toBe(2);
    lock.releaseSync();
    for (const slot of taken) slot.releaseSync();
    await until(() => descriptorsTo(folder) === 0);
  });
});

test('a caller is granted its slot only once its other waits have ended', async () => {
  const folder = testFolder();
  const slots = new Slots(folder, { slots: SLOTS });
  const taken = [1, 2, 3].map(() => slots.tryAcquire() as Slot);
  // Threads that do not end when they are cancelled: each is waited for, for 20 ms.
  const ends: (() => void)[] = [];
  const pending = enter(
    callWith(folder, {}, (native) => ({
      cancelWaiting: (id) => ends.push(() => native.cancelWaiting(id)) > 0,
    })),
  );
  await until(() => waitsForSlots(folder, SLOTS));
  const released = performance.now();
  taken[0]?.releaseSync();
  const { number, lock } = await pending;
  expect(performance.now() - released).toBeGreaterThan(15);
  expect({ number, cancelled: ends.length }).toEqual({ number: 1, cancelled: SLOTS - 1 });
  for (const end of ends) end();
  for (const each of [lock, ...taken]) each.releaseSync();
  await until(() => descriptorsTo(folder) === 0);
});

needs('prlimit')('without enough descriptors for all slots a wait is EMFILE', async () => {
  const folder = testFolder();
  const slots = new Slots(folder, { slots: 64 });
  const taken = Array.from({ length: 64 }, () => slots.tryAcquire() as Slot);
  const source = `
    const { Slots } = await import(${JSON.stringify(DOOR)});
    const slots = new Slots(path, { slots: 64 });
    await outcome(() => slots.acquire({ timeout: 0 }));
    const before = descriptors();
    report(await outcome(() => slots.acquire({ timeout: 5000 })));
    // A thread that is not scheduled within 20 ms closes its descriptor later.
    const end = performance.now() + 5000;
    while (descriptors() > before && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    report(descriptors() - before);
  `;
  const wrap = ['prlimit', '--nofile=50:50'];
  const { reports } = await runScript(folder, source, { wrap });
  expect(reports).toMatchObject([{ code: 'EMFILE', path: expect.stringContaining('.lock') }, 0]);
  for (const slot of taken) slot.releaseSync();
  expect(await slots.inspect()).toMatchObject({ taken: 0, waiters: [] });
  expect(taken[63]?.path).toBe(join(folder, '64.lock'));
});
