import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { FileLock, isLockError } from '../../src/index.js';
import { type Slot, Slots, withSlot } from '../../src/slots.js';
import { descriptorsTo } from '../support/census.js';
import { testFolder } from '../support/folder.js';
import { ARGUMENT_CODES, errorOf } from '../support/refused.js';
import { SlotsPeer } from '../support/slots-peer.js';

async function takeAll(slots: Slots): Promise<Slot[]> {
  const taken: Slot[] = [];
  while (taken.length < slots.slots) taken.push(await slots.acquire());
  return taken;
}

const releaseAll = (taken: Iterable<Slot>): void => {
  for (const slot of taken) slot.releaseSync();
};

describe('a slot', () => {
  test('is the free one with the lowest number, and its file is kept', async () => {
    const folder = join(testFolder(), 'new', 'slots');
    const slots = new Slots(folder, { slots: 3 });
    const [first, second, third] = (await takeAll(slots)) as [Slot, Slot, Slot];
    expect([first, second, third].map(({ number }) => number)).toEqual([1, 2, 3]);
    expect(slots.tryAcquire()).toBeNull();
    second.releaseSync();
    second.releaseSync();
    expect({ held: second.held, fd: second.fd }).toEqual({ held: false, fd: -1 });
    const again = slots.tryAcquire() as Slot;
    expect(again.number).toBe(2);
    expect(again.token).toBeGreaterThan(second.token);
    expect(again.path).toBe(join(folder, '2.lock'));
    releaseAll([first, again, third]);
    expect(readdirSync(folder).sort()).toEqual(['1.lock', '2.lock', '3.lock']);
    expect(descriptorsTo(folder)).toBe(0);
  });

  test('carries data, which update changes', async () => {
    const folder = testFolder();
    const slots = new Slots<{ job: string; step?: number }>(folder, { slots: 2 });
    await using slot = await slots.acquire({ data: { job: 'lint' } });
    slot.update({ step: 2 });
    const record = JSON.parse(readFileSync(slot.path, 'utf8'));
    expect(record).toMatchObject({ pid: process.pid, job: 'lint', step: 2 });
    await expect(slots.acquire({ data: { pid: 1 } as object })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
    });
  });

  test('tells of a holder that was killed', async () => {
    const folder = testFolder();
    const peer = await SlotsPeer.start();
    await peer.acquire('a', folder, 2, { data: { job: 'build' } });
    await peer.kill();
    using slot = await new Slots(folder, { slots: 2 }).acquire();
    expect(slot.number).toBe(1);
    expect(slot.previous).toMatchObject({ pid: peer.pid, running: false, data: { job: 'build' } });
  });

  test('whose file is removed is lost, and its signal says so', async () => {
    const folder = testFolder();
    await using slot = await new Slots(folder, { slots: 1 }).acquire();
    expect(slot.isCurrent()).toBe(true);
    const { signal } = slot;
    const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve));
    rmSync(slot.path);
    expect(slot.isCurrent()).toBe(false);
    await expect(slot.check()).rejects.toMatchObject({ code: 'ERR_LOCK_LOST' });
    await aborted;
    expect(isLockError(signal.reason, 'ERR_LOCK_LOST')).toBe(true);
  });

  test('of one folder has nothing to do with those of another', async () => {
    await using one = await new Slots(testFolder(), { slots: 1 }).acquire();
    await using other = await new Slots(testFolder(), { slots: 1 }).acquire();
    expect([one.number, other.number]).toEqual([1, 1]);
  });
});

describe('withSlot', () => {
  test('releases the slot, whatever the callback does', async () => {
    const folder = testFolder();
    const options = { slots: 1, timeout: 0 };
    const result = await withSlot(folder, options, async (slot) => {
      expect(slot.held).toBe(true);
      await expect(withSlot(folder, options, () => {})).rejects.toMatchObject({
        code: 'ERR_LOCK_HELD',
        holder: { pid: process.pid, self: true },
      });
      return slot.number;
    });
    expect(result).toBe(1);
    const error = new Error('of the callback');
    const failing = withSlot(folder, options, () => {
      throw error;
    });
    await expect(failing).rejects.toBe(error);
    await expect(withSlot(folder, options, (slot) => slot.release())).resolves.toBeUndefined();
    expect(descriptorsTo(folder)).toBe(0);
  });

  test('rejects with the result if the slot was lost meanwhile', async () => {
    const folder = testFolder();
    const lost = withSlot(folder, { slots: 2 }, (slot) => {
      writeFileSync(`${slot.path}.new`, '');
      renameSync(`${slot.path}.new`, slot.path);
      return 'done';
    });
    await expect(lost).rejects.toMatchObject({ code: 'ERR_LOCK_LOST', result: 'done' });
  });
});

describe('a refusal', () => {
  test('names the holders, in the order of the slots', async () => {
    const folder = testFolder();
    const [one, other] = (await SlotsPeer.startMany(2)) as [SlotsPeer, SlotsPeer];
    await one.acquire('a', folder, 2, { data: { job: 'a' } });
    await other.acquire('a', folder, 2);
    const slots = new Slots(folder, { slots: 2 });
    const holders = [{ pid: one.pid, data: { job: 'a' } }, { pid: other.pid }];
    const [holder] = holders;
    const path = folder;
    const held = await errorOf(() => slots.acquire({ timeout: 0 }));
    expect(held).toMatchObject({ code: 'ERR_LOCK_HELD', path, holder, holders });
    expect(held).toMatchObject({ cause: { code: 'EWOULDBLOCK', syscall: 'flock' } });
    const late = await errorOf(() => slots.acquire({ timeout: 20 }));
    expect(late).toMatchObject({ code: 'ERR_LOCK_TIMEOUT', timeout: 20, path, holder, holders });
    expect([held, late].map((error) => isLockError(error))).toEqual([true, true]);
    expect(String((late as Error).stack)).toContain('slots.test.ts');
    expect(descriptorsTo(folder)).toBe(0);
  });

  test('with timeout 0 pauses once, however many slots there are', async () => {
    const folder = testFolder();
    const slots = new Slots(folder, { slots: 256 });
    const files = Array.from({ length: 256 }, (_, index) => join(folder, `${index + 1}.lock`));
    const taken = files.map((path) => FileLock.acquireSync(path));
    const pauses = vi.spyOn(Atomics, 'wait');
    onTestFinished(() => pauses.mockRestore());
    expect(slots.tryAcquire()).toBeNull();
    // A pause for each would be a quarter of a second.
    expect(pauses).toHaveBeenCalledTimes(1);
    for (const lock of taken) lock.releaseSync();
  });

  test('does not come where a slot is free, and only probes are in the way', async () => {
    const folder = testFolder();
    const slots = new Slots(folder, { slots: 1 });
    (await slots.acquire()).releaseSync();
    // As a probe does: for less than the pause of a millisecond.
    const probing = FileLock.acquireSync(join(folder, '1.lock'));
    const pending = slots.acquire({ timeout: 0 });
    probing.releaseSync();
    await using slot = await pending;
    expect(slot.number).toBe(1);
  });
});

describe('wrong arguments', () => {
  const folder = (): string => join(testFolder(), 'slots');
  test.each([0, -1, 257, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '4', null, undefined, [4], {}])(
    'slots: %j',
    async (slots) => {
      const directory = folder();
      const options = { slots } as { slots: number };
      for (const call of [
        () => new Slots(directory, options),
        () => withSlot(directory, options, () => {}),
      ]) {
        const error = (await errorOf(call)) as { code: (typeof ARGUMENT_CODES)[number] };
        expect(ARGUMENT_CODES).toContain(error.code);
      }
      expect(existsSync(directory)).toBe(false);
    },
  );

  test.each([
    [{ timeout: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ timeout: Number.NaN }, 'ERR_OUT_OF_RANGE'],
    [{ timeout: '1' }, 'ERR_INVALID_ARG_TYPE'],
    [{ signal: {} }, 'ERR_INVALID_ARG_TYPE'],
    [{ onWait: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ data: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ timeot: 1 }, 'ERR_INVALID_ARG_VALUE'],
    [{ slots: 3 }, 'ERR_INVALID_ARG_VALUE'],
    ['options', 'ERR_INVALID_ARG_TYPE'],
  ])('acquire(%j): %s', async (options, code) => {
    const directory = folder();
    const slots = new Slots(directory, { slots: 1 });
    expect(await errorOf(() => slots.acquire(options as object))).toMatchObject({ code });
    expect(await errorOf(() => slots.tryAcquire(options as object))).toMatchObject({ code });
    expect(existsSync(directory)).toBe(false);
  });

  test('of the folder, the permissions and the callback', async () => {
    const options = { slots: 1 };
    for (const path of ['', '\0', 1, undefined]) {
      expect(() => new Slots(path as string, options)).toThrow(TypeError);
    }
    expect(() => new Slots('x', { slots: 1, permissions: 0o10000 })).toThrow(RangeError);
    expect(() => new Slots('x', { slots: 1, timeout: 1 } as never)).toThrow(TypeError);
    const directory = folder();
    await expect(withSlot(directory, options, undefined as never)).rejects.toThrow(TypeError);
    expect(existsSync(directory)).toBe(false);
  });
});
