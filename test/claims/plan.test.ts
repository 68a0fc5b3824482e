import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Claims } from '../../src/claims.js';
import { status } from '../support/claims-setting.js';
import { testFolder } from '../support/folder.js';
import { runScript } from '../support/script.js';
import { needs } from '../support/tools.js';

const claims = new Claims('/nowhere/locks', { root: '/' });

describe('existing claims', () => {
  test('keep overlapping agents out of the first wave, and are named as the second agent', () => {
    const expiresAt = new Date(4e12);
    const existing = [status('old', [], { directories: ['src/'], task: 'tidy', expiresAt })];
    const requests = [
      { agent: 'a', files: ['src/x'] },
      { agent: 'b', files: ['docs/x'] },
    ];
    const { waves, conflicts } = claims.plan(requests, { existing });
    expect(waves).toEqual([['b'], ['a']]);
    expect(conflicts).toMatchObject([
      {
        agents: ['a', 'old'],
        entries: [
          { kind: 'file', pattern: 'src/x' },
          { kind: 'directory', pattern: 'src/' },
        ],
        witness: 'src/x',
        task: 'tidy',
        expiresAt,
      },
    ]);
    const sequential = conflicts[0]?.resolutions.find(({ kind }) => kind === 'sequential');
    expect(sequential).toMatchObject({ agents: ['old', 'a'] });
  });

  test('that all overlap with leave no empty first wave, but the conflicts', () => {
    const existing = [status('old', ['x'])];
    const { waves, conflicts } = claims.plan([{ agent: 'a', files: ['x'] }], { existing });
    expect(waves).toEqual([['a']]);
    expect(conflicts).toMatchObject([{ agents: ['a', 'old'] }]);
  });

  test('of the same agent are ignored: it replaces them', () => {
    const existing = [status('a', ['x']), status('b', ['y'])];
    const requests = [
      { agent: 'a', files: ['x'] },
      { agent: 'b', files: ['z'] },
      { agent: 'c', files: ['y'] },
    ];
    expect(claims.plan(requests, { existing })).toEqual({
      waves: [['a', 'b', 'c']],
      conflicts: [],
    });
  });

  test.each(['expired', 'orphaned', 'invalid'] as const)('that are %s are ignored', (state) => {
    const existing = [status('old', ['x'], { state, reason: 'so' })];
    const { waves, conflicts } = claims.plan([{ agent: 'a', files: ['x'] }], { existing });
    expect({ waves, conflicts }).toEqual({ waves: [['a']], conflicts: [] });
  });

  test('that conflict count, and conflicts among themselves are not reported', () => {
    const existing = [
      status('one', ['x'], { state: 'conflicting' }),
      status('two', ['x'], { state: 'conflicting' }),
    ];
    const requests = [{ agent: 'a', files: ['x'] }, { agent: 'r' }];
    const { waves, conflicts } = claims.plan(requests, { existing });
    expect(waves).toEqual([['r'], ['a']]);
    expect(conflicts.map(({ agents }) => agents)).toEqual([
      ['a', 'one'],
      ['a', 'two'],
    ]);
  });

  test('leave out their except', () => {
    const existing = [status('old', [], { directories: ['src/'], except: ['src/a/', 'src/*.md'] })];
    const requests = [
      { agent: 'a', files: ['src/a/x', 'src/b.md'] },
      { agent: 'b', files: ['src/b'] },
    ];
    expect(claims.plan(requests, { existing }).waves).toEqual([['a'], ['b']]);
  });
});

describe('planning', () => {
  const requests = [
    { agent: 'a', directories: ['src'] },
    { agent: 'b', files: ['src/x.ts'] },
  ];

  test('makes no folder, and minds none', () => {
    const folder = testFolder();
    const directory = join(folder, 'deep', 'locks');
    const plan = new Claims(directory, { root: folder }).plan(requests);
    expect(plan.waves).toEqual([['a'], ['b']]);
    expect(readdirSync(folder)).toEqual([]);
    const file = join(folder, 'file');
    writeFileSync(file, 'content');
    expect(new Claims(file, { root: folder }).plan(requests)).toEqual(plan);
    expect(readFileSync(file, 'utf8')).toBe('content');
  });

  test('changes nothing in a folder, and its claims count only if they are given', async () => {
    const folder = testFolder();
    const directory = join(folder, 'locks');
    const all = new Claims(directory, { root: folder });
    const claim = await all.claim({ agent: 'holder', directories: ['src'] });
    writeFileSync(join(directory, 'broken.lock'), 'broken');
    const before = statSync(directory, { bigint: true });
    const names = readdirSync(directory);
    expect(all.plan(requests).conflicts).toHaveLength(1);
    expect(all.plan(requests, { existing: await all.list() }).conflicts).toHaveLength(3);
    const after = statSync(directory, { bigint: true });
    expect(after.mtimeNs).toBe(before.mtimeNs);
    expect(readdirSync(directory)).toEqual(names);
    expect(await claim.release()).toBe(true);
  });

  const PRELUDE = `
    const { Claims } = await import(process.env.HOLDFAST_TEST_ENTRY.replace('index.js', 'claims.js'));
    const claims = new Claims(path, { root: args[0] });
    const requests = ${JSON.stringify(requests)};
  `;

  needs('strace')('does no system call about the folder', async () => {
    const folder = testFolder();
    const directory = join(folder, 'locks-of-the-workflow');
    mkdirSync(directory);
    const log = join(folder, 'log');
    const { reports, code } = await runScript(
      directory,
      `${PRELUDE}
      report(claims.plan(requests).waves);
      fs.existsSync(path + '/marker');`,
      {
        args: [folder],
        wrap: ['strace', '-f', '-qq', '-s', '4096', '-e', 'trace=%file', '-o', log],
      },
    );
    expect({ code, reports }).toEqual({ code: 0, reports: [[['a'], ['b']]] });
    const calls = readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => line.includes(directory) && !line.includes('execve'));
    // The marker shows that the log would have told of it.
    expect(calls).toHaveLength(1);
    expect(calls[0]).toContain(`${directory}/marker`);
  });

  test('works without the addon, where claiming says that it is missing', async () => {
    const folder = testFolder();
    const directory = join(folder, 'locks');
    const { reports, code, stderr } = await runScript(
      directory,
      `${PRELUDE}
      report(claims.plan(requests).waves);
      report(await outcome(() => claims.claim(requests[0])));
      report(await outcome(() => claims.claimAll(requests.slice(1))));`,
      { args: [folder], env: { HOLDFAST_PREBUILD: testFolder() } },
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(reports).toMatchObject([
      [['a'], ['b']],
      { code: 'ERR_LOCK_UNSUPPORTED' },
      { code: 'ERR_LOCK_UNSUPPORTED' },
    ]);
    expect(readdirSync(folder)).toEqual([]);
  });
});
