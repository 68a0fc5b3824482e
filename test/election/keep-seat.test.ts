import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Election, type LeaveOptions } from '../../src/election.js';
import { FileLock } from '../../src/index.js';
import { descriptorsTo, until } from '../support/census.js';
import { member, primary, soon } from '../support/election-member.js';
import { testFolder } from '../support/folder.js';
import { queueOf, seatOf } from '../support/kernel.js';
import { errorOf } from '../support/refused.js';

/** A child that has the descriptor of the seat, until it is killed. */
async function childWith(fd: number): Promise<ChildProcess> {
  const child = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child, 'spawn');
  return child;
}

const isFree = (directory: string): boolean => {
  const lock = FileLock.tryAcquire(join(directory, '.primary'));
  lock?.releaseSync();
  return lock !== null;
};

describe('leave with keepSeat', () => {
  test('the seat stays with the child, and the next one is primary when that ends', async () => {
    const directory = testFolder();
    const first = await member(directory, { id: 'a' });
    const child = await soon(first.lead(({ fd }) => childWith(fd)));
    const { term } = first;
    const second = await member(directory, { id: 'b' });
    await until(() => queueOf(directory) === 1);
    await first.leave({ keepSeat: true });
    expect(first).toMatchObject({ isPrimary: false, term });
    expect(readdirSync(directory).sort()).toEqual(['.primary', 'b.lock']);
    expect(second.isPrimary).toBe(false);
    expect(seatOf(directory)).toMatchObject({ waiting: 1 });
    child.kill('SIGKILL');
    await soon(second.whenPrimary());
    expect(second.term).toBeGreaterThan(term);
  });

  test('without a child, the seat is free at once', async () => {
    const directory = testFolder();
    const election = await primary(directory);
    await election.leave({ keepSeat: true });
    expect(isFree(directory)).toBe(true);
    expect(descriptorsTo(directory)).toBe(0);
    expect(readdirSync(directory)).toEqual(['.primary']);
  });

  test.each([undefined, {}, { keepSeat: undefined }, { keepSeat: false }])(
    'with %j, the seat is free although a child has its descriptor',
    async (options) => {
      const directory = testFolder();
      const election = await member(directory);
      await soon(election.lead(({ fd }) => childWith(fd)));
      await election.leave(options);
      expect(isFree(directory)).toBe(true);
    },
  );

  test('a standby only gives up its place in the queue', async () => {
    const directory = testFolder();
    const first = await primary(directory, { id: 'a' });
    const second = await member(directory, { id: 'b' });
    await until(() => queueOf(directory) === 1);
    await second.leave({ keepSeat: true });
    await until(() => queueOf(directory) === 0);
    expect(first.isPrimary).toBe(true);
    await first.leave();
    expect(isFree(directory)).toBe(true);
  });

  test('inside of a lead callback, the seat stays when the callback has ended', async () => {
    const directory = testFolder();
    const election = await member(directory);
    const child = await soon(
      election.lead(async ({ fd }) => {
        await election.leave({ keepSeat: true });
        return childWith(fd);
      }),
    );
    await soon(election.leave());
    expect(isFree(directory)).toBe(false);
    child.kill('SIGKILL');
    await until(() => isFree(directory));
  });

  test('the options of a second call have no effect', async () => {
    const directory = testFolder();
    const election = await member(directory);
    await soon(election.lead(({ fd }) => childWith(fd)));
    await Promise.all([election.leave(), election.leave({ keepSeat: true })]);
    expect(isFree(directory)).toBe(true);
  });

  test.each<[unknown, string]>([
    [null, 'ERR_INVALID_ARG_TYPE'],
    ['keepSeat', 'ERR_INVALID_ARG_TYPE'],
    [true, 'ERR_INVALID_ARG_TYPE'],
    [[], 'ERR_INVALID_ARG_TYPE'],
    [{ keepSeat: null }, 'ERR_INVALID_ARG_TYPE'],
    [{ keepSeat: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ keepSeat: 'yes' }, 'ERR_INVALID_ARG_TYPE'],
    [{ keepSeat: {} }, 'ERR_INVALID_ARG_TYPE'],
    [{ keepseat: true }, 'ERR_INVALID_ARG_VALUE'],
    [{ signal: undefined }, 'ERR_INVALID_ARG_VALUE'],
  ])('%j rejects with %s, and the member does not leave', async (options, code) => {
    const directory = testFolder();
    const election = await primary(directory);
    const error = await errorOf(() => election.leave(options as LeaveOptions));
    expect(error).toMatchObject({ code });
    expect(error).toBeInstanceOf(TypeError);
    expect(election.isPrimary).toBe(true);
    expect(isFree(directory)).toBe(false);
    expect(await errorOf(() => Election.join(directory, { id: election.id }))).toMatchObject({
      code: 'ERR_LOCK_HELD',
    });
  });
});
