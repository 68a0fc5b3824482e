import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Election } from '../../src/election.js';
import { until } from '../support/census.js';
import { member, soon } from '../support/election-member.js';
import { ElectionPeer } from '../support/election-peer.js';
import { primariesOf, queueUp } from '../support/election-queue.js';
import { testFolder } from '../support/folder.js';
import { queueOf } from '../support/kernel.js';
import { limit } from '../support/limit.js';
import { expectWarning } from '../support/setup.js';

expectWarning('HOLDFAST_ELECTION');

describe('events', () => {
  test('members tells who came and went while it has a listener', async () => {
    const directory = testFolder();
    const election = await member(directory, { id: 'a' });
    await soon(election.whenPrimary());
    const come = once(election, 'members');
    const other = await Election.join(directory, { id: 'b' });
    const [came] = await soon(come);
    expect(came).toMatchObject([
      { id: 'a', primary: true },
      { id: 'b', primary: false },
    ]);
    const gone = once(election, 'members');
    await other.leave();
    expect((await soon(gone))[0]).toMatchObject([{ id: 'a' }]);
    let times = 0;
    const count = (): void => {
      times++;
    };
    election.on('members', count);
    election.off('members', count);
    await using _third = await Election.join(directory, { id: 'c' });
    await until(async () => (await election.members()).length === 2);
    expect(times).toBe(0);
  });

  const ways: [string, (directory: string) => void][] = [
    ['.primary is removed', (directory) => rmSync(join(directory, '.primary'))],
    [
      '.primary is replaced',
      (directory) => {
        writeFileSync(join(directory, '.new'), '');
        renameSync(join(directory, '.new'), join(directory, '.primary'));
      },
    ],
    ['the folder is removed', (directory) => rmSync(directory, { recursive: true })],
    [
      'the folder is replaced',
      (directory) => {
        renameSync(directory, `${directory}-old`);
        mkdirSync(directory);
      },
    ],
  ];
  test.each(ways)(
    'when %s: standby and error within a second, then one primary',
    async (_, act) => {
      const directory = join(testFolder(), 'folder');
      const first = await member(directory, { id: 'a' });
      await soon(first.whenPrimary());
      const second = await member(directory, { id: 'b' });
      const { term } = first;
      const aborted = first.lead(
        ({ signal }) =>
          new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason))),
      );
      await new Promise(setImmediate);
      const events: unknown[] = [];
      first.on('standby', () => events.push(['standby', first.isPrimary]));
      const failed = new Promise<Error>((resolve) => first.once('error', resolve));
      const start = performance.now();
      act(directory);
      const error = await soon(failed);
      expect(performance.now() - start).toBeLessThan(limit(1500));
      expect(error).toMatchObject({ code: 'ERR_LOCK_LOST' });
      expect(events).toEqual([['standby', false]]);
      expect(await soon(aborted)).toMatchObject({ code: 'ERR_LOCK_LOST' });
      const both = [first, second];
      await until(() => both.filter(({ isPrimary }) => isPrimary).length === 1);
      const primary = both.find(({ isPrimary }) => isPrimary) as Election;
      expect(primary.term).toBeGreaterThan(term);
      // All are there again, with their files, and one of them is named.
      await until(async () => (await first.members()).length === 2);
      expect((await second.primary())?.id).toBe(primary.id);
      await until(() => primary.isPrimary);
      await primary.leave();
      const other = both.find((each) => each !== primary) as Election;
      await soon(other.whenPrimary());
    },
  );

  test('without a listener an error is a process warning', async () => {
    const directory = testFolder();
    const election = await member(directory);
    await soon(election.whenPrimary());
    const warned = warningWith('HOLDFAST_ELECTION');
    rmSync(join(directory, '.primary'));
    const warning = await soon(warned);
    expect(warning).toMatchObject({ code: 'HOLDFAST_ELECTION', name: 'HoldfastWarning' });
    await soon(election.whenPrimary());
  });

  test('a member’s file that is removed comes back, without a change of the primary', async () => {
    const directory = testFolder();
    const election = await member(directory, { id: 'a', data: { port: 80 } });
    await soon(election.whenPrimary());
    let standbys = 0;
    election.on('standby', () => standbys++);
    rmSync(join(directory, 'a.lock'));
    await until(() => existsSync(join(directory, 'a.lock')));
    await until(async () => (await election.members()).length === 1);
    expect(await election.members()).toMatchObject([
      { id: 'a', primary: true, data: { port: 80 }, pid: process.pid },
    ]);
    expect({ standbys, isPrimary: election.isPrimary }).toEqual({ standbys: 0, isPrimary: true });
    await election.leave();
    expect(readdirSync(directory)).toEqual(['.primary']);
  });

  test('an id that somebody else took meanwhile: error, and the old one leaves', async () => {
    const directory = testFolder();
    const election = await member(directory, { id: 'a' });
    await soon(election.whenPrimary());
    const failed = new Promise<Error>((resolve) => election.once('error', resolve));
    const standby = new Promise<void>((resolve) => election.once('standby', resolve));
    rmSync(join(directory, 'a.lock'));
    const other = await member(directory, { id: 'a' });
    expect(await soon(failed)).toMatchObject({ code: 'ERR_LOCK_HELD' });
    await soon(standby);
    await soon(other.whenPrimary());
    expect(existsSync(join(directory, 'a.lock'))).toBe(true);
  });
});

describe('files that vanish', () => {
  for (const what of ['.primary', 'the folder'] as const) {
    test(`${what} is removed under five processes: within a second standby and error, then one primary again`, async () => {
      const directory = join(testFolder(), 'folder');
      const { peers, term } = await queueUp(directory, 5);
      const [first] = peers as [ElectionPeer];
      const start = performance.now();
      rmSync(what === '.primary' ? join(directory, '.primary') : directory, { recursive: true });
      const error = await first.event<{ code: string }>('error', 'm');
      expect(performance.now() - start).toBeLessThan(limit(1500));
      expect(error.code).toBe('ERR_LOCK_LOST');
      expect(await first.event('standby', 'm')).toMatchObject({ isPrimary: false });
      await until(() => queueOf(directory) === 4);
      expect((await primariesOf(peers)).filter((each) => each)).toHaveLength(1);
      await until(async () => (await first.members('m')).length === 5);
      const primary = await first.call<{ id: string; pid: number }>('primary', 'm');
      const chosen = peers.find(({ pid }) => pid === primary.pid) as ElectionPeer;
      expect(await chosen.becomesPrimary('m')).toBeGreaterThan(term);
    });
  }

  test('without a listener it is a process warning', async () => {
    const directory = testFolder();
    const peer = await ElectionPeer.start();
    await peer.lead('m', directory, { deaf: true });
    rmSync(join(directory, '.primary'));
    expect(await peer.event('warning', 'HOLDFAST_ELECTION')).toContain('.primary');
    await peer.becomesPrimary('m');
  });
});

/** Skips those that are still on their way from another test. */
async function warningWith(code: string): Promise<NodeJS.ErrnoException> {
  for (;;) {
    const [warning] = (await once(process, 'warning')) as [NodeJS.ErrnoException];
    if (warning.code === code) return warning;
  }
}
