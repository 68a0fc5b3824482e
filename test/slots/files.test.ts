import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type Slot, Slots } from '../../src/slots.js';
import { descriptorsTo, until } from '../support/census.js';
import { testFolder } from '../support/folder.js';
import { errorOf } from '../support/refused.js';
import { runScript } from '../support/script.js';
import { inQueue, SlotsPeer, waitsForSlots } from '../support/slots-peer.js';
import { NOBODY, needs } from '../support/tools.js';

const SLOTS_DOOR = new URL('../../dist/slots.js', import.meta.url).href;

describe('the folder', () => {
  test('is created, and named by a string, bytes or a URL', async () => {
    const folder = join(testFolder(), 'a', 'b');
    for (const path of [folder, Buffer.from(folder), pathToFileURL(folder)]) {
      await using slot = await new Slots(path, { slots: 2 }).acquire();
      expect(slot.path).toBe(join(folder, '1.lock'));
    }
    expect(readdirSync(folder)).toEqual(['1.lock']);
    expect(statSync(join(folder, '1.lock')).mode & 0o777).toBe(0o600);
  });

  test('may have a name that is not UTF-8', async () => {
    const folder = Buffer.concat([Buffer.from(`${testFolder()}/s`), Buffer.from([0xff])]);
    const slots = new Slots(folder, { slots: 1 });
    await using slot = await slots.acquire();
    expect(readdirSync(folder)).toEqual(['1.lock']);
    expect(await errorOf(() => slots.acquire({ timeout: 10 }))).toMatchObject({
      code: 'ERR_LOCK_TIMEOUT',
      holder: { self: true },
    });
    expect(await slots.inspect()).toMatchObject({ taken: 1, slots: [{ state: 'held' }] });
    expect(slot.isCurrent()).toBe(true);
  });

  test('that is a file is ENOTDIR', async () => {
    const file = join(testFolder(), 'file');
    writeFileSync(file, 'text');
    const slots = new Slots(file, { slots: 2 });
    for (const call of [() => slots.acquire(), () => slots.tryAcquire(), () => slots.inspect()]) {
      expect(await errorOf(call)).toMatchObject({ code: 'ENOTDIR' });
    }
    expect(readFileSync(file, 'utf8')).toBe('text');
  });

  needs('root')('that cannot be written to is EACCES, also in the middle of a wait', async () => {
    const folder = testFolder();
    chmodSync(folder, 0o755);
    const shared = new Slots(folder, { slots: 1, permissions: 0o666 });
    const slot = await shared.acquire();
    chmodSync(slot.path, 0o666);
    const source = `
      const { Slots } = await import(${JSON.stringify(SLOTS_DOOR)});
      const open = descriptors();
      for (const [slots, timeout] of [[1, 0], [2, 0], [1, 1000]]) {
        report(await outcome(() => new Slots(path, { slots }).acquire({ timeout })));
      }
      report(descriptors() - open);
    `;
    const { reports } = await runScript(folder, source, NOBODY);
    expect(reports).toMatchObject([
      { code: 'ERR_LOCK_HELD' },
      { code: 'EACCES', syscall: 'open', path: join(folder, '2.lock') },
      // There is no queue yet, and none can be made.
      { code: 'EACCES', syscall: 'open', path: join(folder, 'queue.lock') },
      0,
    ]);
    slot.releaseSync();
  });
});

describe('files of others', () => {
  test('with content of their own are locked and not touched', async () => {
    const folder = testFolder();
    const texts = { '1.lock': '# yarn lockfile v1\n', 'queue.lock': 'notes', '17.lock': 'x' };
    for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, name), text);
    const slots = new Slots(folder, { slots: 1 });
    const slot = await slots.acquire({ data: { job: 'x' } });
    const pending = slots.acquire({ timeout: 5000 });
    await until(() => waitsForSlots(folder, 1));
    slot.releaseSync();
    (await pending).releaseSync();
    for (const [name, text] of Object.entries(texts)) {
      expect(readFileSync(join(folder, name), 'utf8')).toBe(text);
    }
  });

  test('that are links are not followed', async () => {
    const folder = testFolder();
    symlinkSync('elsewhere', join(folder, '1.lock'));
    expect(await errorOf(() => new Slots(folder, { slots: 1 }).acquire())).toMatchObject({
      code: 'ELOOP',
    });
    expect(existsSync(join(folder, 'elsewhere'))).toBe(false);
  });
});

describe('files that are removed or replaced during a wait: ', () => {
  async function full(count: number): Promise<{ folder: string; taken: Slot[]; slots: Slots }> {
    const folder = testFolder();
    const slots = new Slots(folder, { slots: count });
    const taken: Slot[] = [];
    while (taken.length < count) taken.push(await slots.acquire());
    return { folder, taken, slots };
  }

  test('that of a slot, which is then free', async () => {
    const { folder, slots, taken } = await full(2);
    const pending = slots.acquire();
    await until(() => waitsForSlots(folder, 2));
    rmSync(join(folder, '2.lock'));
    await using slot = await pending;
    expect({ number: slot.number, current: slot.isCurrent() }).toEqual({
      number: 2,
      current: true,
    });
    for (const each of taken) each.releaseSync();
  });

  test('that of the queue, whose first goes on waiting', async () => {
    const { folder, slots, taken } = await full(1);
    const [first, second] = (await SlotsPeer.startMany(2)) as [SlotsPeer, SlotsPeer];
    const { granted } = await first.becomesFirst('a', folder, 1);
    const { granted: later } = await second.queues('a', folder, 1);
    writeFileSync(join(folder, 'new'), '');
    renameSync(join(folder, 'new'), join(folder, 'queue.lock'));
    // It has noticed: it is the first of the new queue.
    await until(() => inQueue(folder) === 0);
    taken[0]?.releaseSync();
    const winner = await Promise.race([granted.then(() => first), later.then(() => second)]);
    await winner.release('a');
    await Promise.all([granted, later]);
    expect(slots.tryAcquire()).toBeNull();
  });

  test('the whole folder', async () => {
    const { folder, slots, taken } = await full(1);
    const pending = slots.acquire();
    await until(() => waitsForSlots(folder, 1));
    rmSync(folder, { recursive: true });
    await using slot = await pending;
    expect(slot.isCurrent()).toBe(true);
    expect(taken[0]?.isCurrent()).toBe(false);
    taken[0]?.releaseSync();
    await until(() => descriptorsTo(`${folder}/queue.lock`) === 0);
  });
});
