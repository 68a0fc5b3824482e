import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { NARROW, setting, WIDE } from '../support/claims-bound.js';
import { endProcess } from '../support/claims-peer.js';

const fieldsOf = (file: string): Record<string, unknown> => JSON.parse(readFileSync(file, 'utf8'));

test('a bound claim names its process, and has a descriptor of its file', async () => {
  const { owner, file, claims } = await setting();
  const [status] = await claims.list();
  expect(status).toMatchObject({ agent: 'wide', state: 'active', bound: { pid: owner.pid } });
  expect(fieldsOf(file)['bound']).toMatchObject({ pid: owner.pid });
  expect(await owner.call('fileOfDescriptor', 'wide')).toBe(statSync(file).ino);
});

test('orphaned as soon as its process is killed, and free for overlapping claims', async () => {
  const { owner, other, stateOf, locks, claims } = await setting();
  await expect(other.claim(NARROW)).rejects.toMatchObject({ code: 'ERR_CLAIM_CONFLICT' });
  await owner.kill();
  expect(await stateOf('wide')).toBe('orphaned');
  expect(await claims.audit()).toEqual([]);
  expect(await claims.check(['src/b/a.ts'])).toMatchObject([{ verdict: 'unclaimed' }]);
  await other.claim(NARROW);
  expect(readdirSync(locks)).toEqual(['narrow.lock']);
  expect(other.stderr).toBe('');
});

test('a waiter for it is granted promptly when its process is killed', async () => {
  const waits: number[] = [];
  for (let round = 0; round < 3; round++) {
    const { owner, other } = await setting();
    const { granted } = await other.waitFor(NARROW);
    const killed = performance.now();
    await owner.kill();
    await granted;
    waits.push(performance.now() - killed);
  }
  // The kernel tells: it is not found out by looking each second.
  expect(Math.min(...waits)).toBeLessThan(300);
});

test('active after its process was killed for as long as a child that was given the descriptor lives', async () => {
  const { owner, other, stateOf } = await setting();
  const child = await owner.lend('wide');
  await owner.kill();
  expect(await stateOf('wide')).toBe('active');
  await expect(other.claim(NARROW)).rejects.toMatchObject({ code: 'ERR_CLAIM_CONFLICT' });
  const { granted } = await other.waitFor(NARROW);
  expect(await stateOf('wide')).toBe('active');
  endProcess(child);
  await granted;
  expect(await stateOf('wide')).toBeUndefined();
});

test('active after its process has left with process.exit, while the child lives', async () => {
  const { owner, other, stateOf } = await setting();
  const child = await owner.lend('wide');
  owner.call('exit', 3).catch(() => {});
  expect(await owner.exited).toMatchObject({ code: 3 });
  expect(await stateOf('wide')).toBe('active');
  const { granted } = await other.waitFor(NARROW);
  endProcess(child);
  await granted;
});

test('free once its process has left with process.exit and lent it to nobody', async () => {
  const { owner, other, stateOf } = await setting();
  owner.call('exit', 0).catch(() => {});
  await owner.exited;
  expect(await stateOf('wide')).toBe('orphaned');
  await other.claim(NARROW);
});

test('active whatever expires_at says', async () => {
  const { owner, other, file, stateOf, claims } = await setting();
  const fields = fieldsOf(file);
  const text = readFileSync(file, 'utf8')
    .replace(String(fields['expires_at']), '2020-01-01T00:00:01Z')
    .replace(String(fields['locked_at']), '2020-01-01T00:00:00Z');
  // In place, as `renew` does: the same inode.
  writeFileSync(file, text, { flag: 'r+' });
  expect(await stateOf('wide')).toBe('active');
  expect(await claims.prune()).toEqual([]);
  await expect(other.claim(NARROW)).rejects.toMatchObject({ code: 'ERR_CLAIM_CONFLICT' });
  expect(await owner.describe('wide')).toMatchObject({ aborted: false });
  await owner.call('renew', 'wide');
  expect(await owner.call('release', 'wide')).toBe(true);
});

test('a bound claim whose ttl has passed is neither lost to its owner nor granted to others', async () => {
  const { owner, other, stateOf } = await setting();
  // Counted as gone at once if it were not bound.
  await owner.claim({ ...WIDE, ttl: 1 });
  const patient = other.claim(NARROW, { timeout: 3500 });
  await expect(patient).rejects.toMatchObject({ code: 'ERR_CLAIM_CONFLICT' });
  expect(await stateOf('wide')).toBe('active');
  expect(await owner.describe('wide')).toMatchObject({ aborted: false });
  expect(await owner.call('covers', 'wide', 'src/b/a.ts')).toBe(true);
  await owner.call('renew', 'wide');
});

test('renew changes 20 characters in place: the inode and the lent descriptor stay the locked ones', async () => {
  const { owner, file, stateOf } = await setting();
  const child = await owner.lend('wide');
  const before = { ino: statSync(file).ino, text: readFileSync(file, 'utf8') };
  const oldTime = String(fieldsOf(file)['expires_at']);
  await owner.call('renew', 'wide', 7_200_000);
  const newTime = String(fieldsOf(file)['expires_at']);
  expect([oldTime.length, newTime.length]).toEqual([20, 20]);
  expect(newTime > oldTime).toBe(true);
  expect(statSync(file).ino).toBe(before.ino);
  expect(readFileSync(file, 'utf8')).toBe(before.text.replace(oldTime, newTime));
  expect((await owner.describe('wide')).expiresAt).toEqual(new Date(newTime));
  expect(await owner.call('fileOfDescriptor', 'wide')).toBe(before.ino);
  await owner.kill();
  expect(await stateOf('wide')).toBe('active');
  endProcess(child);
});

test('renew finds expires_at of a file that a hand has formatted, and leaves unknown fields', async () => {
  const { owner, file } = await setting();
  const nested = { expires_at: '2020-01-01T00:00:00Z' };
  const fields = { note: nested, ...fieldsOf(file), 'x-ticket': 'expires_at' };
  writeFileSync(file, JSON.stringify(fields, null, 2), { flag: 'r+' });
  const { ino } = statSync(file);
  await owner.call('renew', 'wide', 7_200_000);
  const renewed = fieldsOf(file);
  expect(renewed).toEqual({ ...fields, expires_at: renewed['expires_at'] });
  expect(renewed['expires_at']).not.toBe((fields as Record<string, unknown>)['expires_at']);
  expect(statSync(file).ino).toBe(ino);
});

test('a new claim of the same agent from another process replaces it by force: the old owner hears, the old child holds nothing', async () => {
  const { owner, other, file, stateOf } = await setting();
  const child = await owner.lend('wide');
  const lost = owner.event('lost', 'wide');
  const { ino } = statSync(file);
  await other.claim(WIDE, { force: true });
  expect(await lost).toBe('ERR_LOCK_LOST');
  expect(statSync(file).ino).not.toBe(ino);
  expect(await other.call('fileOfDescriptor', 'wide')).toBe(statSync(file).ino);
  expect(fieldsOf(file)['bound']).toMatchObject({ pid: other.pid });
  await expect(owner.call('renew', 'wide')).rejects.toMatchObject({ code: 'ERR_LOCK_LOST' });
  expect(await owner.call('release', 'wide')).toBe(false);
  expect(await owner.describe('wide')).toMatchObject({ aborted: true, fd: -1 });
  await other.kill();
  // The old child lives, and has the old file.
  expect(() => process.kill(child, 0)).not.toThrow();
  expect(await stateOf('wide')).toBe('orphaned');
});

test('a new claim in the same process replaces it: the old child holds nothing', async () => {
  const { owner, stateOf, other } = await setting();
  const child = await owner.lend('wide');
  await owner.claim({ ...WIDE, files: ['src/c/a.ts'] });
  await owner.kill();
  expect(() => process.kill(child, 0)).not.toThrow();
  expect(await stateOf('wide')).toBe('orphaned');
  await other.claim(NARROW);
});

test('released by its owner it is free, though a child still has the descriptor', async () => {
  const { owner, other, locks } = await setting();
  await owner.lend('wide');
  expect(await owner.call('release', 'wide')).toBe(true);
  expect(readdirSync(locks)).toEqual([]);
  expect(await owner.describe('wide')).toMatchObject({ fd: -1, aborted: false });
  await other.claim(NARROW);
});

test('another process releases it only with force, and then the owner hears of it', async () => {
  const { owner, other, stateOf } = await setting();
  await expect(other.call('releaseAgent', 'wide')).rejects.toMatchObject({
    code: 'ERR_LOCK_HELD',
    holder: { pid: owner.pid },
  });
  expect(await stateOf('wide')).toBe('active');
  const lost = owner.event('lost', 'wide');
  expect(await other.call('releaseAgent', 'wide', { force: true })).toBe(true);
  expect(await lost).toBe('ERR_LOCK_LOST');
  await expect(owner.call('renew', 'wide')).rejects.toMatchObject({ code: 'ERR_LOCK_LOST' });
  expect(await owner.call('release', 'wide')).toBe(false);
});

test('the claim of a killed process is released without force, unless a child still has it', async () => {
  const { owner, other } = await setting();
  const child = await owner.lend('wide');
  await owner.kill();
  await expect(other.call('releaseAgent', 'wide')).rejects.toMatchObject({ code: 'ERR_LOCK_HELD' });
  const { granted } = await other.waitFor(NARROW);
  endProcess(child);
  await granted;
  expect(await other.call('releaseAgent', 'wide')).toBe(false);
});

test('its own process releases it by its name', async () => {
  const { owner, locks } = await setting();
  expect(await owner.call('releaseAgent', 'wide')).toBe(true);
  expect(readdirSync(locks)).toEqual([]);
  expect(await owner.describe('wide')).toMatchObject({ fd: -1, aborted: false });
});

test('releaseAll of its own process removes all of its bound claims and those that are not bound', async () => {
  const { owner, other, locks } = await setting();
  await owner.claim({ agent: 'another', files: ['docs/a.md'], bind: true });
  await other.claim({ agent: 'unbound', files: ['docs/b.md'] });
  await owner.call('releaseAll');
  expect(readdirSync(locks)).toEqual([]);
  expect(await owner.describe('wide')).toMatchObject({ fd: -1, aborted: false });
});

test('releaseAll leaves bound claims of other processes and removes the rest; with force these go too', async () => {
  const { owner, other, locks } = await setting();
  await other.claim({ agent: 'another', files: ['docs/a.md'] });
  await expect(other.call('releaseAll')).rejects.toMatchObject({
    code: 'ERR_LOCK_HELD',
    holder: { pid: owner.pid },
  });
  expect(readdirSync(locks)).toEqual(['wide.lock']);
  const lost = owner.event('lost', 'wide');
  await other.call('releaseAll', { force: true });
  expect(await lost).toBe('ERR_LOCK_LOST');
  expect(readdirSync(locks)).toEqual([]);
});

test('prune removes orphaned claims and tells which', async () => {
  const { owner, other, locks } = await setting();
  await owner.claim({ agent: 'unbound', files: ['docs/a.md'] });
  await owner.kill();
  expect(await other.call('prune')).toMatchObject([{ agent: 'wide', state: 'orphaned' }]);
  expect(readdirSync(locks)).toEqual(['unbound.lock']);
});
