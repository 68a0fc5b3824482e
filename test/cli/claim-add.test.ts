import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { until } from '../support/census.js';
import { putHandWritten, claimedTree as tree } from '../support/claims-setting.js';
import { COMMAND, call, finish, start } from '../support/command.js';

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
    putHandWritten(locks, 'old', {
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
    putHandWritten(locks, 'old', {
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
