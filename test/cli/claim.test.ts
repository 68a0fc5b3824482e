import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Claims } from '../../src/claims.js';
import { putHandWritten, claimedTree as tree } from '../support/claims-setting.js';
import { call, finish, start } from '../support/command.js';

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
    putHandWritten(locks, 'one', { task_description: 'Do it', directories: ['app/'] });
    putHandWritten(locks, 'two');
    putHandWritten(locks, 'old', {
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
    putHandWritten(locks, 'one');
    putHandWritten(locks, 'two');
    const bound = { agent: 'shop', files: ['shop.ts'], bind: true };
    await using _claim = await new Claims(locks, { root }).claim(bound);
    const cleared = await finish(['claim', 'clear', ...args]);
    expect(cleared).toMatchObject({ code: 75, stdout: 'cleared 2 claims: one, two\n' });
    expect(cleared.stderr).toContain('shop');
  });

  test('audit exits with 75 for what somebody wrote over another’s claim', async () => {
    const { locks, args } = tree();
    putHandWritten(locks, 'one');
    expect((await call('claim', 'audit', ...args)).code).toBe(0);
    putHandWritten(locks, 'two');
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
    putHandWritten(locks, 'old', {
      locked_at: '2026-01-17T15:30:00Z',
      expires_at: '2026-01-17T16:30:00Z',
    });
    putHandWritten(locks, 'one');
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
