import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type FilesSetting, handWritten, setUpFiles, time } from '../support/claims-setting.js';
import { errorOf } from '../support/refused.js';
import { expectWarning } from '../support/setup.js';

expectWarning('HOLDFAST_CLAIM_INVALID');

const without = (name: string): object => handWritten('x', { [name]: undefined });

const invalid: [what: string, content: string | Buffer | object][] = [
  ['empty', ''],
  ['a line break', '\n'],
  ['text', 'locked'],
  ['a pid', '12345\n'],
  ['truncated', JSON.stringify(handWritten('x')).slice(0, -10)],
  ['two objects', JSON.stringify(handWritten('x')).repeat(2)],
  ['with a byte order mark', `\ufeff${JSON.stringify(handWritten('x'))}`],
  ['binary', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 0xff, 0xfe])],
  ['JSON in UTF-16', Buffer.from(JSON.stringify(handWritten('x')), 'utf16le')],
  ['JSON with a byte that is no UTF-8', Buffer.from('{"agent":"x\xff"}', 'latin1')],
  ['NULs after a crash', Buffer.alloc(200)],
  ['null', 'null'],
  ['a list', '[]'],
  ['a string', '"x"'],
  ['an empty object', '{}'],
  ['over 1 MiB', handWritten('x', { task_description: 'x'.repeat(2 ** 20) })],
  ['over 1 MiB of blanks', `${JSON.stringify(handWritten('x'))}${' '.repeat(2 ** 20)}`],
  ['huge', Buffer.alloc(20 * 2 ** 20, 'x')],
  ["another program's", '# yarn lockfile v1\n\n"a@^1":\n  version "1.0.0"\n'],
  ["npm's", { name: 'x', lockfileVersion: 3, packages: {} }],
  ["another agent's", handWritten('y')],
  ['by an agent of another case', handWritten('X')],
  ['by an agent that is a number', handWritten('x', { agent: 5 })],
  ['without agent', without('agent')],
  ['without locked_at', without('locked_at')],
  ['without files', without('files')],
  ['without expires_at', without('expires_at')],
  ['expired before it was locked', handWritten('x', { locked_at: time(7_200_000) })],
  ['with a number as expires_at', handWritten('x', { expires_at: 1e10 })],
  ['with null as expires_at', handWritten('x', { expires_at: null })],
  ['with a word as expires_at', handWritten('x', { expires_at: 'never' })],
  ['with a date as expires_at', handWritten('x', { expires_at: '2099-01-01' })],
  ['with no zone in expires_at', handWritten('x', { expires_at: '2099-01-01T00:00:00' })],
  ['with a 13th month in expires_at', handWritten('x', { expires_at: '2099-13-01T00:00:00Z' })],
  ['with a text as files', handWritten('x', { files: 'x' })],
  ['with null as files', handWritten('x', { files: null })],
  ['with a number in files', handWritten('x', { files: [1] })],
  ['with an empty file', handWritten('x', { files: [''] })],
  ['with a file out of the root', handWritten('x', { files: ['../x'] })],
  ['with an absolute file elsewhere', handWritten('x', { files: ['/etc/passwd'] })],
  ['with NUL in a file', handWritten('x', { files: ['a\0b'] })],
  ['with a text as directories', handWritten('x', { directories: 'src' })],
  ['with a directory out of the root', handWritten('x', { directories: ['..'] })],
  ['with a text as except', handWritten('x', { except: 'src' })],
  ['with a number as task', handWritten('x', { task_description: 5 })],
  ['bound to nothing', handWritten('x', { bound: {} })],
];

/** Whatever is asked for, it stays as it is, and what depends on it is refused. */
async function standsInvalid({ claims, directory }: FilesSetting, agent: string): Promise<void> {
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
    waiters: [],
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
  expect(await claims.check(['far/away'])).toMatchObject([{ verdict: 'unclaimed' }]);
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

describe('a file that is not a claim stays, is reported, and nothing is decided', () => {
  test.each(invalid)('%s', async (_what, content) => {
    const setting = setUpFiles();
    setting.put('x.lock', content);
    await standsInvalid(setting, 'x');
  });

  test('a folder', async () => {
    const setting = setUpFiles();
    mkdirSync(join(setting.directory, 'x.lock'));
    await standsInvalid(setting, 'x');
  });

  test('a FIFO, which nobody waits for', async () => {
    const setting = setUpFiles();
    expect(spawnSync('mkfifo', [join(setting.directory, 'x.lock')]).status).toBe(0);
    await standsInvalid(setting, 'x');
  });

  test.each(['valid', 'missing'])('a symbolic link to a claim that is %s', async (kind) => {
    const setting = setUpFiles();
    const target = join(setting.folder, 'target');
    if (kind === 'valid') writeFileSync(target, JSON.stringify(handWritten('x')));
    symlinkSync(target, join(setting.directory, 'x.lock'));
    await standsInvalid(setting, 'x');
    expect(existsSync(target)).toBe(kind === 'valid');
  });

  test('one with a name that is no UTF-8', async () => {
    const { claims, directory } = setUpFiles();
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
    const { claims, directory, put } = setUpFiles();
    put('b.lock', '');
    put('a.lock', 'x');
    put('c.lock', handWritten('c'));
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
    put('b.lock', handWritten('b'));
    await (await claims.claim({ agent: 'z', files: ['z'] })).release();
  });

  test('one that is ignored does not hide a conflict with a valid one', async () => {
    const { claims, put } = setUpFiles();
    put('a.lock', '');
    put('b.lock', handWritten('b'));
    const request = { agent: 'c', files: ['b.txt'] };
    const error = await errorOf(() => claims.claim(request, { ignoreInvalid: true }));
    expect(error).toMatchObject({ code: 'ERR_CLAIM_CONFLICT' });
  });

  test("files that do not end in .lock, or begin with a dot, are nobody's claims", async () => {
    const { claims, directory, put } = setUpFiles();
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

test.each(['2026-02-30T10:00:00Z', '2026-13-01T10:00:00Z', '2026-04-31T10:00:00Z'])(
  'a day that there is not, %s, is no time',
  async (locked_at) => {
    const { put, claims } = setUpFiles();
    put('a.lock', handWritten('a', { locked_at, files: ['x'] }));
    expect(await claims.list()).toMatchObject([{ state: 'invalid' }]);
  },
);
