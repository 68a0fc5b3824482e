import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Election, type ElectionOptions } from '../../src/election.js';
import { fileLocker, type HeldLock, type Locker } from '../../src/index.js';
import { memoryLocker } from '../../src/testing.js';
import { until } from '../support/census.js';
import { ELECTION, errorsOf, member, primary, soon } from '../support/election-member.js';
import { testFolder } from '../support/folder.js';
import { errorOf } from '../support/refused.js';
import { runScript } from '../support/script.js';

const ID = `${hostname()}:${process.pid}`;

describe('an election on a locker', () => {
  test('has the lock of its name as the seat, and its token as the term', async () => {
    const locker = memoryLocker();
    const election = await member('leader', { locker });
    expect(election).toMatchObject({ id: ID, isPrimary: false, term: 0 });
    const led = await soon(election.lead(({ term, fd }) => ({ term, fd })));
    expect(led).toEqual({ term: election.term, fd: -1 });
    await expect(locker.acquire('leader', { timeout: 0 })).rejects.toMatchObject({
      code: 'ERR_LOCK_HELD',
    });
    await election.leave();
    expect(election.isPrimary).toBe(false);
    const next = await locker.acquire('leader', { timeout: 0 });
    expect(next.token).toBeGreaterThan(led.term);
    await next.release();
  });

  test('the members follow each other in their order, with growing terms', async () => {
    const locker = memoryLocker();
    const all = [await primary('e', { locker })];
    for (let waiting = 1; waiting <= 2; waiting++) {
      all.push(await member('e', { locker }));
      await until(async () => (await locker.look('e')).waiters.length === waiting);
    }
    const terms: number[] = [];
    for (const each of all) {
      await soon(each.whenPrimary());
      expect(all.filter(({ isPrimary }) => isPrimary)).toEqual([each]);
      terms.push(each.term);
      await each.leave();
    }
    expect(terms).toEqual([...new Set(terms)].sort((one, other) => one - other));
  });

  test('its members are those whom the locker sees, the primary first', async () => {
    const locker = memoryLocker();
    const election = await member('e', { locker });
    expect(await election.members()).toEqual([]);
    expect(await election.primary()).toBeNull();
    await soon(election.whenPrimary());
    const standby = await member('e', { locker });
    await until(async () => (await election.members()).length === 2);
    const common = { id: ID, pid: process.pid, self: true, data: {} };
    const expected = [
      { ...common, since: expect.any(Date), primary: true },
      { ...common, since: null, primary: false },
    ];
    expect(await standby.members()).toEqual(expected);
    expect(await standby.primary()).toEqual(expected[0]);
  });

  test('`members` is emitted within a second of a change, and not for one who has left', async () => {
    const locker = memoryLocker();
    const election = await primary('e', { locker });
    const come = once(election, 'members');
    const other = await member('e', { locker });
    expect((await soon(come))[0]).toMatchObject([{ primary: true }, { primary: false }]);
    const gone = once(election, 'members');
    await other.leave();
    expect((await soon(gone))[0]).toHaveLength(1);
  });

  test('a locker that tells nobody is ERR_LOCK_UNSUPPORTED for who asks, and an error for who listens', async () => {
    const { acquire } = memoryLocker();
    const locker: Locker = { acquire };
    const election = await primary('e', { locker });
    for (const call of [() => election.members(), () => election.primary()]) {
      expect(await errorOf(call)).toMatchObject({ code: 'ERR_LOCK_UNSUPPORTED', path: 'e' });
    }
    const errors = errorsOf(election);
    election.on('members', () => {});
    await until(() => errors.length > 0);
    expect(errors).toMatchObject([{ code: 'ERR_LOCK_UNSUPPORTED' }]);
    expect(election.isPrimary).toBe(true);
  });

  test('makes no files, and with fileLocker() only those of its lock', async () => {
    const folder = testFolder();
    const path = join(folder, 'leader.lock');
    await (await primary(path, { locker: memoryLocker() })).leave();
    expect(existsSync(path)).toBe(false);
    const first = await primary(path, { locker: fileLocker() });
    const second = await member(path, { locker: fileLocker() });
    await until(async () => (await second.members()).length === 2);
    expect(await second.members()).toMatchObject([{ id: ID, primary: true }, { id: ID }]);
    expect(await first.lead(({ fd }) => fd)).toBeGreaterThan(2);
    expect(readdirSync(folder)).toEqual(['leader.lock']);
    await first.leave();
    await soon(second.whenPrimary());
  });
});

describe('keepSeat', () => {
  test('detaches the lock where it can be', async () => {
    const memory = memoryLocker();
    const calls: string[] = [];
    const locker: Locker = {
      async acquire(name, options) {
        const lock = await memory.acquire(name, options);
        const release = async (): Promise<void> => void calls.push('release');
        return {
          token: lock.token,
          fd: 7,
          detach: () => void calls.push('detach'),
          release,
          [Symbol.asyncDispose]: release,
        } satisfies HeldLock;
      },
    };
    const election = await primary('e', { locker });
    expect(await election.lead(({ fd }) => fd)).toBe(7);
    await election.leave({ keepSeat: true });
    expect(calls).toEqual(['detach']);
  });

  test('is ERR_LOCK_STATE where it cannot, and the member stays', async () => {
    const locker = memoryLocker();
    const election = await primary('e', { locker });
    const error = await errorOf(() => election.leave({ keepSeat: true }));
    expect(error).toMatchObject({ code: 'ERR_LOCK_STATE', path: 'e' });
    expect(election.isPrimary).toBe(true);
    const standby = await member('e', { locker });
    await standby.leave({ keepSeat: true });
    await election.leave();
  });
});

describe('joining with a locker', () => {
  const locker = memoryLocker();
  const wrong: [unknown, unknown, string][] = [
    ['e', { locker, settle: 0 }, 'ERR_INVALID_ARG_VALUE'],
    ['e', { locker, settle: 150 }, 'ERR_INVALID_ARG_VALUE'],
    ['e', { locker, id: 'a' }, 'ERR_INVALID_ARG_VALUE'],
    ['e', { locker, data: {} }, 'ERR_INVALID_ARG_VALUE'],
    ['e', { locker: null }, 'ERR_INVALID_ARG_TYPE'],
    ['e', { locker: {} }, 'ERR_INVALID_ARG_TYPE'],
    ['', { locker }, 'ERR_INVALID_ARG_VALUE'],
    ['a\0b', { locker }, 'ERR_INVALID_ARG_VALUE'],
    [7, { locker }, 'ERR_INVALID_ARG_TYPE'],
    [new URL('file:///e'), { locker }, 'ERR_INVALID_ARG_TYPE'],
    [undefined, { locker }, 'ERR_INVALID_ARG_TYPE'],
  ];
  test.each(wrong)('%o with %o is refused with %s', async (name, options, code) => {
    const join = () => Election.join(name as string, options as ElectionOptions);
    expect(await errorOf(join)).toMatchObject({ name: 'TypeError', code });
    expect(await locker.look('e')).toEqual({ holders: [], waiters: [] });
  });

  test('its signal ends it, before and after', async () => {
    const reason = new Error('before');
    const signal = AbortSignal.abort(reason);
    expect(await errorOf(() => Election.join('e', { locker, signal }))).toBe(reason);
    const controller = new AbortController();
    const election = await primary('f', { locker, signal: controller.signal });
    controller.abort();
    await soon(election.leave());
    await (await locker.acquire('f', { timeout: 0 })).release();
  });

  test('a standby that leaves gives up its place, and one that is granted meanwhile gives it back', async () => {
    const first = await primary('g', { locker });
    const second = await member('g', { locker });
    await until(async () => (await locker.look('g')).waiters.length === 1);
    await Promise.all([first.leave(), second.leave()]);
    await until(async () => (await locker.look('g')).holders.length === 0);
    expect(second.term).toBe(0);
  });

  test('the process can end while it is primary', async () => {
    const source = `
      const { Election } = await import(${JSON.stringify(ELECTION)});
      const { memoryLocker } = await import(${JSON.stringify(ELECTION)}.replace('election.js', 'testing.js'));
      const election = await Election.join('e', { locker: memoryLocker() });
      election.on('members', () => {});
      election.on('primary', () => report('primary'));
    `;
    expect(await runScript('', source)).toMatchObject({ reports: ['primary'], code: 0 });
  });
});
