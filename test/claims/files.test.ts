import { readdirSync, readFileSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { handWritten, setUpFiles, time } from '../support/claims-setting.js';
import { errorOf } from '../support/refused.js';

describe('a claim that a hand wrote', () => {
  test('counts as it is in the specification', async () => {
    const { claims, put } = setUpFiles();
    put('integration-developer.lock', {
      agent: 'integration-developer',
      locked_at: time(-1000),
      files: ['backend/pkg/integrations/qualys/client.go'],
      directories: ['backend/pkg/integrations/qualys/'],
      task_description: 'Implement the client',
      expires_at: '2099-01-17T16:30:00Z',
    });
    expect(await claims.list()).toMatchObject([
      {
        agent: 'integration-developer',
        state: 'active',
        reason: null,
        files: ['backend/pkg/integrations/qualys/client.go'],
        directories: ['backend/pkg/integrations/qualys/'],
        except: [],
        task: 'Implement the client',
        expiresAt: new Date('2099-01-17T16:30:00Z'),
        bound: null,
      },
    ]);
    const request = { agent: 'tester', files: ['backend/**/*_test.go'] };
    expect(await errorOf(() => claims.claim(request))).toMatchObject({
      code: 'ERR_CLAIM_CONFLICT',
      conflicts: [
        {
          agents: ['tester', 'integration-developer'],
          task: 'Implement the client',
          expiresAt: new Date('2099-01-17T16:30:00Z'),
        },
      ],
    });
  });

  test.each<[string, (claim: object) => string]>([
    ['as jq prints it', (claim) => `${JSON.stringify(claim, null, 2)}\n`],
    ['with tabs', (claim) => JSON.stringify(claim, null, '\t')],
    ['with CR LF', (claim) => `${JSON.stringify(claim, null, 2).replaceAll('\n', '\r\n')}\r\n`],
    [
      'with its keys turned round',
      (claim) => JSON.stringify(Object.fromEntries(Object.entries(claim).reverse())),
    ],
    [
      'with unknown fields',
      (claim) =>
        JSON.stringify({ ...claim, version: 7, owner: { name: 'x', files: ['y'] }, tags: [null] }),
    ],
    [
      'with null for what is optional',
      (claim) =>
        JSON.stringify({
          ...claim,
          directories: null,
          task_description: null,
          except: null,
          id: null,
          bound: null,
        }),
    ],
    [
      'with fractions of seconds',
      (claim) => JSON.stringify({ ...claim, expires_at: '2099-01-17T16:30:00.123456Z' }),
    ],
    [
      'with a zone',
      (claim) => JSON.stringify({ ...claim, expires_at: '2099-01-17T16:30:00+02:00' }),
    ],
  ])('counts %s', async (_how, format) => {
    const { claims, put } = setUpFiles();
    put('x.lock', format(handWritten('x')));
    expect(await claims.list()).toMatchObject([{ agent: 'x', state: 'active', files: ['x.txt'] }]);
    const error = await errorOf(() => claims.claim({ agent: 'a', files: ['x.txt'] }));
    expect(error).toMatchObject({ code: 'ERR_CLAIM_CONFLICT' });
    expect(await claims.release('x')).toBe(true);
  });

  test("with no scope is a claim, and in nobody's way", async () => {
    const { claims, put } = setUpFiles();
    put('x.lock', handWritten('x', { files: [] }));
    const claim = await claims.claim({ agent: 'a', directories: ['.'] });
    expect((await claims.list()).map(({ state }) => state)).toEqual(['active', 'active']);
    await claim.release();
  });

  test('is free for its agent to claim anew, and goes when it is removed', async () => {
    const { claims, put, directory } = setUpFiles();
    const path = put('x.lock', handWritten('x'));
    put('y.lock', handWritten('y'));
    const claim = await claims.claim({ agent: 'x', files: ['new.txt'] });
    expect(claim.files).toEqual(['new.txt']);
    unlinkSync(path);
    unlinkSync(join(directory, 'y.lock'));
    const other = await claims.claim({ agent: 'z', files: ['x.txt', 'y.txt', 'new.txt'] });
    expect(await claim.release()).toBe(false);
    expect(await other.release()).toBe(true);
  });

  test('of pid 1, which nobody has locked, is orphaned and free', async () => {
    const { claims, put, directory } = setUpFiles();
    put('x.lock', handWritten('x', { bound: { pid: 1, start: '1@x' } }));
    expect(await claims.list()).toMatchObject([{ state: 'orphaned', bound: { pid: null } }]);
    const claim = await claims.claim({ agent: 'a', files: ['x.txt'] });
    expect(readdirSync(directory)).toEqual(['a.lock']);
    await claim.release();
  });
});

describe('the file of a claim', () => {
  test('has the fields of the specification, and few of its own', async () => {
    const { claims, get } = setUpFiles();
    const before = Math.floor(Date.now() / 1000) * 1000;
    await claims.claim({ agent: 'a', files: ['x', './y//z'] });
    const plain = get('a');
    expect(plain).toEqual({
      agent: 'a',
      locked_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      files: ['x', 'y/z'],
      expires_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      id: expect.stringMatching(/./),
    });
    const [locked, expires] = [plain['locked_at'], plain['expires_at']].map((each) =>
      Date.parse(each as string),
    ) as [number, number];
    expect(locked).toBeGreaterThanOrEqual(before);
    expect(locked).toBeLessThanOrEqual(Date.now());
    expect(expires - locked).toBeGreaterThanOrEqual(3_600_000);
    expect(expires - locked).toBeLessThanOrEqual(3_602_000);

    await claims.claim({
      agent: 'b',
      directories: ['src', 'lib/'],
      except: ['src/*.md', 'lib/a/'],
      taskDescription: 'Task "ü"\n',
    });
    expect(get('b')).toEqual({
      ...plain,
      agent: 'b',
      files: [],
      directories: ['src/', 'lib/'],
      except: ['src/*.md', 'lib/a/'],
      task_description: 'Task "ü"\n',
      locked_at: expect.any(String),
      expires_at: expect.any(String),
      id: expect.not.stringMatching(plain['id'] as string),
    });
    await claims.releaseAll();
  });

  test('expires in whole seconds, rounded up: never before the ttl is over', async () => {
    const { claims, get } = setUpFiles();
    for (const ttl of [10_000, 10_001, 10_999, 5000.5, 3_600_000]) {
      const before = Date.now();
      const claim = await claims.claim({ agent: 'a', files: ['x'], ttl });
      const after = Date.now();
      const expires = Date.parse(get('a')['expires_at'] as string);
      expect(claim.expiresAt.getTime()).toBe(expires);
      expect(expires).toBeGreaterThanOrEqual(before + ttl);
      expect(expires).toBeLessThan(after + ttl + 1000);
      expect(claim.lockedAt.getTime()).toBe(Date.parse(get('a')['locked_at'] as string));
    }
    await claims.releaseAll();
  });

  test('is one line that jq and cat show, and the only one in the folder', async () => {
    const { claims, directory } = setUpFiles();
    await claims.claim({ agent: 'a', files: ['x'] });
    await claims.claimAll([
      { agent: 'b', files: ['y'] },
      { agent: 'c', files: ['z'] },
    ]);
    expect(readdirSync(directory).sort()).toEqual(['a.lock', 'b.lock', 'c.lock']);
    for (const agent of ['a', 'b', 'c']) {
      expect(readFileSync(join(directory, `${agent}.lock`), 'utf8')).toMatch(/^\{[^\n]*\}\n$/);
    }
    await claims.releaseAll();
    expect(readdirSync(directory)).toEqual([]);
  });

  test('keeps unknown fields when it is renewed', async () => {
    const { claims, get, put } = setUpFiles();
    const claim = await claims.claim({ agent: 'a', files: ['x'], ttl: 60_000 });
    const old = get('a');
    const more = { ticket: 7, note: { expires_at: '2000-01-01T00:00:00Z' }, list: [1, null] };
    put('a.lock', JSON.stringify({ ...more, ...old }, null, 2));
    await claim.renew(7_200_000);
    const renewed = get('a');
    expect(renewed).toEqual({ ...more, ...old, expires_at: renewed['expires_at'] });
    expect(Date.parse(renewed['expires_at'] as string)).toBe(claim.expiresAt.getTime());
    expect(claim.expiresAt.getTime()).toBeGreaterThan(Date.now() + 7_100_000);
    expect(claim.signal.aborted).toBe(false);
    expect(await claim.release()).toBe(true);
  });

  test('that a hand has prolonged is still the same claim', async () => {
    const { claims, get, put } = setUpFiles();
    const claim = await claims.claim({ agent: 'a', files: ['x'], ttl: 60_000 });
    put('a.lock', { ...get('a'), expires_at: '2099-01-01T00:00:00Z' });
    await expect
      .poll(() => claim.expiresAt, { timeout: 10_000 })
      .toEqual(new Date('2099-01-01T00:00:00Z'));
    expect(claim.signal.aborted).toBe(false);
    expect(await claim.release()).toBe(true);
  });
});
