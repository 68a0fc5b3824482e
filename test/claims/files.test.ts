import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Claims } from '../../src/claims.js';
import { testFolder } from '../support/folder.js';
import { errorOf } from '../support/refused.js';

interface Setting {
  folder: string;
  directory: string;
  claims: Claims;
  /** Writes a file among the claims. */
  put: (name: string, content: string | Buffer | object) => string;
  /** What is in a claim's file. */
  get: (agent: string) => Record<string, unknown>;
}

function setUp(): Setting {
  const folder = testFolder();
  const directory = join(folder, 'locks');
  mkdirSync(directory);
  const put: Setting['put'] = (name, content) => {
    const path = join(directory, name);
    const raw = typeof content === 'string' || Buffer.isBuffer(content);
    writeFileSync(path, raw ? content : JSON.stringify(content));
    return path;
  };
  const get: Setting['get'] = (agent) =>
    JSON.parse(readFileSync(join(directory, `${agent}.lock`), 'utf8'));
  return { folder, directory, claims: new Claims(directory, { root: folder }), put, get };
}

const time = (fromNow: number): string =>
  `${new Date(Date.now() + fromNow).toISOString().slice(0, 19)}Z`;

/** As people write it. */
const byHand = (agent: string, more: object = {}): object => ({
  agent,
  locked_at: time(-60_000),
  files: [`${agent}.txt`],
  expires_at: time(3_600_000),
  ...more,
});

const without = (name: string): object => byHand('x', { [name]: undefined });

const invalid: [what: string, content: string | Buffer | object][] = [
  ['empty', ''],
  ['a line break', '\n'],
  ['text', 'locked'],
  ['a pid', '12345\n'],
  ['truncated', JSON.stringify(byHand('x')).slice(0, -10)],
  ['two objects', JSON.stringify(byHand('x')).repeat(2)],
  ['with a byte order mark', `\ufeff${JSON.stringify(byHand('x'))}`],
  ['binary', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 0xff, 0xfe])],
  ['JSON in UTF-16', Buffer.from(JSON.stringify(byHand('x')), 'utf16le')],
  ['JSON with a byte that is no UTF-8', Buffer.from('{"agent":"x\xff"}', 'latin1')],
  ['NULs after a crash', Buffer.alloc(200)],
  ['null', 'null'],
  ['a list', '[]'],
  ['a string', '"x"'],
  ['an empty object', '{}'],
  ['over 1 MiB', byHand('x', { task_description: 'x'.repeat(2 ** 20) })],
  ['over 1 MiB of blanks', `${JSON.stringify(byHand('x'))}${' '.repeat(2 ** 20)}`],
  ['huge', Buffer.alloc(20 * 2 ** 20, 'x')],
  ["another program's", '# yarn lockfile v1\n\n"a@^1":\n  version "1.0.0"\n'],
  ["npm's", { name: 'x', lockfileVersion: 3, packages: {} }],
  ["another agent's", byHand('y')],
  ['by an agent of another case', byHand('X')],
  ['by an agent that is a number', byHand('x', { agent: 5 })],
  ['without agent', without('agent')],
  ['without locked_at', without('locked_at')],
  ['without files', without('files')],
  ['without expires_at', without('expires_at')],
  ['expired before it was locked', byHand('x', { locked_at: time(7_200_000) })],
  ['with a number as expires_at', byHand('x', { expires_at: 1e10 })],
  ['with null as expires_at', byHand('x', { expires_at: null })],
  ['with a word as expires_at', byHand('x', { expires_at: 'never' })],
  ['with a date as expires_at', byHand('x', { expires_at: '2099-01-01' })],
  ['with no zone in expires_at', byHand('x', { expires_at: '2099-01-01T00:00:00' })],
  ['with a 13th month in expires_at', byHand('x', { expires_at: '2099-13-01T00:00:00Z' })],
  ['with a text as files', byHand('x', { files: 'x' })],
  ['with null as files', byHand('x', { files: null })],
  ['with a number in files', byHand('x', { files: [1] })],
  ['with an empty file', byHand('x', { files: [''] })],
  ['with a file out of the root', byHand('x', { files: ['../x'] })],
  ['with an absolute file elsewhere', byHand('x', { files: ['/etc/passwd'] })],
  ['with NUL in a file', byHand('x', { files: ['a\0b'] })],
  ['with a text as directories', byHand('x', { directories: 'src' })],
  ['with a directory out of the root', byHand('x', { directories: ['..'] })],
  ['with a text as except', byHand('x', { except: 'src' })],
  ['with a number as task', byHand('x', { task_description: 5 })],
  ['bound to nothing', byHand('x', { bound: {} })],
];

/** Whatever is asked for, it stays as it is, and what depends on it is refused. */
async function standsInvalid({ claims, directory }: Setting, agent: string): Promise<void> {
  const file = join(directory, `${agent}.lock`);
  const before = lstatSync(file);
  const [status] = (await claims.list()).filter((each) => each.agent === agent);
  expect(status).toMatchObject({
    agent,
    file,
    state: 'invalid',
    reason: expect.stringMatching(/./),
    files: [],
    directories: [],
    except: [],
    task: null,
    lockedAt: null,
    expiresAt: null,
    bound: null,
  });
  const code = 'ERR_CLAIM_INVALID';
  const refusal = {
    code,
    name: 'ClaimInvalidError',
    path: directory,
    files: [{ file, reason: status?.reason }],
  };
  const request = { agent: 'other', files: ['far/away'] };
  expect(await errorOf(() => claims.claim(request))).toMatchObject(refusal);
  expect(await errorOf(() => claims.claim(request, { timeout: 60_000 }))).toMatchObject(refusal);
  expect(await errorOf(() => claims.claimAll([request]))).toMatchObject(refusal);
  expect(await errorOf(() => claims.check(['far/away']))).toMatchObject({ code });
  // Its own is refused in any case.
  const own = { agent, files: ['own/file'] };
  for (const options of [{}, { ignoreInvalid: true }]) {
    expect(await errorOf(() => claims.claim(own, options))).toMatchObject(refusal);
    expect(await errorOf(() => claims.claimAll([request, own], options))).toMatchObject(refusal);
  }
  expect(await errorOf(() => claims.release(agent))).toMatchObject(refusal);
  expect(await errorOf(() => claims.release(agent, { force: true }))).toMatchObject(refusal);
  expect(await claims.prune()).toEqual([]);
  await claims.releaseAll();
  await claims.releaseAll({ force: true });
  expect(await claims.audit()).toEqual([]);
  // Who wants to takes the risk.
  const claim = await claims.claim(request, { ignoreInvalid: true });
  expect(await claims.check(['far/away'], { as: 'other' })).toMatchObject([{ verdict: 'mine' }]);
  expect(await claims.check(['x'], { ignoreInvalid: true })).toMatchObject([
    { verdict: 'unclaimed' },
  ]);
  await claim.renew();
  expect(await claim.release()).toBe(true);
  const after = lstatSync(file);
  expect([after.ino, after.size, after.mtimeMs]).toEqual([before.ino, before.size, before.mtimeMs]);
  expect(readdirSync(directory)).toEqual([`${agent}.lock`]);
}

describe('a file that is no claim stands, is told of, and nothing is decided', () => {
  test.each(invalid)('%s', async (_what, content) => {
    const setting = setUp();
    setting.put('x.lock', content);
    await standsInvalid(setting, 'x');
  });

  test('a folder', async () => {
    const setting = setUp();
    mkdirSync(join(setting.directory, 'x.lock'));
    await standsInvalid(setting, 'x');
  });

  test('a FIFO, which nobody waits for', async () => {
    const setting = setUp();
    expect(spawnSync('mkfifo', [join(setting.directory, 'x.lock')]).status).toBe(0);
    await standsInvalid(setting, 'x');
  });

  test.each(['valid', 'missing'])('a symbolic link to a claim that is %s', async (kind) => {
    const setting = setUp();
    const target = join(setting.folder, 'target');
    if (kind === 'valid') writeFileSync(target, JSON.stringify(byHand('x')));
    symlinkSync(target, join(setting.directory, 'x.lock'));
    await standsInvalid(setting, 'x');
    expect(existsSync(target)).toBe(kind === 'valid');
  });

  test('one with a name that is no UTF-8', async () => {
    const { claims, directory } = setUp();
    const name = Buffer.concat([
      Buffer.from(`${directory}/x`),
      Buffer.from([0xff]),
      Buffer.from('.lock'),
    ]);
    writeFileSync(name, 'foreign');
    expect(await claims.list()).toMatchObject([{ state: 'invalid' }]);
    const error = await errorOf(() => claims.claim({ agent: 'a', files: ['x'] }));
    expect(error).toMatchObject({ code: 'ERR_CLAIM_INVALID' });
    expect(readFileSync(name, 'utf8')).toBe('foreign');
  });

  test('several, all of which are named', async () => {
    const { claims, directory, put } = setUp();
    put('b.lock', '');
    put('a.lock', 'x');
    put('c.lock', byHand('c'));
    const error = await errorOf(() => claims.claim({ agent: 'z', files: ['z'] }));
    expect(error).toMatchObject({
      code: 'ERR_CLAIM_INVALID',
      files: [{ file: join(directory, 'a.lock') }, { file: join(directory, 'b.lock') }],
    });
    const states = (await claims.list()).map(({ agent, state }) => [agent, state]);
    expect(states).toEqual([
      ['a', 'invalid'],
      ['b', 'invalid'],
      ['c', 'active'],
    ]);
    unlinkSync(join(directory, 'a.lock'));
    put('b.lock', byHand('b'));
    await (await claims.claim({ agent: 'z', files: ['z'] })).release();
  });

  test('one that is ignored does not hide a conflict with a valid one', async () => {
    const { claims, put } = setUp();
    put('a.lock', '');
    put('b.lock', byHand('b'));
    const request = { agent: 'c', files: ['b.txt'] };
    const error = await errorOf(() => claims.claim(request, { ignoreInvalid: true }));
    expect(error).toMatchObject({ code: 'ERR_CLAIM_CONFLICT' });
  });

  test("files that do not end in .lock, or begin with a dot, are nobody's claims", async () => {
    const { claims, directory, put } = setUp();
    for (const name of [
      'README',
      'x.lock~',
      'x.lock.bak',
      '.x.lock.swp',
      '.lock',
      '.hidden.lock',
    ]) {
      put(name, 'whatever');
    }
    const before = readdirSync(directory);
    const claim = await claims.claim({ agent: 'a', directories: ['.'] });
    expect((await claims.list()).map(({ agent }) => agent)).toEqual(['a']);
    await claim.release();
    await claims.releaseAll();
    expect(readdirSync(directory)).toEqual(before);
  });
});

describe('a claim that a hand wrote', () => {
  test('counts as it is in the specification', async () => {
    const { claims, put } = setUp();
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
    const { claims, put } = setUp();
    put('x.lock', format(byHand('x')));
    expect(await claims.list()).toMatchObject([{ agent: 'x', state: 'active', files: ['x.txt'] }]);
    const error = await errorOf(() => claims.claim({ agent: 'a', files: ['x.txt'] }));
    expect(error).toMatchObject({ code: 'ERR_CLAIM_CONFLICT' });
    expect(await claims.release('x')).toBe(true);
  });

  test("with no scope is a claim, and in nobody's way", async () => {
    const { claims, put } = setUp();
    put('x.lock', byHand('x', { files: [] }));
    const claim = await claims.claim({ agent: 'a', directories: ['.'] });
    expect((await claims.list()).map(({ state }) => state)).toEqual(['active', 'active']);
    await claim.release();
  });

  test('is free for its agent to claim anew, and goes when it is removed', async () => {
    const { claims, put, directory } = setUp();
    const path = put('x.lock', byHand('x'));
    put('y.lock', byHand('y'));
    const claim = await claims.claim({ agent: 'x', files: ['new.txt'] });
    expect(claim.files).toEqual(['new.txt']);
    unlinkSync(path);
    unlinkSync(join(directory, 'y.lock'));
    const other = await claims.claim({ agent: 'z', files: ['x.txt', 'y.txt', 'new.txt'] });
    expect(await claim.release()).toBe(false);
    expect(await other.release()).toBe(true);
  });

  test('of pid 1, which nobody has locked, is orphaned and free', async () => {
    const { claims, put, directory } = setUp();
    put('x.lock', byHand('x', { bound: { pid: 1, start: '1@x' } }));
    expect(await claims.list()).toMatchObject([{ state: 'orphaned', bound: { pid: 1 } }]);
    const claim = await claims.claim({ agent: 'a', files: ['x.txt'] });
    expect(readdirSync(directory)).toEqual(['a.lock']);
    await claim.release();
  });
});

describe('the file of a claim', () => {
  test('has the fields of the specification, and few of its own', async () => {
    const { claims, get } = setUp();
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
    const { claims, get } = setUp();
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
    const { claims, directory } = setUp();
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
    const { claims, get, put } = setUp();
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
    const { claims, get, put } = setUp();
    const claim = await claims.claim({ agent: 'a', files: ['x'], ttl: 60_000 });
    put('a.lock', { ...get('a'), expires_at: '2099-01-01T00:00:00Z' });
    await expect
      .poll(() => claim.expiresAt, { timeout: 10_000 })
      .toEqual(new Date('2099-01-01T00:00:00Z'));
    expect(claim.signal.aborted).toBe(false);
    expect(await claim.release()).toBe(true);
  });
});

describe('10,000 claims', () => {
  test('are listed, decided on and released', async () => {
    const { claims, put, directory } = setUp();
    for (let at = 0; at < 10_000; at++) {
      put(`agent-${at}.lock`, byHand(`agent-${at}`, { directories: [`src/${at}/`] }));
    }
    const began = performance.now();
    const list = await claims.list();
    expect(list).toHaveLength(10_000);
    expect(list.every(({ state }) => state === 'active')).toBe(true);
    const claim = await claims.claim({ agent: 'one-more', files: ['docs/x'] });
    const error = await errorOf(() => claims.claim({ agent: 'refused', files: ['src/77/x'] }));
    expect(error).toMatchObject({ conflicts: [{ agents: ['refused', 'agent-77'] }] });
    const all = await errorOf(() => claims.claim({ agent: 'refused', directories: ['src'] }));
    expect(all).toMatchObject({ code: 'ERR_CLAIM_CONFLICT' });
    expect((all as { conflicts: unknown[] }).conflicts).toHaveLength(10_000);
    expect(await claims.check(['src/9999/x'])).toMatchObject([{ owner: { agent: 'agent-9999' } }]);
    expect(await claims.audit()).toEqual([]);
    expect(await claim.release()).toBe(true);
    await claims.releaseAll();
    expect(readdirSync(directory)).toEqual([]);
    expect(performance.now() - began).toBeLessThan(20_000);
  });
});

describe('a folder that vanishes', () => {
  test('takes its claims with it, and the next claim makes it anew', async () => {
    const { claims, directory } = setUp();
    const claim = await claims.claim({ agent: 'a', files: ['x'] });
    rmSync(directory, { recursive: true });
    expect(await claims.list()).toEqual([]);
    expect(await claim.release()).toBe(false);
    expect(existsSync(directory)).toBe(false);
    const next = await claims.claim({ agent: 'b', files: ['x'] });
    expect(readdirSync(directory)).toEqual(['b.lock']);
    await next.release();
  });

  test('is not made anew by renew, which rejects with ERR_LOCK_LOST', async () => {
    const { claims, directory } = setUp();
    const claim = await claims.claim({ agent: 'a', files: ['x'] });
    rmSync(directory, { recursive: true });
    expect(await errorOf(() => claim.renew())).toMatchObject({ code: 'ERR_LOCK_LOST' });
    expect(claim.signal.aborted).toBe(true);
    expect(existsSync(directory)).toBe(false);
  });

  test('tells the owner of a claim by its signal', async () => {
    const { claims, directory } = setUp();
    const claim = await claims.claim({ agent: 'a', files: ['x'] });
    rmSync(directory, { recursive: true });
    await expect.poll(() => claim.signal.aborted, { timeout: 10_000 }).toBe(true);
    expect(claim.signal.reason).toMatchObject({ code: 'ERR_LOCK_LOST' });
    expect(claim.covers('x')).toBe(false);
  });

  test('lets whoever waits in it go on', async () => {
    const { claims, directory } = setUp();
    await claims.claim({ agent: 'a', files: ['x'] });
    const claim = await claims.claim(
      { agent: 'b', files: ['x'] },
      { timeout: 20_000, onWait: () => rmSync(directory, { recursive: true }) },
    );
    expect(readdirSync(directory)).toEqual(['b.lock']);
    await claim.release();
  });

  test('and comes back is watched on', async () => {
    const { claims, directory } = setUp();
    const controller = new AbortController();
    const watched = claims.watch({ signal: controller.signal });
    const agents = async (): Promise<string[] | undefined> =>
      ((await watched.next()).value ?? undefined)?.map(({ agent }: { agent: string }) => agent);
    expect(await agents()).toEqual([]);
    await claims.claim({ agent: 'a', files: ['x'] });
    expect(await agents()).toEqual(['a']);
    renameSync(directory, `${directory}.old`);
    expect(await agents()).toEqual([]);
    await claims.claim({ agent: 'b', files: ['x'] });
    expect(await agents()).toEqual(['b']);
    controller.abort();
    await errorOf(() => watched.next());
    await claims.releaseAll();
  });

  test('is a file: the error is that of the system', async () => {
    const { folder } = setUp();
    const path = join(folder, 'file');
    writeFileSync(path, 'content');
    const claims = new Claims(path, { root: folder });
    const calls = [
      () => claims.claim({ agent: 'a', files: ['x'] }),
      () => claims.list(),
      () => claims.prune(),
    ];
    for (const call of calls) expect(await errorOf(call)).toMatchObject({ code: 'ENOTDIR' });
    expect(readFileSync(path, 'utf8')).toBe('content');
  });
});
