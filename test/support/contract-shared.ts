import { describe, expect } from 'vitest';
import type { LockView } from '../../src/index.js';
import { until } from './census.js';
import { none, patient, queueFor, type Subject } from './contract-subjects.js';
import { needs } from './tools.js';

const isDateOrNull = (value: unknown): boolean => value === null || value instanceof Date;

/** The contract of every locker for shared locks, looks and losses, as tests of `subject`. */
export function keepsSharedContract(subject: Subject): void {
  const { title, instance, shares, source, remote, seesCallers, name, make } = subject;
  const test = needs(...subject.tools);
  // What two processes do is the same for both file lockers.
  const tags = remote && instance ? ['long'] : [];
  describe(title, { tags }, () => {
    const here = remote ? none : test;
    const sharing = shares ? test : none;
    const queue = queueFor(subject);

    sharing('shared holders hold together, and exclude an exclusive one', async () => {
      const sides = await make();
      const { one, other } = sides;
      const path = name();
      const readers = [
        await one.acquire(path, { ...patient, mode: 'shared' }),
        await other.acquire(path, { ...patient, mode: 'shared' }),
      ];
      for (const side of [one, other]) {
        await expect(side.acquire(path, { timeout: 0 })).rejects.toMatchObject({
          code: 'ERR_LOCK_HELD',
        });
      }
      const { granted } = await queue(one, path, sides);
      for (const each of readers) await each.release();
      const writer = await granted;
      const shared = other.acquire(path, { mode: 'shared', timeout: 0 });
      await expect(shared).rejects.toMatchObject({ code: 'ERR_LOCK_HELD' });
      await writer.release();
      await (await other.acquire(path, { mode: 'shared', timeout: 0 })).release();
    });

    sharing('an exclusive lock after shared ones has a larger token than before', async () => {
      const { one, other } = await make();
      const path = name();
      const first = await one.acquire(path, patient);
      await first.release();
      await (await other.acquire(path, { ...patient, mode: 'shared' })).release();
      const next = await other.acquire(path, { ...patient, mode: 'exclusive' });
      expect(next.token).toBeGreaterThan(first.token);
      await next.release();
    });

    (shares ? none : here)('shared mode is refused, and nothing is held', async () => {
      const { one, other } = await make();
      const path = name();
      const shared = one.acquire(path, { ...patient, mode: 'shared' });
      await expect(shared).rejects.toMatchObject({
        name: 'LockUnsupportedError',
        code: 'ERR_LOCK_UNSUPPORTED',
        path,
      });
      await (await other.acquire(path, { timeout: 0, mode: 'exclusive' })).release();
    });

    test('a look tells who holds and who waits, and takes nothing', async () => {
      const sides = await make();
      const { one, other } = sides;
      const path = name();
      const look = async (): Promise<LockView> => (await other.look?.(path)) as LockView;
      expect(await look()).toEqual({ holders: [], waiters: [] });
      const held = await one.acquire(path, patient);
      expect(await look()).toMatchObject({
        holders: [{ pid: expect.any(Number), self: !remote, source, verified: true }],
        waiters: [],
      });
      const { granted } = await queue(other, path, sides);
      let seen = await look();
      expect(seen).toMatchObject({
        holders: [{ pid: expect.any(Number), since: expect.toSatisfy(isDateOrNull) }],
      });
      if (seesCallers) {
        // It may only be on its way to the server's queue.
        await until(async () => {
          seen = await look();
          return seen.waiters.length > 0;
        });
        expect(seen).toMatchObject({ waiters: [{ pid: expect.any(Number), source }] });
        const same = seen.holders[0]?.pid === seen.waiters[0]?.pid;
        expect(same).toBe(!remote);
      }
      await held.release();
      await (await granted).release();
      expect(await look()).toEqual({ holders: [], waiters: [] });
    });

    sharing('a look tells all shared holders', async () => {
      const { one, other } = await make();
      const path = name();
      const shared = { ...patient, mode: 'shared' } as const;
      const locks = [await one.acquire(path, shared), await other.acquire(path, shared)];
      const seen = (await one.look?.(path)) as LockView;
      // Of files, one for each process.
      expect(new Set(seen.holders.map(({ pid }) => pid)).size).toBe(remote ? 2 : 1);
      for (const each of locks) await each.release();
    });

    test('check resolves while it is held, and rejects afterwards', async () => {
      const { one } = await make();
      const lock = await one.acquire(name(), patient);
      await lock.check?.();
      await lock.release();
      await expect(lock.check?.()).rejects.toMatchObject({ code: 'ERR_LOCK_LOST' });
    });

    here('isCurrent says the same, and a release aborts no signal', async () => {
      const { one } = await make();
      const lock = await one.acquire(name(), patient);
      const { signal } = lock;
      expect(lock.isCurrent?.()).toBe(true);
      await lock.release();
      expect(lock.isCurrent?.()).toBe(false);
      expect([signal?.aborted, lock.signal?.aborted]).not.toContain(true);
      expect(lock.signal).toBe(signal);
    });
  });
}
