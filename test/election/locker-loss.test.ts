import { describe, expect, test } from 'vitest';
import type { Election } from '../../src/election.js';
import { type Locker, LockUnsupportedError } from '../../src/index.js';
import { until } from '../support/census.js';
import { errorsOf, hasSettled, member, primary, soon } from '../support/election-member.js';
import { losable } from '../support/losable.js';
import { errorOf } from '../support/refused.js';

/** Not `once` of node:events, which rejects with an error that is emitted before. */
function nextTerm(election: Election): Promise<number> {
  return new Promise((resolve) => election.once('primary', resolve));
}

describe('the seat is lost', () => {
  test.each([false, true])(
    'standby, aborted signals and an error, then the queue again (silently: %s)',
    async (silently) => {
      const locker = losable();
      const election = await primary('e', { locker });
      const { term } = election;
      const errors = errorsOf(election);
      const events: unknown[] = [];
      election.on('standby', () => events.push(['standby', election.isPrimary]));
      let end = (): void => {};
      const work = election.lead(
        ({ signal }) =>
          new Promise<unknown>((resolve) => {
            end = () => resolve(signal.reason);
          }),
      );
      await new Promise(setImmediate);
      const again = nextTerm(election);
      const loss = locker.lose('e', { silently });
      // At once, whatever tells the rest.
      expect(election.isPrimary).toBe(false);
      await until(() => errors.length > 0);
      expect(events).toEqual([['standby', false]]);
      expect(errors).toMatchObject([{ code: 'ERR_LOCK_LOST', path: 'e' }]);
      if (!silently) expect(errors[0]).toBe(loss);
      // It does not lead beside the work that it is ending.
      expect(await hasSettled(again)).toBe(false);
      end();
      expect(await soon(work)).toBe(errors[0]);
      expect(await soon(again)).toBeGreaterThan(term);
      expect(errors).toHaveLength(1);
    },
  );

  test('the next in the queue has it, and the old one queues behind', async () => {
    const locker = losable();
    const first = await primary('e', { locker });
    const errors = errorsOf(first);
    const second = await member('e', { locker });
    await until(async () => (await second.members()).length === 2);
    locker.lose('e');
    await soon(second.whenPrimary());
    expect(second.term).toBeGreaterThan(first.term);
    expect({ isPrimary: first.isPrimary, errors: errors.length }).toEqual({
      isPrimary: false,
      errors: 1,
    });
    await until(async () => (await second.members()).length === 2);
    await second.leave();
    await soon(first.whenPrimary());
  });

  test('a listener of standby that throws stops nothing', async () => {
    const locker = losable();
    const election = await primary('e', { locker });
    const errors = errorsOf(election);
    election.once('standby', () => {
      throw new Error('thrown by the listener');
    });
    const again = nextTerm(election);
    locker.lose('e');
    await soon(again);
    const messages = errors.map(({ message }) => message);
    expect(messages).toContain('thrown by the listener');
  });

  test('a loss while it leaves is an error as well, and it leaves', async () => {
    const locker = losable();
    const election = await primary('e', { locker });
    const errors = errorsOf(election);
    let end = (): void => {};
    const work = election.lead(() => new Promise<void>((resolve) => (end = resolve)));
    await new Promise(setImmediate);
    const leaving = election.leave();
    const loss = locker.lose('e');
    end();
    await soon(leaving);
    await work;
    expect(errors).toEqual([loss]);
    expect((await locker.look?.('e'))?.holders).toEqual([]);
  });
});

describe('the server', () => {
  const passing = [
    Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
    Object.assign(new Error('the server starts up'), { code: '57P03' }),
    Object.assign(new Error('unavailable'), { code: 14 }),
    new Error('says something else'),
  ];

  test('that is away is asked again each second, and told once', async () => {
    const each = passing.map(async (failure) => {
      const locker = losable();
      locker.fail(failure);
      const election = await member('e', { locker });
      const errors = errorsOf(election);
      await until(() => locker.asked >= 2);
      expect(errors).toEqual([failure]);
      locker.fail(null);
      await soon(election.whenPrimary());
      expect(locker.asked).toBeLessThanOrEqual(4);
    });
    await Promise.all(each);
  });

  const staying: [string, Error][] = [
    ['no right to it', Object.assign(new Error('no right'), { code: '42501' })],
    ['a wrong password', Object.assign(new Error('password'), { code: '28P01' })],
    ['a wrong password of etcd', Object.assign(new Error('no'), { code: 'INVALID_ARGUMENT' })],
    ['a missing right of etcd', Object.assign(new Error('no'), { code: 'PERMISSION_DENIED' })],
    ['no such database', Object.assign(new Error('no database'), { code: '3D000' })],
    ['no locks there', new LockUnsupportedError('e', 'a pooler is in between')],
    ['a wrong argument', Object.assign(new TypeError('no'), { code: 'ERR_INVALID_ARG_VALUE' })],
    ['a mistake in the locker', new TypeError('x is not a function')],
  ];
  test.each(staying)('%s: lead and whenPrimary reject, and the member leaves', async (_, error) => {
    const locker = losable();
    locker.fail(error);
    const election = await member('e', { locker });
    const waits: Promise<unknown>[] = [election.lead(() => 1), election.whenPrimary()];
    for (const wait of waits) expect(await errorOf(() => soon(wait))).toBe(error);
    expect(locker.asked).toBe(1);
    expect(await errorOf(() => election.whenPrimary())).toBe(error);
  });

  test('a lock that is lost as it is granted is tried again', async () => {
    const inner = losable();
    let grants = 0;
    const locker: Locker = {
      async acquire(name, options) {
        const lock = await inner.acquire(name, options);
        if (++grants === 1) inner.lose(name);
        return lock;
      },
    };
    const election = await member('e', { locker });
    const errors = errorsOf(election);
    await soon(election.whenPrimary());
    expect({ grants, errors }).toMatchObject({ grants: 2, errors: [{ code: 'ERR_LOCK_LOST' }] });
  });
});
