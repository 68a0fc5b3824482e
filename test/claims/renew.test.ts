import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { a, expired, setUp } from '../support/claims-setting.js';
import { errorOf } from '../support/refused.js';

test('renewing by name puts the expiry of the claim off, and its owner follows', async () => {
  const { claims, others, directory } = setUp();
  const claim = await claims.claim(a);
  const before = JSON.parse(readFileSync(join(directory, 'a.lock'), 'utf8'));
  const expiresAt = await others.renew('a', 7_200_000);
  expect(expiresAt.getTime()).toBeGreaterThanOrEqual(Date.now() + 7_100_000);
  const after = JSON.parse(readFileSync(join(directory, 'a.lock'), 'utf8'));
  expect(after).toEqual({ ...before, expires_at: after.expires_at });
  expect(new Date(after.expires_at)).toEqual(expiresAt);
  await expect.poll(() => claim.expiresAt, { timeout: 15_000 }).toEqual(expiresAt);
  expect(claim.signal.aborted).toBe(false);
  expect(await claim.release()).toBe(true);
});

test('a claim that was edited into the folder is renewed by name as well', async () => {
  const { claims, put } = setUp();
  put('edited');
  const expiresAt = await claims.renew('edited', 60_000);
  expect(await claims.list()).toMatchObject([{ agent: 'edited', state: 'active', expiresAt }]);
});

test('an agent without an active claim has nothing to renew, and gets nothing', async () => {
  const { claims, put, names } = setUp();
  put('expired', expired);
  put('orphaned', { bound: { pid: 1, start: '' } });
  for (const agent of ['nobody', 'expired', 'orphaned']) {
    const error = await errorOf(() => claims.renew(agent, 60_000));
    expect(error).toMatchObject({ name: 'LockLostError', code: 'ERR_LOCK_LOST' });
  }
  expect(names()).toEqual(['expired.lock', 'orphaned.lock']);
});

test('a file that is not a valid claim is not renewed', async () => {
  const { claims, directory } = setUp();
  const file = join(directory, 'broken.lock');
  writeFileSync(file, '{');
  const error = await errorOf(() => claims.renew('broken', 60_000));
  expect(error).toMatchObject({ code: 'ERR_CLAIM_INVALID', files: [{ file }] });
  expect(readFileSync(file, 'utf8')).toBe('{');
});
