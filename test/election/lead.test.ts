import { once } from 'node:events';
import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Election } from '../../src/election.js';
import { FileLock } from '../../src/index.js';
import { ELECTION, hasSettled, member, soon } from '../support/election-member.js';
import { testFolder } from '../support/folder.js';
import { errorOf } from '../support/refused.js';
import { within } from '../support/remote.js';
import { runScript } from '../support/script.js';

describe('lead', () => {
  test('runs once primary, gives its result, and stays primary after it', async () => {
    const directory = testFolder();
    const election = await member(directory);
    const result = await soon(
      election.lead(async ({ term, signal, fd }) => ({ term, aborted: signal.aborted, fd })),
    );
    expect(result).toEqual({ term: election.term, aborted: false, fd: expect.any(Number) });
    expect(lstatSync(`/proc/self/fd/${result.fd}`).isSymbolicLink()).toBe(true);
    expect(election.isPrimary).toBe(true);
    await expect(election.lead(() => Promise.reject(new Error('of the work')))).rejects.toThrow(
      'of the work',
    );
    expect(election.isPrimary).toBe(true);
  });

  test('leave aborts its signal and waits for the work before the seat is free', async () => {
    const directory = testFolder();
    const election = await member(directory, { id: 'a' });
    let finish = (): void => {};
    const started = new Promise<AbortSignal>((resolve) => {
      election
        .lead(({ signal }) => {
          resolve(signal);
          return new Promise<void>((end) => {
            finish = end;
          });
        })
        .catch(() => {});
    });
    const signal = await soon(started);
    const leaving = election.leave();
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toMatchObject({ code: 'ERR_LOCK_STATE' });
    const next = await member(directory, { id: 'b' });
    expect(await hasSettled(leaving)).toBe(false);
    expect(next.isPrimary).toBe(false);
    expect(FileLock.tryAcquire(join(directory, '.primary'))).toBeNull();
    finish();
    await soon(leaving);
    await soon(next.whenPrimary());
  });

  test('leave inside of the work does not wait for it', async () => {
    const directory = testFolder();
    const election = await member(directory);
    const result = election.lead(async ({ signal }) => {
      await election.leave();
      return signal.aborted;
    });
    expect(await soon(result)).toBe(true);
    expect(readdirSync(directory)).toEqual(['.primary']);
  });

  test('leave inside of the work, when somebody outside has called it already, ends as well', async () => {
    const directory = testFolder();
    const election = await Election.join(directory);
    const work = election.lead(async ({ signal }) => {
      await once(signal, 'abort');
      await election.leave();
      return 'cleaned up';
    });
    await soon(election.whenPrimary());
    await new Promise(setImmediate);
    const leaving = election.leave();
    const outcome = Promise.all([work, leaving]).then(([first]) => first);
    expect(await within(outcome, () => 'work and leave wait for each other', 2000)).toBe(
      'cleaned up',
    );
  });

  test('leave of the outer election inside of an inner one’s work ends as well', async () => {
    const [one, other] = [testFolder(), testFolder()];
    const outer = await Election.join(one);
    const inner = await Election.join(other);
    const work = outer.lead(() => inner.lead(() => outer.leave()));
    await within(work, () => 'the outer work waits for itself', 2000);
    await inner.leave();
  });

  test('what throws at once, or is no function, rejects', async () => {
    const election = await member(testFolder());
    const thrown = election.lead(() => {
      throw new Error('at once');
    });
    await expect(thrown).rejects.toThrow('at once');
    const wrong = election.lead('work' as unknown as () => Promise<void>);
    await expect(wrong).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
  });
});

describe('signals', () => {
  test('of join: aborted before, it rejects with the reason and leaves nothing', async () => {
    const directory = join(testFolder(), 'folder');
    const reason = new Error('before');
    const signal = AbortSignal.abort(reason);
    expect(await errorOf(() => Election.join(directory, { signal }))).toBe(reason);
    expect(existsSync(directory) ? readdirSync(directory) : []).toEqual([]);
  });

  test('of join: aborted later, the member leaves', async () => {
    const directory = testFolder();
    const controller = new AbortController();
    const election = await member(directory, { signal: controller.signal });
    await soon(election.whenPrimary());
    const standby = once(election, 'standby');
    controller.abort();
    await soon(standby);
    await soon(election.leave());
    expect(readdirSync(directory)).toEqual(['.primary']);
  });

  test('of join: aborted at any moment of it, nobody stays a member', async () => {
    const directory = testFolder();
    const outcomes = { joined: 0, rejected: 0 };
    for (let turns = 0; turns < 40; turns++) {
      const controller = new AbortController();
      const joining = Election.join(directory, { id: `at-${turns}`, signal: controller.signal });
      joining.catch(() => {});
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      controller.abort();
      const joined = await joining.catch(() => null);
      outcomes[joined === null ? 'rejected' : 'joined']++;
      if (joined !== null) onTestFinished(() => joined.leave());
      const gone = (): boolean => !existsSync(join(directory, `at-${turns}.lock`));
      for (let turn = 0; turn < 20 && !gone(); turn++) await new Promise(setImmediate);
      expect({ turns, gone: gone() }).toEqual({ turns, gone: true });
    }
    expect(Math.min(...Object.values(outcomes))).toBeGreaterThan(0);
  });

  test('of join: a listener of standby that throws then is a warning or an error event, no unhandled rejection', async () => {
    const source = `
      const { Election } = await import(${JSON.stringify(ELECTION)});
      const controller = new AbortController();
      const election = await Election.join(path, { signal: controller.signal });
      election.on('error', (error) => report({ error: error.message }));
      process.on('unhandledRejection', () => report('unhandled'));
      await election.whenPrimary();
      election.on('standby', () => { throw new Error('thrown by the listener'); });
      controller.abort();
      await new Promise(setImmediate);
      report('end');
    `;
    const { reports } = await runScript(testFolder(), source);
    expect(reports).toContain('end');
    expect(reports).not.toContain('unhandled');
  });

  test('of whenPrimary and of lead end the wait alone', async () => {
    const directory = testFolder();
    const first = await member(directory);
    await soon(first.whenPrimary());
    const second = await member(directory);
    const controller = new AbortController();
    const { signal } = controller;
    const reason = new Error('waited enough');
    const waits = [second.whenPrimary({ signal }), second.lead(async () => 1, { signal })];
    controller.abort(reason);
    for (const wait of waits) expect(await errorOf(() => wait)).toBe(reason);
    expect(await errorOf(() => first.whenPrimary({ signal }))).toBe(reason);
    await first.leave();
    await soon(second.whenPrimary());
  });
});
