import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Claims } from '../../src/claims.js';
import { until } from '../support/census.js';
import { claimedTree as tree } from '../support/claims-setting.js';
import { COMMAND, call, finish, start } from '../support/command.js';

function handWritten(locks: string, agent: string, fields: object = {}): void {
  mkdirSync(locks, { recursive: true });
  const now = Date.now();
  const time = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}Z`;
  const claim = {
    agent,
    locked_at: time(now - 60_000),
    files: ['lib/x.ts'],
    expires_at: time(now + 600_000),
    ...fields,
  };
  writeFileSync(join(locks, `${agent}.lock`), JSON.stringify(claim));
}

describe('holdfast claim add', () => {
  test('takes what ends in a slash, and a folder that is there, with all below it', async () => {
    const { root, locks, args } = tree();
    mkdirSync(join(root, 'lib'));
    const added = await call(
      'claim',
      'add',
      'lib',
      'app/',
      'x.ts',
      ...args,
      '--agent',
      'one',
      '--json',
    );
    expect(added).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(added.stdout)).toMatchObject({
      agent: 'one',
      directories: ['lib/', 'app/'],
      files: ['x.ts'],
      file: join(locks, 'one.lock'),
    });
  });

  test('takes a file that exists by a pattern’s name for that file', async () => {
    const { root, args } = tree();
    writeFileSync(join(root, 'a*.ts'), '');
    const added = await call('claim', 'add', 'a*.ts', ...args, '--agent', 'one', '--json');
    expect(JSON.parse(added.stdout)).toMatchObject({ files: ['a\\*.ts'] });
    const checked = await call('claim', 'check', 'a*.ts', 'ab.ts', ...args, '--json');
    expect(JSON.parse(checked.stdout)).toMatchObject([
      { path: 'a*.ts', verdict: 'other' },
      { path: 'ab.ts', verdict: 'unclaimed' },
    ]);
  });

  test('refuses with 75, the witness, who has it and what to do', async () => {
    const { args } = tree();
    await call('claim', 'add', 'app/api/', ...args, '--agent', 'api', '--task', 'Implement client');
    const refused = await call('claim', 'add', 'app/**/*.test.ts', ...args, '--agent', 'tests');
    expect(refused).toMatchObject({ code: 75, stdout: '' });
    expect(refused.stderr).toContain('app/api/b.test.ts');
    expect(refused.stderr).toContain('"Implement client"');
    expect(refused.stderr).toContain('split - add app/**/*.test.ts to the "except" of api');
    const released = await call('claim', 'release', 'app/**/*.test.ts', ...args, '--agent', 'api');
    expect(released.code).toBe(0);
    expect((await call('claim', 'add', 'app/**/*.test.ts', ...args, '--agent', 'tests')).code).toBe(
      0,
    );
  });

  test('adds to what the agent has; --replace gives that up', async () => {
    const { args } = tree();
    const own = [...args, '--agent', 'one'];
    const scope = async (): Promise<string[]> =>
      JSON.parse((await call('claim', 'list', ...args, '--json')).stdout)[0]?.files;
    for (const path of ['a', 'b']) {
      expect(await call('claim', 'add', path, ...own)).toMatchObject({ code: 0, stderr: '' });
    }
    expect(await scope()).toEqual(['a', 'b']);
    expect(await call('claim', 'add', 'c', '--replace', ...own)).toMatchObject({ code: 0 });
    expect(await scope()).toEqual(['c']);
    expect(await call('claim', 'check', 'a', '--strict', ...own)).toMatchObject({ code: 75 });
  });

  test('waits with -w until the other one releases, and says so', async () => {
    const { args } = tree();
    await call('claim', 'add', 'a', ...args, '--agent', 'one');
    const waiting = start(['claim', 'add', 'a', ...args, '--agent', 'two', '-w', '30']);
    await until(() => waiting.stderr.includes('waiting'));
    expect((await call('claim', 'release', ...args, '--agent', 'one')).code).toBe(0);
    expect(await waiting.end()).toMatchObject({ code: 0 });
    expect((await call('claim', 'add', 'a', ...args, '--agent', 'one', '-w', '100ms')).code).toBe(
      75,
    );
  });

  test('says on stderr that it overwrites an expired claim, without Node’s decoration', async () => {
    const { locks, args } = tree();
    handWritten(locks, 'old', {
      locked_at: '2026-01-17T15:30:00Z',
      expires_at: '2026-01-17T16:30:00Z',
    });
    const added = await finish(['claim', 'add', 'lib/', ...args, '--agent', 'new']);
    expect(added).toMatchObject({
      code: 0,
      stderr: 'holdfast: Overwriting expired lock for old\n',
    });
    expect(readdirSync(locks)).toEqual(['new.lock']);
  });

  test.skipIf(process.platform === 'win32')('says so before it says what it claimed', () => {
    const { locks, args } = tree();
    handWritten(locks, 'old', {
      locked_at: '2026-01-17T15:30:00Z',
      expires_at: '2026-01-17T16:30:00Z',
    });
    const words = [COMMAND, 'claim', 'add', 'lib/', ...args, '--agent', 'new'];
    const both = execFileSync('sh', ['-c', '"$@" 2>&1', 'sh', process.execPath, ...words]);
    const lines = both.toString().trim().split('\n');
    expect(lines).toEqual([
      'holdfast: Overwriting expired lock for old',
      expect.stringMatching(/^new: claimed lib\/ until /),
    ]);
  });
});

describe('holdfast claim release', () => {
  test('takes paths and folders from the claim, and with the last one ends it', async () => {
    const { root, args } = tree();
    mkdirSync(join(root, 'lib'));
    const own = [...args, '--agent', 'one'];
    await call('claim', 'add', 'lib', 'src/', 'x', ...own);
    expect(await call('claim', 'release', 'lib', 'src/gen/', ...own)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('lib src/gen/'),
    });
    const [status] = JSON.parse((await call('claim', 'list', ...args, '--json')).stdout);
    expect(status).toMatchObject({ directories: ['src/'], files: ['x'] });
    const other = [...args, '--agent', 'two'];
    expect(await call('claim', 'add', 'src/gen/a', 'lib/b', ...other)).toMatchObject({ code: 0 });
    expect(await call('claim', 'release', 'lib', ...own)).toMatchObject({ code: 65 });
    expect(await call('claim', 'release', 'src/', 'x', ...own)).toMatchObject({ code: 0 });
    expect(await call('claim', 'release', ...own)).toMatchObject({ code: 65 });
  });
});

describe('the others', () => {
  test('agent and folder come from the environment as well', async () => {
    const { root, locks, args } = tree();
    await call('claim', 'add', 'a', ...args, '--agent', 'one');
    const env = { ...process.env, HOLDFAST_CLAIMS: locks, HOLDFAST_AGENT: 'one' };
    const checked = await finish(['claim', 'check', 'a'], { env, cwd: root });
    expect(checked).toMatchObject({ code: 0 });
    expect(await finish(['claim', 'release'], { env, cwd: root })).toMatchObject({ code: 0 });
  });

  test('check: 75 for another’s, 0 for nobody’s unless --strict, -E for another code', async () => {
    const { args } = tree();
    await call('claim', 'add', 'a', ...args, '--agent', 'one');
    const codeOf = async (...argv: string[]): Promise<number> =>
      (await call('claim', 'check', ...argv, ...args)).code;
    expect(await codeOf('a')).toBe(75);
    expect(await codeOf('a', '--agent', 'one')).toBe(0);
    expect(await codeOf('a', 'b', '--agent', 'one')).toBe(0);
    expect(await codeOf('b', '--strict')).toBe(75);
    expect(await codeOf('b', '--strict', '-E', '9')).toBe(9);
  });

  test('a word is relative to the working directory where that is in the root', async () => {
    const { root, args } = tree();
    mkdirSync(join(root, 'pkg[1]', 'src'), { recursive: true });
    const cwd = join(root, 'pkg[1]');
    await finish(['claim', 'add', 'src', '../top.ts', ...args, '--agent', 'one'], { cwd });
    const listed = await call('claim', 'list', ...args, '--json');
    expect(JSON.parse(listed.stdout)).toMatchObject([
      { directories: ['pkg[1]/src/'], files: ['top.ts'] },
    ]);
    // This process is elsewhere: relative to the root.
    expect((await call('claim', 'check', 'pkg[1]/src/x.ts', ...args)).code).toBe(75);
  });

  test('list: a table, an asterisk for what is bound, odd states with their reasons', async () => {
    const { root, locks, args } = tree();
    handWritten(locks, 'one', { task_description: 'Do it', directories: ['app/'] });
    handWritten(locks, 'two');
    handWritten(locks, 'old', {
      locked_at: '2026-01-17T15:30:00Z',
      expires_at: '2026-01-17T16:30:00Z',
    });
    const bound = { agent: 'shop', files: ['shop.ts'], bind: true };
    await using _claim = await new Claims(locks, { root }).claim(bound);
    writeFileSync(join(locks, 'torn.lock'), '{"agent":"torn"');
    const { stdout, code } = await call('claim', 'list', ...args);
    const rows = stdout.split('\n').map((line) => line.split(/ {2,}/));
    expect(code).toBe(0);
    expect(rows[0]).toEqual(['AGENT', 'STATE', 'AGE', 'LEFT', 'SCOPE', 'TASK']);
    expect(rows[1]).toEqual([
      'old',
      'expired',
      expect.any(String),
      expect.stringMatching(/^-/),
      'lib/x.ts',
      '-',
    ]);
    expect(rows[2]).toEqual(['one', 'conflicting', '1m', expect.any(String), 'app/ (+1)', 'Do it']);
    expect(rows[3]?.slice(0, 2)).toEqual(['shop', 'active*']);
    // It outlives its time.
    expect(rows[3]?.[3]).toBe('-');
    expect(stdout).toContain('holdfast claim prune');
    expect(stdout).toContain('holdfast claim list --long');
    const long = (await call('claim', 'list', '--long', ...args)).stdout;
    expect(long).not.toContain('--long');
    const paths = long.split('\n').map((line) => line.trim().split(/ {2,}/));
    expect(paths[2]?.slice(4)).toEqual(['app/', 'Do it']);
    expect(paths[3]).toEqual(['lib/x.ts']);
    expect(rows[4]?.slice(0, 2)).toEqual(['torn', 'invalid']);
    expect(stdout).toContain(`* bound to pid ${process.pid}`);
    expect(stdout).toContain('torn: it is not JSON');
    expect((await call('claim', 'list', '--dir', `${locks}-none`)).stdout).toBe('no claims\n');
  });

  test('clear names what it removed although a claim of another process stays', async () => {
    const { root, locks, args } = tree();
    handWritten(locks, 'one');
    handWritten(locks, 'two');
    const bound = { agent: 'shop', files: ['shop.ts'], bind: true };
    await using _claim = await new Claims(locks, { root }).claim(bound);
    const cleared = await finish(['claim', 'clear', ...args]);
    expect(cleared).toMatchObject({ code: 75, stdout: 'cleared 2 claims: one, two\n' });
    expect(cleared.stderr).toContain('shop');
  });

  test('audit exits with 75 for what somebody wrote over another’s claim', async () => {
    const { locks, args } = tree();
    handWritten(locks, 'one');
    expect((await call('claim', 'audit', ...args)).code).toBe(0);
    handWritten(locks, 'two');
    expect(await call('claim', 'audit', ...args)).toMatchObject({
      code: 75,
      stdout: expect.stringContaining('one and two'),
    });
  });

  test('renew puts off the expiry; of no claim it is 65', async () => {
    const { args } = tree();
    await call('claim', 'add', 'a', ...args, '--agent', 'one', '--ttl', '10m');
    expect((await call('claim', 'renew', ...args, '--agent', 'one', '--ttl', '2h')).code).toBe(0);
    const [status] = JSON.parse((await call('claim', 'list', ...args, '--json')).stdout);
    expect(Date.parse(status.expiresAt) - Date.now()).toBeGreaterThan(7_000_000);
    expect((await call('claim', 'renew', ...args, '--agent', 'two')).code).toBe(65);
    expect((await call('claim', 'release', ...args, '--agent', 'two')).code).toBe(65);
  });

  test('prune removes what has ended, clear all but what is not valid', async () => {
    const { locks, args } = tree();
    handWritten(locks, 'old', {
      locked_at: '2026-01-17T15:30:00Z',
      expires_at: '2026-01-17T16:30:00Z',
    });
    handWritten(locks, 'one');
    writeFileSync(join(locks, 'torn.lock'), '');
    expect(await call('claim', 'prune', ...args)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('old: removed'),
    });
    expect(await call('claim', 'clear', ...args)).toMatchObject({
      code: 0,
      stdout: 'cleared 1 claim: one\n',
    });
    expect(readdirSync(locks)).toEqual(['torn.lock']);
    expect((await call('claim', 'clear', ...args)).stdout).toBe('no claims to clear\n');
    expect(await call('claim', 'add', 'x', ...args, '--agent', 'a')).toMatchObject({
      code: 65,
      stderr: expect.stringContaining(join(locks, 'torn.lock')),
    });
    expect(
      (await call('claim', 'add', 'x', ...args, '--agent', 'a', '--ignore-invalid')).code,
    ).toBe(0);
  });

  test('plan: the matrix, the waves and what to do; from standard input too', async () => {
    const { root, args } = tree();
    const requests = [
      { agent: 'api', directories: ['app/api'] },
      { agent: 'shop', files: ['app/(shop)/[slug]/page.tsx'], task_description: 'Redesign' },
      { agent: 'tests', files: ['app/**/*.test.ts'] },
    ];
    const file = join(root, 'plan.json');
    writeFileSync(file, JSON.stringify(requests));
    const { code, stdout } = await call('claim', 'plan', file, '--root', root);
    expect(code).toBe(75);
    const lines = stdout.split('\n');
    expect(lines[1]).toMatch(/^api +\. +\. +X +app\/api\/ x app\/\*\*\/\*\.test\.ts +both match /);
    expect(lines[4]).toBe('wave 1: api, shop      wave 2: tests');
    expect(lines[5]).toContain('One wave is possible: split');
    const piped = start(['claim', 'plan', '-', '--json', '--root', root], { stdio: 'pipe' });
    piped.process.stdin?.end(JSON.stringify(requests.slice(0, 2)));
    const end = await piped.end();
    expect(end).toMatchObject({ code: 0 });
    expect(JSON.parse(end.stdout)).toEqual({ waves: [['api', 'shop']], conflicts: [] });
    // With --dir, those count who are at work already.
    await call('claim', 'add', 'app/(shop)/', ...args, '--agent', 'other');
    const late = await call('claim', 'plan', file, ...args);
    expect(late.stdout).toContain('wave 1: api      wave 2: shop, tests');
  });
});
