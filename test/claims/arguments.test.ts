import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ClaimRequest } from '../../src/claims.js';
import { refused, setUp } from '../support/claims-refused.js';
import { ARGUMENT_CODES, errorOf } from '../support/refused.js';

const [TYPE, VALUE, RANGE] = ARGUMENT_CODES;
const good: ClaimRequest = { agent: 'a', files: ['x'] };

const refusedRequest = (request: unknown, code: string): Promise<void> =>
  refused(code, (claims) => [
    () => claims.claim(request as ClaimRequest),
    () => claims.claimAll([request as ClaimRequest]),
    () => claims.claimAll([{ agent: 'first', files: ['y'] }, request as ClaimRequest]),
    () => claims.plan([request as ClaimRequest]),
  ]);

const agents: [agent: unknown, code: string][] = [
  ['', VALUE],
  ['a/b', VALUE],
  ['/', VALUE],
  ['a\0b', VALUE],
  ['..', VALUE],
  ['a..b', VALUE],
  ['.', VALUE],
  ['.hidden', VALUE],
  ['../a', VALUE],
  ['a'.repeat(251), VALUE],
  ['é'.repeat(126), VALUE],
  ['a'.repeat(100_000), VALUE],
  // No file name says it: the claim would not be found to be its own.
  ['a\ud800', VALUE],
  [undefined, TYPE],
  [null, TYPE],
  [7, TYPE],
  [['a'], TYPE],
  [Buffer.from('a'), TYPE],
];

describe('an agent', () => {
  test.each(agents)('%# is refused', async (agent, code) => {
    await refusedRequest({ ...good, agent }, code);
    await refused(code, (claims) => [() => claims.release(agent as string)]);
  });

  test.each([
    ['a'.repeat(250)],
    ['é'.repeat(125)],
    ['a b'],
    ['a.b'],
    ['-'],
    ['ünï-çødé'],
    ['\'"$(x)*?\\'],
    ['a\nb'],
    ['__proto__'],
    ['constructor'],
  ])('%# may be called that', async (agent) => {
    const { claims } = setUp();
    const claim = await claims.claim({ ...good, agent });
    expect((await claims.list()).map((each) => [each.agent, each.state])).toEqual([
      [agent, 'active'],
    ]);
    expect(await claim.release()).toBe(true);
    expect(claims.plan([{ agent, files: ['x'] }]).waves).toEqual([[agent]]);
  });
});

describe('a pattern', () => {
  test.each<[unknown, string]>([
    ['', VALUE],
    ['a\0', VALUE],
    ['..', VALUE],
    ['../x', VALUE],
    ['a/../../x', VALUE],
    ['*/../x', VALUE],
    ['/etc/passwd', VALUE],
    ['x'.repeat(5000), VALUE],
    [undefined, TYPE],
    [null, TYPE],
    [1, TYPE],
    [['x'], TYPE],
    [new URL('file:///x'), TYPE],
  ])('%# is refused in files, directories and except', async (pattern, code) => {
    await refusedRequest({ agent: 'a', files: ['ok', pattern] }, code);
    await refusedRequest({ agent: 'a', directories: [pattern] }, code);
    await refusedRequest({ ...good, except: [pattern] }, code);
  });

  test('is refused in check as a path; with wildcards it is a path', async () => {
    for (const [path, code] of [
      ['', VALUE],
      ['a\0', VALUE],
      ['x'.repeat(5000), VALUE],
      [1, TYPE],
    ] as const) {
      await refused(code, (claims) => [() => claims.check(['ok', path as string])]);
    }
    const { claims } = setUp();
    expect(await claims.check(['*/a?'])).toMatchObject([{ path: '*/a?', verdict: 'unclaimed' }]);
  });

  test('that is refused is named in the error', async () => {
    const { claims } = setUp();
    const error = await errorOf(() => claims.claim({ ...good, except: ['ok', '../x'] }));
    expect(String(error)).toMatch(/except\[1\]/);
    const other = await errorOf(() => claims.claimAll([good, { agent: 'b', files: ['', 'x'] }]));
    expect(String(other)).toMatch(/requests\[1\]\.files\[0\]/);
  });

  test('that is absolute below the root is relative to it', async () => {
    const { folder, claims } = setUp();
    const claim = await claims.claim({
      agent: 'a',
      files: [join(folder, 'x')],
      directories: [folder],
    });
    expect(claim.files).toEqual(['x']);
    expect(claim.directories).toEqual(['./']);
    await claim.release();
  });
});

describe('a scope', () => {
  test.each<[object]>([
    [{ agent: 'a' }],
    [{ agent: 'a', files: [] }],
    [{ agent: 'a', files: [], directories: [] }],
    [{ agent: 'a', except: ['x'] }],
    [{ agent: 'a', files: undefined, directories: undefined }],
    [{ agent: 'a', files: ['x'], except: ['x'] }],
    [{ agent: 'a', files: ['x', 'y/z'], except: ['x', 'y/'] }],
    [{ agent: 'a', directories: ['src'], except: ['src/'] }],
    [{ agent: 'a', directories: ['src'], except: ['.'] }],
    [{ agent: 'a', files: ['*.ts'], except: ['?*', '.ts'] }],
    [{ agent: 'a', files: ['src/**/x'], except: ['**/x'] }],
  ])('%j has nothing: only plan takes it', async (request) => {
    await refused(VALUE, (claims) => [
      () => claims.claim(request as ClaimRequest),
      () => claims.claimAll([request as ClaimRequest]),
      () => claims.claimAll([{ agent: 'b', files: ['b'] }, request as ClaimRequest]),
    ]);
    const { claims } = setUp();
    expect(claims.plan([request as ClaimRequest])).toEqual({ waves: [['a']], conflicts: [] });
  });

  test.each<[object]>([
    [{ directories: ['.'], except: ['a/'] }],
    [{ directories: ['.'] }],
    [{ files: ['**'] }],
    [{ files: ['**'], except: ['a/**'] }],
    [{ directories: ['src'], except: ['src/*'] }],
    [{ files: ['x'], except: ['y'] }],
  ])('%j has something', async (request) => {
    const { claims } = setUp();
    const claim = await claims.claim({ agent: 'a', ...request });
    expect(await claim.release()).toBe(true);
  });
});

describe('a request', () => {
  test.each<[string, unknown, string]>([
    ['files', 'x', TYPE],
    ['files', null, TYPE],
    ['files', { 0: 'x' }, TYPE],
    ['directories', 'x', TYPE],
    ['directories', new Set(['x']), TYPE],
    ['except', 'y', TYPE],
    ['except', 7, TYPE],
    ['taskDescription', 7, TYPE],
    ['taskDescription', null, TYPE],
    ['ttl', 0, RANGE],
    ['ttl', -1, RANGE],
    ['ttl', Number.NaN, RANGE],
    ['ttl', Number.POSITIVE_INFINITY, RANGE],
    ['ttl', Number.NEGATIVE_INFINITY, RANGE],
    ['ttl', 1e300, RANGE],
    ['ttl', '1000', TYPE],
    ['ttl', null, TYPE],
    ['ttl', 5n, TYPE],
    ['bind', 1, TYPE],
    ['bind', 'yes', TYPE],
    ['bind', null, TYPE],
    ['keepAlive', 0, TYPE],
    ['keepAlive', null, TYPE],
  ])('with %s: %o is refused', async (name, value, code) => {
    await refusedRequest({ ...good, [name]: value }, code);
  });

  test.each([[undefined], [null], ['a'], [5], [['a']], [() => {}]])('is not %o', async (value) => {
    await refusedRequest(value, TYPE);
  });

  test('may have undefined for what it does not say', async () => {
    const { claims } = setUp();
    const claim = await claims.claim({
      ...good,
      directories: undefined,
      except: undefined,
      taskDescription: undefined,
      ttl: undefined,
      bind: undefined,
      keepAlive: undefined,
    });
    expect(claim.expiresAt.getTime() - claim.lockedAt.getTime()).toBeGreaterThanOrEqual(3_600_000);
    await claim.release();
  });

  test('that would be longer than a claim may be is refused, and nothing is written', async () => {
    const { folder, claims } = setUp();
    const taskDescription = 'x'.repeat(2 ** 20);
    const error = await errorOf(() => claims.claim({ ...good, taskDescription }));
    expect(error).toMatchObject({ code: RANGE });
    const all = await errorOf(() =>
      claims.claimAll([
        { agent: 'b', files: ['b'] },
        { ...good, taskDescription },
      ]),
    );
    expect(all).toMatchObject({ code: RANGE });
    if (existsSync(join(folder, 'locks'))) {
      expect(readdirSync(join(folder, 'locks'))).toEqual([]);
    }
  });

  test('of the same agent twice is refused, in claimAll and plan', async () => {
    const twice = [good, { agent: 'b', files: ['b'] }, { agent: 'a', files: ['other'] }];
    await refused(VALUE, (claims) => [() => claims.claimAll(twice), () => claims.plan(twice)]);
  });

  test.each([[undefined], [null], [{}], ['a'], [good], [new Set([good])]])(
    '%#: is in an array, for claimAll and plan',
    async (requests) => {
      await refused(TYPE, (claims) => [
        () => claims.claimAll(requests as ClaimRequest[]),
        () => claims.plan(requests as ClaimRequest[]),
      ]);
    },
  );

  test('that the caller changes afterwards is claimed as it was', async () => {
    const { claims } = setUp();
    const request = { agent: 'a', files: ['x'] };
    const pending = claims.claim(request);
    request.files[0] = 'y';
    request.agent = 'b';
    const claim = await pending;
    expect(claim).toMatchObject({ agent: 'a', files: ['x'] });
    await claim.release();
  });
});
