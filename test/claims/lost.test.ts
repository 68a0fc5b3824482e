import { existsSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Claim } from '../../src/claims.js';
import {
  a,
  aborted,
  b,
  conflictOf,
  expired,
  LOST,
  type Setting,
  setUp,
} from '../support/claims-setting.js';
import { errorOf } from '../support/refused.js';
import { expectWarning } from '../support/setup.js';

expectWarning('HOLDFAST_CLAIM_EXPIRED');

describe('the signal of a claim', () => {
  test('tells that a hand has removed it', async () => {
    const { claims, directory } = setUp();
    const claim = await claims.claim(a);
    unlinkSync(join(directory, 'a.lock'));
    expect(await aborted(claim.signal)).toEqual(LOST);
    expect(claim.covers('src/a.ts')).toBe(false);
    expect(await claim.release()).toBe(false);
  });

  test.each(['valid', 'invalid'])(
    'tells that a hand has overwritten it with what is %s',
    async (kind) => {
      const { claims, put, directory } = setUp();
      const claim = await claims.claim(a);
      if (kind === 'valid') put('a');
      else writeFileSync(join(directory, 'a.lock'), 'broken');
      expect(await aborted(claim.signal)).toEqual(LOST);
      expect(await claim.release()).toBe(false);
      expect(existsSync(join(directory, 'a.lock'))).toBe(true);
    },
  );

  test('tells that the same agent has claimed anew elsewhere', async () => {
    const { claims, others } = setUp();
    const claim = await claims.claim(a);
    const newer = await others.claim({ ...a, files: ['other'] });
    expect(await aborted(claim.signal)).toEqual(LOST);
    expect(newer.signal.aborted).toBe(false);
    expect(await newer.release()).toBe(true);
  });

  test('tells that it has expired, two seconds before its time', async () => {
    const { claims, names } = setUp();
    const claim = await claims.claim({ ...a, ttl: 2500 });
    expect(await aborted(claim.signal)).toEqual(LOST);
    const left = claim.expiresAt.getTime() - Date.now();
    expect(left).toBeLessThanOrEqual(2000);
    expect(left).toBeGreaterThan(0);
    expect(claim.covers('src/a.ts')).toBe(false);
    expect(await errorOf(() => claim.renew())).toEqual(LOST);
    // Others respect it still.
    expect(names()).toEqual(['a.lock']);
    expect(await claims.list()).toMatchObject([{ state: 'active' }]);
    await conflictOf(claims.claim({ ...b, files: a.files }));
    await claims.releaseAll();
  });

  test('is silent when it is renewed in time', async () => {
    const { claims } = setUp();
    const claim = await claims.claim({ ...a, ttl: 3000 });
    const before = claim.expiresAt;
    await claim.renew(3_600_000);
    expect(claim.expiresAt.getTime()).toBeGreaterThan(before.getTime() + 3_000_000);
    expect((await claims.list())[0]?.expiresAt).toEqual(claim.expiresAt);
    expect(claim.signal.aborted).toBe(false);
    await claim.renew();
    expect(claim.expiresAt.getTime()).toBeLessThan(Date.now() + 5000);
    expect(await claim.release()).toBe(true);
  });
});

describe('a claim that is no longer the same', () => {
  const endings: [string, (setting: Setting) => unknown][] = [
    ['removed', ({ directory }) => unlinkSync(join(directory, 'a.lock'))],
    ['overwritten by hand', ({ put }) => put('a')],
    [
      'overwritten by what is invalid',
      ({ directory }) => writeFileSync(join(directory, 'a.lock'), ''),
    ],
    ['claimed anew by the same name', ({ others }) => others.claim(a)],
    ['claimed anew here', ({ claims }) => claims.claim(a)],
    ['released by its name', ({ others }) => others.release('a')],
    ['swept', ({ others }) => others.releaseAll()],
    ['overwritten with the id of nobody', ({ put }) => put('a', { id: null })],
  ];

  test.each(endings)('as it was %s is neither revived nor deleted', async (_how, end) => {
    const setting = setUp();
    const { claims, directory, names } = setting;
    const content = (): string | null =>
      existsSync(join(directory, 'a.lock'))
        ? readFileSync(join(directory, 'a.lock'), 'utf8')
        : null;
    const [renewing, releasing] = [await claims.claim(a), () => claims.claim(a)];
    await end(setting);
    const after = content();
    expect(await errorOf(() => renewing.renew())).toEqual(LOST);
    expect(await renewing.release()).toBe(false);
    expect(content()).toBe(after);
    expect(renewing.signal.aborted).toBe(true);
    // The same without a renewal that has found it out.
    if (after !== '') {
      const claim = await releasing();
      await end(setting);
      const then = content();
      expect(await claim.release()).toBe(false);
      expect(content()).toBe(then);
    }
    expect(names().filter((name) => name !== 'a.lock')).toEqual([]);
  });

  test('as another has overwritten it after its expiry is neither revived nor deleted', async () => {
    const { claims, others, put, directory } = setUp();
    const claim = await claims.claim(a);
    const { id } = JSON.parse(readFileSync(join(directory, 'a.lock'), 'utf8'));
    put('a', { id, files: a.files, ...expired });
    const other = await others.claim({ ...b, files: a.files });
    expect(await errorOf(() => claim.renew())).toEqual(LOST);
    expect(await claim.release()).toBe(false);
    expect((await claims.list()).map(({ agent }) => agent)).toEqual(['b']);
    expect(await other.release()).toBe(true);
  });
});

describe('keepAlive', () => {
  test('renews at a third of the ttl, until it is released', async () => {
    const { claims, others, names } = setUp();
    const claim = await claims.claim({ ...a, ttl: 4500, keepAlive: true });
    const first = claim.expiresAt.getTime();
    await expect
      .poll(() => claim.expiresAt.getTime(), { timeout: 15_000, interval: 50 })
      .toBeGreaterThan(first + 2000);
    expect(claim.signal.aborted).toBe(false);
    expect(await others.list()).toMatchObject([{ state: 'active', expiresAt: claim.expiresAt }]);
    expect(await claim.release()).toBe(true);
    expect(names()).toEqual([]);
  });

  test('of a claim that was taken away does not bring it back', async () => {
    const { claims, others, names } = setUp();
    const claim = await claims.claim({ ...a, ttl: 3600, keepAlive: true });
    expect(await others.release('a')).toBe(true);
    const other = await others.claim({ ...b, files: a.files });
    expect(await aborted(claim.signal)).toEqual(LOST);
    // Past the time of the next renewal: shows that nothing happens.
    await sleep(1500);
    expect(names()).toEqual(['b.lock']);
    await other.release();
  });
});

/** The clock says so, and no timer has run: as after the process was stopped. */
function jumpTo(milliseconds: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now: milliseconds });
  onTestFinished(() => void vi.useRealTimers());
}

describe('an owner whose timers are late', () => {
  test('does not cover anything once its claim has expired', async () => {
    const { claims } = setUp();
    const claim = await claims.claim({ agent: 'a', files: ['x'], ttl: 3000 });
    expect(claim.covers('x')).toBe(true);
    const gone = claim.expiresAt.getTime() - 2000;
    jumpTo(gone);
    expect(claim.covers('x')).toBe(false);
    expect(claim.signal.aborted).toBe(true);
    await claims.releaseAll();
  });

  test('neither renews such a claim nor takes it for its own at release', async () => {
    const { claims } = setUp();
    const requests = ['a', 'b'].map((agent) => ({ agent, files: [agent], ttl: 3000 }));
    const [one, two] = (await claims.claimAll(requests)) as [Claim, Claim];
    const gone = one.expiresAt.getTime() - 2000;
    jumpTo(gone);
    const outcomes = await Promise.allSettled([one.renew(), two.release()]);
    expect(outcomes).toMatchObject([
      { status: 'rejected', reason: { code: 'ERR_LOCK_LOST' } },
      { status: 'fulfilled', value: false },
    ]);
    await claims.releaseAll();
  });

  test('with a short ttl it is renewed in time all the same', async () => {
    const { claims } = setUp();
    const claim = await claims.claim({ agent: 'a', files: ['x'], ttl: 3000, keepAlive: true });
    const first = claim.expiresAt.getTime();
    for await (const [status] of claims.watch()) {
      if ((status?.expiresAt?.getTime() ?? 0) > first) break;
    }
    expect(claim.signal.aborted).toBe(false);
    await claim.release();
  });

  test('whose scope was edited follows, and keeps the id', async () => {
    const { directory, claims } = setUp();
    const claim = await claims.claim({ agent: 'a', files: ['x'] });
    const file = join(directory, 'a.lock');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"x"', '"y"'));
    await expect.poll(() => claim.files).toEqual(['y']);
    expect([claim.covers('x'), claim.covers('y')]).toEqual([false, true]);
    expect(claim.signal.aborted).toBe(false);
    // As jq writes it: another file, with other blanks.
    const edited = { ...JSON.parse(readFileSync(file, 'utf8')), directories: ['lib/'] };
    writeFileSync(`${file}.new`, JSON.stringify(edited, null, 2));
    renameSync(`${file}.new`, file);
    await expect.poll(() => claim.covers('lib/z')).toBe(true);
    expect(await claim.release()).toBe(true);
  });
});
