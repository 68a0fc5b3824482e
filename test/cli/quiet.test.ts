import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { main } from '../../src/cli/main.js';
import { FileLock } from '../../src/index.js';
import { until } from '../support/census.js';
import { expired, setUp } from '../support/claims-setting.js';
import { call, finish, Screen, start } from '../support/command.js';
import { lockPath, testFolder } from '../support/folder.js';

const SILENT = { stdout: '', stderr: '' };

describe('run -q', () => {
  test.each([
    ['-q', '-n'],
    ['--quiet', '-n'],
    ['-q', '-w', '100ms'],
    ['-qn'],
    ['--verbose', '-q', '-n'],
    ['-q', '-n', '--instance', 'it'],
  ])('%s %s %s: a refusal is the exit status alone', async (...options) => {
    const path = lockPath();
    using _lock = FileLock.acquireSync(path);
    expect(await call('run', ...options, path, 'true')).toEqual({ code: 75, ...SILENT });
    expect(await call('run', ...options, '-E', '9', path, 'true')).toEqual({ code: 9, ...SILENT });
  });

  test('a terminal stays empty too', async () => {
    const path = lockPath();
    using _lock = FileLock.acquireSync(path);
    const stderr = new Screen(80);
    const words = ['run', '-q', '-w', '100ms', path, 'true'];
    expect(await main(words, { stdout: new Screen(80), stderr })).toBe(75);
    expect(stderr.text).toBe('');
  });

  test('of -q and --verbose the last one counts', async () => {
    const { code, stderr } = await call('run', '-q', '--verbose', lockPath(), 'true');
    expect(code).toBe(0);
    expect(stderr).toContain('getting lock took');
  });

  test('the command is not silenced, and an error is still said', async () => {
    const words = ['run', '-q', lockPath(), 'sh', '-c', 'echo out; echo err >&2; exit 3'];
    expect(await finish(words)).toMatchObject({ code: 3, stdout: 'out\n', stderr: 'err\n' });
    const failed = await call('run', '-q', '/proc/none/x.lock', 'true');
    expect(failed).toMatchObject({ code: 73, stderr: expect.stringMatching(/^holdfast: ./) });
  });
});

describe('others', () => {
  test('doctor -q: the exit status alone', async () => {
    expect(await call('doctor', '-q', testFolder())).toEqual({ code: 0, ...SILENT });
    expect((await call('doctor', '-q', '/proc/none')).stderr).toMatch(/^holdfast: ./);
  });

  test('next-id -q: nothing when the time is up', async () => {
    const folder = testFolder();
    using _lock = FileLock.acquireSync(join(folder, '.next-id.lock'));
    const words = ['next-id', '-q', '-w', '100ms', folder];
    expect(await call(...words)).toEqual({ code: 75, ...SILENT });
    expect((await call('next-id', '-q', '/proc/none')).stderr).toMatch(/^holdfast: ./);
  });

  test('elect -q: nothing of a member that is there, nor of standing by', async () => {
    const folder = testFolder();
    const primary = start(['elect', '--id', 'a', folder, 'sh', '-c', 'echo first; read -r line']);
    await primary.says('first');
    const again = await finish(['elect', '-q', '--id', 'a', folder, 'true']);
    expect(again).toMatchObject({ code: 75, ...SILENT });
    const standby = start(['elect', '-q', '--id', 'b', folder, 'echo', 'second']);
    const loud = start(['elect', '--id', 'c', folder, 'echo', 'third']);
    // It says so after as long a time, but began later.
    await until(() => loud.stderr.includes('standing by'));
    primary.process.stdin?.end();
    expect(await standby.exited).toMatchObject({ code: 0, stdout: 'second\n', stderr: '' });
  });
});

describe('claim -q', () => {
  const claim = (folder: string, ...words: string[]) => call('claim', ...words, '--dir', folder);

  test('add and check tell by their exit status alone', async () => {
    const folder = testFolder();
    const root = ['--root', folder];
    const add = (agent: string) => claim(folder, 'add', '-q', '--agent', agent, ...root, 'a');
    const check = (agent: string) => claim(folder, 'check', '-q', '--agent', agent, ...root, 'a');
    expect(await add('one')).toEqual({ code: 0, ...SILENT });
    expect(await add('two')).toEqual({ code: 75, ...SILENT });
    expect(await check('one')).toEqual({ code: 0, ...SILENT });
    expect(await check('two')).toEqual({ code: 75, ...SILENT });
  });

  test('renew, release, clear, prune, set-aside, audit and plan say nothing either', async () => {
    const { folder, directory, put } = setUp();
    const root = ['--root', folder];
    const quietly = (...words: string[]) => claim(directory, ...words, '-q', ...root);
    put('a');
    put('b', { files: ['a.txt'] });
    put('c', expired);
    expect(await quietly('audit')).toEqual({ code: 75, ...SILENT });
    const plan = join(folder, 'plan.json');
    writeFileSync(plan, JSON.stringify([{ agent: 'x', files: ['x'] }]));
    for (const words of [
      ['plan', plan],
      ['prune'],
      ['renew', '--agent', 'a'],
      ['release', '--agent', 'a', 'a.txt'],
      ['release', '--agent', 'b'],
      ['clear'],
    ]) {
      expect({ words, ...(await quietly(...words)) }).toEqual({ words, code: 0, ...SILENT });
    }
    const odd = join(directory, 'odd.lock');
    writeFileSync(odd, '{');
    // What needs a person is said.
    expect((await quietly('prune')).stderr).toContain('odd.lock');
    utimesSync(odd, 0, 0);
    expect(await quietly('set-aside', 'odd.lock')).toEqual({ code: 0, ...SILENT });
  });

  test('an error is still said', async () => {
    const { code, stderr } = await claim(testFolder(), 'add', '-q', '--agent', '', 'x');
    expect(code).toBe(64);
    expect(stderr).toMatch(/^holdfast: ./);
  });
});
