import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Election } from '../../src/election.js';
import { FileLock } from '../../src/index.js';
import { descriptorsTo, until } from '../support/census.js';
import { ELECTION, hasSettled, member, soon } from '../support/election-member.js';
import { testFolder } from '../support/folder.js';
import { errorOf } from '../support/refused.js';
import { runScript } from '../support/script.js';

describe('joining', () => {
  test('makes the folder and a file of its own, with pid and data, and becomes primary', async () => {
    const directory = join(testFolder(), 'a', 'b');
    const election = await member(directory, { id: 'one', data: { port: 80 } });
    await soon(election.whenPrimary());
    expect(election).toMatchObject({ id: 'one', isPrimary: true });
    expect(readdirSync(directory).sort()).toEqual(['.primary', 'one.lock']);
    const record = JSON.parse(readFileSync(join(directory, 'one.lock'), 'utf8'));
    expect(record).toMatchObject({ pid: process.pid, port: 80 });
    expect(await election.members()).toEqual([
      {
        id: 'one',
        pid: process.pid,
        since: expect.any(Date),
        self: true,
        primary: true,
        data: { port: 80 },
      },
    ]);
  });

  test('takes a file URL', async () => {
    const directory = testFolder();
    const election = await Election.join(pathToFileURL(directory), { id: 'one' });
    expect(existsSync(join(directory, 'one.lock'))).toBe(true);
    await election.leave();
  });

  test('by default later ones have larger ids', async () => {
    const directory = testFolder();
    const first = await member(directory);
    const start = Date.now();
    await until(() => Date.now() > start);
    const second = await member(directory);
    expect(second.id > first.id).toBe(true);
    expect((await second.members()).map(({ id }) => id)).toEqual([first.id, second.id]);
  });

  test('nobody is primary before join has resolved, and a listener added then hears of it', async () => {
    const directory = testFolder();
    const election = await member(directory);
    expect(election).toMatchObject({ isPrimary: false, term: 0 });
    expect(await election.primary()).toBeNull();
    const [term] = await soon(once(election, 'primary'));
    expect(term).toBe(election.term);
    expect(election.isPrimary).toBe(true);
  });

  test('an id that lives is held, and the error names its pid', async () => {
    const directory = testFolder();
    await member(directory, { id: 'one' });
    const error = await errorOf(() => Election.join(directory, { id: 'one' }));
    expect(error).toMatchObject({ code: 'ERR_LOCK_HELD', holder: { pid: process.pid } });
    expect(await member(directory, { id: 'two' })).toMatchObject({ id: 'two' });
  });

  test('an id that has left is free at once', async () => {
    const directory = testFolder();
    for (let round = 0; round < 20; round++) {
      const election = await Election.join(directory, { id: 'one' });
      await soon(election.whenPrimary());
      await election.leave();
    }
    expect(readdirSync(directory)).toEqual(['.primary']);
  });

  test('of several in one process one is primary, and they follow each other', async () => {
    const directory = testFolder();
    const all = await Promise.all(
      ['a', 'b', 'c', 'd'].map((id) => member(directory, { id, settle: 50 })),
    );
    const terms: number[] = [];
    const left = new Set(all);
    while (left.size > 0) {
      const primary = await soon(
        Promise.race([...left].map(async (each) => each.whenPrimary().then(() => each))),
      );
      expect(all.filter(({ isPrimary }) => isPrimary)).toEqual([primary]);
      const asked = await Promise.all([...left].map((each) => each.primary()));
      expect(asked.map((each) => each?.id)).toEqual([...left].map(() => primary.id));
      terms.push(primary.term);
      left.delete(primary);
      // Their losing race of `whenPrimary` is not to be heard of.
      await primary.leave();
      expect(primary.isPrimary).toBe(false);
    }
    expect(terms).toEqual([...terms].sort((one, other) => one - other));
    expect(new Set(terms).size).toBe(4);
  });
});

describe('leaving', () => {
  test('removes the file, closes everything, and a second time does nothing', async () => {
    const directory = testFolder();
    const election = await Election.join(directory);
    await soon(election.whenPrimary());
    const { term } = election;
    await Promise.all([election.leave(), election.leave()]);
    await election[Symbol.asyncDispose]();
    expect(readdirSync(directory)).toEqual(['.primary']);
    expect(descriptorsTo(directory)).toBe(0);
    expect(election).toMatchObject({ isPrimary: false, term });
    await expect(election.whenPrimary()).rejects.toMatchObject({ code: 'ERR_LOCK_STATE' });
    await expect(election.lead(async () => 1)).rejects.toMatchObject({ code: 'ERR_LOCK_STATE' });
  });

  test('at once after joining is not followed by a primacy', async () => {
    const directory = testFolder();
    for (const settle of [0, 30]) {
      const election = await Election.join(directory, { settle });
      let primaries = 0;
      election.on('primary', () => primaries++);
      await election.leave();
      const next = await member(directory);
      await soon(next.whenPrimary());
      expect({ primaries, term: election.term }).toEqual({ primaries: 0, term: 0 });
      await next.leave();
    }
    await until(() => descriptorsTo(directory) === 0);
  });

  test('gives up the place in the queue', async () => {
    const directory = testFolder();
    const first = await member(directory, { id: 'a' });
    await soon(first.whenPrimary());
    const second = await member(directory, { id: 'b' });
    const third = await member(directory, { id: 'c' });
    const waited = errorOf(() => second.whenPrimary());
    await second.leave();
    expect(await soon(waited)).toMatchObject({ code: 'ERR_LOCK_STATE' });
    await first.leave();
    await soon(third.whenPrimary());
    expect(second.term).toBe(0);
  });

  test('isPrimary is false and standby emitted before the seat is let go of', async () => {
    const directory = testFolder();
    const election = await member(directory);
    await soon(election.whenPrimary());
    const seen: unknown[] = [];
    election.on('standby', () => {
      const lock = FileLock.tryAcquire(join(directory, '.primary'));
      seen.push(election.isPrimary, lock);
      lock?.releaseSync();
    });
    await election.leave();
    expect(seen).toEqual([false, null]);
  });

  test('a standby that leaves says nothing of standby', async () => {
    const directory = testFolder();
    await soon((await member(directory)).whenPrimary());
    const election = await member(directory);
    let times = 0;
    election.on('standby', () => times++);
    await election.leave();
    expect(times).toBe(0);
  });

  test('by `await using`', async () => {
    const directory = testFolder();
    {
      await using election = await Election.join(directory);
      await soon(election.whenPrimary());
    }
    expect(readdirSync(directory)).toEqual(['.primary']);
  });

  test('a listener of standby that throws rejects it, and everything is let go of', async () => {
    const directory = testFolder();
    const election = await Election.join(directory);
    await soon(election.whenPrimary());
    election.on('standby', () => {
      throw new Error('thrown by the listener');
    });
    await expect(election.leave()).rejects.toThrow('thrown by the listener');
    expect(descriptorsTo(directory)).toBe(0);
    expect(readdirSync(directory)).toEqual(['.primary']);
  });
});

describe('the process', () => {
  test('can end while it is primary, and not while it stands by', async () => {
    const directory = testFolder();
    const source = `
      const { Election } = await import(${JSON.stringify(ELECTION)});
      const election = await Election.join(path);
      election.on('members', () => {});
      election.on('primary', () => report('primary'));
    `;
    expect(await runScript(directory, source)).toMatchObject({ reports: ['primary'], code: 0 });
    const blocker = await member(directory);
    await soon(blocker.whenPrimary());
    expect(readdirSync(directory)).toHaveLength(2);
    const standing = runScript(directory, `${source}; report('stands by');`);
    await until(async () => (await blocker.members()).length === 2);
    expect(await hasSettled(standing)).toBe(false);
    await blocker.leave();
    const { reports, code } = await soon(standing);
    expect({ reports, code }).toEqual({ reports: ['stands by', 'primary'], code: 0 });
  });

  test('a listener of primary that throws ends it as an uncaught exception does', async () => {
    const source = `
      const { Election } = await import(${JSON.stringify(ELECTION)});
      const election = await Election.join(path);
      election.on('primary', () => { throw new Error('thrown by the listener'); });
    `;
    const { code, stderr } = await runScript(testFolder(), source);
    expect(code).toBe(1);
    expect(stderr).toContain('thrown by the listener');
  });
});
