import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type ClaimOptions, type ClaimRequest, Claims } from '../../src/claims.js';
import { refused, setUp } from '../support/claims-refused.js';
import { testFolder } from '../support/folder.js';
import { ARGUMENT_CODES, errorOf } from '../support/refused.js';

const [TYPE, VALUE, RANGE] = ARGUMENT_CODES;
const good: ClaimRequest = { agent: 'a', files: ['x'] };

describe('options', () => {
  test.each<[string, unknown, string]>([
    ['timeout', -1, RANGE],
    ['timeout', Number.NaN, RANGE],
    ['timeout', '5', TYPE],
    ['timeout', null, TYPE],
    ['signal', {}, TYPE],
    ['signal', 'abort', TYPE],
    ['signal', null, TYPE],
    ['onWait', 'call', TYPE],
    ['onWait', null, TYPE],
    ['ignoreInvalid', 1, TYPE],
    ['ignoreInvalid', null, TYPE],
  ])('of claim and claimAll with %s: %o are refused', async (name, value, code) => {
    const options = { [name]: value } as ClaimOptions;
    await refused(code, (claims) => [
      () => claims.claim(good, options),
      () => claims.claimAll([good], options),
      () => claims.claimAll([], options),
    ]);
  });

  test.each([[null], ['x'], [5], [[]]])('are not %o', async (value) => {
    const options = value as never;
    await refused(TYPE, (claims) => [
      () => claims.claim(good, options),
      () => claims.claimAll([good], options),
      () => claims.plan([good], options),
      () => claims.check(['x'], options),
      () => claims.release('a', options),
      () => claims.releaseAll(options),
      () => claims.watch(options)[Symbol.asyncIterator]().next(),
      () => new Claims('x', options),
    ]);
  });

  test('of the others are refused where they are wrong', async () => {
    await refused(TYPE, (claims) => [
      () => claims.check(['x'], { as: 5 as never }),
      () => claims.check('x' as never),
      () => claims.release('a', { force: 'yes' as never }),
      () =>
        claims
          .watch({ signal: {} as never })
          [Symbol.asyncIterator]()
          .next(),
    ]);
  });

  test.each([['all'], [null], [{}], [[null]], [['a']]])(
    'existing: %j is refused',
    async (value) => {
      await refused(TYPE, (claims) => [() => claims.plan([good], { existing: value as never })]);
    },
  );

  test('may be undefined by name', async () => {
    const { claims } = setUp();
    const claim = await claims.claim(good, {
      timeout: undefined,
      signal: undefined,
      onWait: undefined,
      ignoreInvalid: undefined,
    });
    expect(await claims.check(['x'], { as: undefined })).toMatchObject([{ verdict: 'other' }]);
    expect(await claims.release('a', { force: undefined })).toBe(true);
    await claim.release();
  });

  test('with a signal that is aborted already reject with its reason, and make nothing', async () => {
    const { folder, claims } = setUp();
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    expect(await errorOf(() => claims.claim(good, { signal }))).toBe(reason);
    expect(await errorOf(() => claims.claimAll([good], { signal }))).toBe(reason);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('the constructor', () => {
  test.each<[unknown, string]>([
    ['', VALUE],
    ['a\0b', VALUE],
    [null, TYPE],
    [5, TYPE],
    [new URL('https://example.org/'), TYPE],
  ])('refuses %o as directory and as root', async (path, code) => {
    await refused(code, () => [
      () => new Claims(path as string),
      () => new Claims('x', { root: path as string }),
    ]);
  });

  test('makes nothing and takes what is not there yet', async () => {
    const folder = testFolder();
    const claims = new Claims(join(folder, 'a/b/locks'), { root: join(folder, 'tree') });
    expect(claims).toMatchObject({
      directory: join(folder, 'a/b/locks'),
      root: join(folder, 'tree'),
    });
    expect(await claims.list()).toEqual([]);
    expect(await claims.audit()).toEqual([]);
    expect(await claims.prune()).toEqual([]);
    expect(await claims.release('a')).toBe(false);
    await claims.releaseAll();
    expect(await claims.check(['x'])).toMatchObject([{ verdict: 'unclaimed', owner: null }]);
    expect(await claims.claimAll([])).toEqual([]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('takes file: URLs', () => {
    const claims = new Claims(new URL('file:///some/locks'), { root: new URL('file:///some') });
    expect(claims).toMatchObject({ directory: '/some/locks', root: '/some' });
  });
});

describe('renew', () => {
  test.each<[unknown, string]>([
    [0, RANGE],
    [-5, RANGE],
    [Number.NaN, RANGE],
    [Number.POSITIVE_INFINITY, RANGE],
    ['5', TYPE],
    [null, TYPE],
  ])('with %o is refused, and the claim is as it was', async (ttl, code) => {
    const { claims } = setUp();
    const claim = await claims.claim(good);
    const { expiresAt } = claim;
    expect(await errorOf(() => claim.renew(ttl as number))).toMatchObject({ code });
    expect(claim.expiresAt).toEqual(expiresAt);
    expect(claim.signal.aborted).toBe(false);
    expect(await claim.release()).toBe(true);
  });
});

describe('renew by name', () => {
  test.each<[unknown, string]>([
    ['', VALUE],
    ['a/b', VALUE],
    ['..', VALUE],
    ['a..b', VALUE],
    ['.hidden', VALUE],
    ['a\0b', VALUE],
    ['a\ud800', VALUE],
    ['a'.repeat(251), VALUE],
    [undefined, TYPE],
    [null, TYPE],
    [7, TYPE],
    [['a'], TYPE],
  ])('of the agent %# is refused', async (agent, code) => {
    await refused(code, (claims) => [() => claims.renew(agent as string, 1000)]);
  });

  test.each<[unknown, string]>([
    [0, RANGE],
    [-5, RANGE],
    [Number.NaN, RANGE],
    [Number.POSITIVE_INFINITY, RANGE],
    [1e300, RANGE],
    ['5', TYPE],
    [null, TYPE],
    [undefined, TYPE],
  ])('with %o is refused, and the claim is as it was', async (ttl, code) => {
    const { claims } = setUp();
    const claim = await claims.claim(good);
    const { expiresAt } = claim;
    expect(await errorOf(() => claims.renew('a', ttl as number))).toMatchObject({ code });
    expect(await claims.list()).toMatchObject([{ state: 'active', expiresAt }]);
    expect(await claim.release()).toBe(true);
  });
});
