import { readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { NARROW, setting } from '../support/claims-bound.js';

test('a bound claim that a hand removes is lost, and its descriptor let go of', async () => {
  const { owner, other, file } = await setting();
  const lost = owner.event('lost', 'wide');
  rmSync(file);
  await other.claim(NARROW);
  expect(await lost).toBe('ERR_LOCK_LOST');
  expect(await owner.describe('wide')).toMatchObject({ fd: -1 });
});

test('a copy that a hand has put in its place is orphaned and is not renewed', async () => {
  const { owner, file, stateOf } = await setting();
  const lost = owner.event('lost', 'wide');
  const text = readFileSync(file, 'utf8');
  rmSync(file);
  writeFileSync(file, text);
  expect(await stateOf('wide')).toBe('orphaned');
  expect(await lost).toBe('ERR_LOCK_LOST');
  await expect(owner.call('renew', 'wide')).rejects.toMatchObject({ code: 'ERR_LOCK_LOST' });
  expect(readFileSync(file, 'utf8')).toBe(text);
});

// Between the look at the file and what is done with it a hand may come.
const LOOKED = { name: 'closeSync', part: 'wide.lock' };

test('removed from outside while it is renewed, it is lost', async () => {
  for (const call of [LOOKED, { name: 'openSync', part: 'wide.lock', nth: 2 }]) {
    const { owner, file, locks } = await setting();
    const lost = owner.event('lost', 'wide');
    await owner.meddle(call, { remove: file });
    await expect(owner.call('renew', 'wide')).rejects.toMatchObject({ code: 'ERR_LOCK_LOST' });
    expect(await lost).toBe('ERR_LOCK_LOST');
    expect(readdirSync(locks)).toEqual([]);
  }
});

test('removed from outside while it is released, it was no longer ours', async () => {
  for (const call of [LOOKED, { name: 'unlinkSync', part: 'wide.lock' }]) {
    const { owner, file } = await setting();
    await owner.meddle(call, { remove: file });
    expect(await owner.call('release', 'wide')).toBe(false);
    expect(await owner.describe('wide')).toMatchObject({ fd: -1 });
  }
});

test('removed from outside while its owner checks it on its own, it is lost', async () => {
  const { owner, file } = await setting();
  const lost = owner.event('lost', 'wide');
  await owner.meddle(LOOKED, { remove: file });
  // A change, so that it looks.
  utimesSync(file, 1, 1);
  expect(await lost).toBe('ERR_LOCK_LOST');
  expect(await owner.describe('wide')).toMatchObject({ fd: -1, aborted: true });
});
