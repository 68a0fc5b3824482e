import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { isNameHere } from '../../src/base/file-name.js';
import { ClaimsFolder } from '../../src/claims/folder.js';
import { parsePattern } from '../../src/claims/parse-pattern.js';
import type { Root } from '../../src/claims/root.js';
import { ScopeIndex } from '../../src/claims/scope.js';
import { type Claim, type ClaimRequest, Claims } from '../../src/claims.js';
import { testFolder } from '../support/folder.js';

const ROOT: Root = { path: '/tree', real: '/tree', ignoresCase: false };

/** What reviews by experiment found. */
function places(): { root: string; locks: string; claims: Claims } {
  const root = testFolder();
  const locks = join(root, 'locks');
  return { root, locks, claims: new Claims(locks, { root }) };
}

function byHand(locks: string, agent: string, fields: object): void {
  mkdirSync(locks, { recursive: true });
  const time = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}Z`;
  const times = { locked_at: time(Date.now()), expires_at: time(Date.now() + 600_000) };
  const claim = { agent, ...times, files: [], ...fields };
  writeFileSync(join(locks, `${agent}.lock`), JSON.stringify(claim));
}

describe('an owner whose timers are late', () => {
  test('does not cover anything once its claim has expired', async () => {
    const { claims } = places();
    const claim = await claims.claim({ agent: 'a', files: ['x'], ttl: 3000 });
    expect(claim.covers('x')).toBe(true);
    const gone = claim.expiresAt.getTime() - 2000;
    // Nothing else runs in this thread meanwhile.
    while (Date.now() < gone) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    expect(claim.covers('x')).toBe(false);
    expect(claim.signal.aborted).toBe(true);
    await claims.releaseAll();
  });

  test('neither renews such a claim nor takes it for its own at release', async () => {
    const { claims } = places();
    const requests = ['a', 'b'].map((agent) => ({ agent, files: [agent], ttl: 3000 }));
    const [one, two] = (await claims.claimAll(requests)) as [Claim, Claim];
    const gone = one.expiresAt.getTime() - 2000;
    while (Date.now() < gone) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    const outcomes = await Promise.allSettled([one.renew(), two.release()]);
    expect(outcomes).toMatchObject([
      { status: 'rejected', reason: { code: 'ERR_LOCK_LOST' } },
      { status: 'fulfilled', value: false },
    ]);
    await claims.releaseAll();
  });

  test('with a short ttl it is renewed in time all the same', async () => {
    const { claims } = places();
    const claim = await claims.claim({ agent: 'a', files: ['x'], ttl: 3000, keepAlive: true });
    const first = claim.expiresAt.getTime();
    for await (const [status] of claims.watch()) {
      if ((status?.expiresAt?.getTime() ?? 0) > first) break;
    }
    expect(claim.signal.aborted).toBe(false);
    await claim.release();
  });

  test('that was given another scope by hand is lost', async () => {
    const { locks, claims } = places();
    const claim = await claims.claim({ agent: 'a', files: ['x'] });
    const lost = new Promise((resolve) => claim.signal.addEventListener('abort', resolve));
    const file = join(locks, 'a.lock');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"x"', '"y"'));
    await lost;
    expect(claim.signal.reason).toMatchObject({ code: 'ERR_LOCK_LOST' });
  });
});

describe('thousands of exceptions', () => {
  test.each([
    ['of single files', (at: number) => `src/mod${at % 50}/file-number-${at}.ts`],
    ['of patterns', (at: number) => `src/mod${at % 50}/*-number-${at}.ts`],
  ])('%s are decided', async (_, name) => {
    const { claims } = places();
    const except = Array.from({ length: 2000 }, (_each, at) => name(at));
    const wide: ClaimRequest = { agent: 'a', directories: ['src/'], except };
    await claims.claim(wide);
    await expect(claims.claim({ agent: 'b', directories: ['src/'] })).rejects.toMatchObject({
      code: 'ERR_CLAIM_CONFLICT',
    });
    await claims.claim({ agent: 'c', files: [name(7).replace('*', 'a'), name(1999)] });
  });
});

test('patterns too intricate to be told apart count as overlapping, and keep nobody else', async () => {
  const { locks, claims } = places();
  byHand(locks, 'odd', { files: [`${'*a'.repeat(1000)}*b*`] });
  const request = { agent: 'a', files: [`${'*b'.repeat(1000)}*c*`] };
  await expect(claims.claim(request)).rejects.toMatchObject({
    code: 'ERR_CLAIM_CONFLICT',
    conflicts: [{ agents: ['a', 'odd'], witness: '' }],
  });
  byHand(locks, 'odder', { files: request.files });
  expect(await claims.list()).toMatchObject([
    { agent: 'odd', state: 'conflicting' },
    { agent: 'odder', state: 'conflicting' },
  ]);
  await claims.claim({ agent: 'other', files: ['c.ts'] });
});

const BEGINNING = '[{"from":".holdfast-0123456789abcdef.tmp"';

test.each(['', '\0\0\0', BEGINNING, `${BEGINNING}}]`, `${BEGINNING},"to":"../a.lock"}]`])(
  'a journal %j, as a power failure may leave it, lists nothing',
  async (journal) => {
    const { locks, claims } = places();
    mkdirSync(locks);
    writeFileSync(join(locks, '.holdfast-journal'), journal);
    expect(await claims.list()).toEqual([]);
    await claims.claim({ agent: 'a', files: ['x'] });
    expect(readdirSync(locks)).toEqual(['a.lock']);
  },
);

test.each(['2026-02-30T10:00:00Z', '2026-13-01T10:00:00Z', '2026-04-31T10:00:00Z'])(
  'a day that there is not, %s, is no time',
  async (locked_at) => {
    const { locks, claims } = places();
    byHand(locks, 'a', { locked_at, files: ['x'] });
    expect(await claims.list()).toMatchObject([{ state: 'invalid' }]);
  },
);

test('the message of a refusal by many is short, and its fields have them all', async () => {
  const { claims } = places();
  const requests = Array.from({ length: 200 }, (_, at) => ({ agent: `a${at}`, files: [`${at}`] }));
  await claims.claimAll(requests);
  const error = await claims.claim({ agent: 'all', directories: ['.'] }).catch((each) => each);
  expect(error.conflicts).toHaveLength(200);
  expect(error.message.length).toBeLessThan(1000);
  expect(error.waited).toBe(0);
});

test('a folder whose name is as long as it may be is read back, with its slash', async () => {
  const { claims } = places();
  const longest = 'a'.repeat(4096);
  await claims.claim({ agent: 'a', directories: [longest] });
  expect(await claims.list()).toMatchObject([{ state: 'active', directories: [`${longest}/`] }]);
  await expect(claims.claim({ agent: 'b', directories: [`${longest}a`] })).rejects.toMatchObject({
    code: 'ERR_INVALID_ARG_VALUE',
  });
});

test('a claim of very many entries is compared in bounded time, and breaks nothing', async () => {
  const { claims } = places();
  const many = Array.from({ length: 150_000 }, (_, at) => `*${at.toString(36)}`);
  const index = new ScopeIndex();
  index.add({ patterns: many.map((each) => parsePattern(each, 'file', ROOT, 'it')), except: [] });
  const one = { patterns: [parsePattern('src/a.ts', 'file', ROOT, 'it')], except: [] };
  expect([...index.overlapsWith(one, () => true)]).toEqual([]);
  // Two long lists that are alike.
  const files = Array.from({ length: 10_000 }, (_, at) => `src/file-number-${at}.ts`);
  await claims.claim({ agent: 'a', files });
  await expect(claims.claim({ agent: 'b', files })).rejects.toMatchObject({
    code: 'ERR_CLAIM_CONFLICT',
    conflicts: [{ resolutions: [{ kind: 'merge' }, { kind: 'sequential' }] }],
  });
});

test('whoever removes the folder begins with what is in it: the claim is tried again', async () => {
  const folder = new ClaimsFolder(join(testFolder(), 'locks'), ROOT);
  let tries = 0;
  const done = await folder.exclusively(() => {
    tries++;
    const temporary = join(folder.path, 'written');
    writeFileSync(temporary, '{}');
    // By another hand, and the folder is not gone yet.
    if (tries === 1) unlinkSync(temporary);
    renameSync(temporary, join(folder.path, 'a.lock'));
    return readdirSync(folder.path);
  }, {});
  expect({ done, tries }).toEqual({ done: ['a.lock'], tries: 2 });
});

test('what is missing in a folder that is there stays an error of its own', async () => {
  const folder = new ClaimsFolder(join(testFolder(), 'locks'), ROOT);
  const body = (): void => renameSync(join(folder.path, 'nothing'), join(folder.path, 'a.lock'));
  await expect(folder.exclusively(body, {})).rejects.toMatchObject({
    code: 'ENOENT',
    syscall: 'rename',
  });
});

test('names that a file system may take for one are not claimed together', async () => {
  const { locks, claims } = places();
  const requests = ['api', 'API'].map((agent) => ({ agent, files: [agent] }));
  await expect(claims.claimAll(requests)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
  expect(existsSync(locks)).toBe(false);
});

test('a claim does not take the place of a file that goes by another name', async () => {
  const { locks, claims } = places();
  await claims.claim({ agent: 'api', files: ['a'] });
  // As where names ignore case: the folder lists one name, and has the file under both.
  const listed = vi.spyOn(ClaimsFolder.prototype, 'fileOf').mockImplementation(() => {
    return join(locks, 'api.lock');
  });
  onTestFinished(() => listed.mockRestore());
  await expect(claims.claim({ agent: 'API', files: ['b'] })).rejects.toMatchObject({
    code: 'ERR_CLAIM_INVALID',
    message: expect.stringContaining('the same file'),
  });
  expect(readdirSync(locks)).toEqual(['api.lock']);
});

test.each([['a\\b', 'a:b', 'a?b', 'a*', 'a"', '<a', 'a|b', 'con', 'NUL', 'com1.x', 'a\tb']])(
  'what is no name of a file on Windows: %s',
  (...names) => {
    for (const name of names) {
      expect(isNameHere(name, 'win32')).toBe(false);
      expect(isNameHere(name, 'linux')).toBe(true);
    }
    for (const name of ['console', 'api', 'a b', 'é', 'com10']) {
      expect(isNameHere(name, 'win32')).toBe(true);
    }
  },
);
