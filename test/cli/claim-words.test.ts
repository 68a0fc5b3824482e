import { mkdirSync, readdirSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { HOST_NAMES } from '../../src/agents/hosts.js';
import { claimedTree as tree } from '../support/claims-setting.js';
import { call, callIn } from '../support/command.js';
import { testFolder } from '../support/folder.js';

describe('wrong words of holdfast claim', () => {
  test.each([
    [['no']],
    [['add']],
    [['add', 'a', '--agent', '']],
    [['add', 'a', '--agent', '../x']],
    [['add', 'a', '--agent', '.x']],
    [['add', '', '--agent', 'x']],
    [['add', '../../../../../../../../x', '--agent', 'x']],
    [['add', 'a', '--agent', 'x', '--ttl', '0']],
    [['add', 'a', '--agent', 'x', '--ttl', 'soon']],
    [['add', 'a', '--agent', 'x', '--no']],
    [['add', 'a', '--agent', 'x', '--except', 'a']],
    [['list', 'a']],
    [['check']],
    [['check', 'a', '-E', '256']],
    [['plan']],
    [['plan', 'no-such-file.json']],
    [['guard']],
  ])('%j is 64', async (argv) => {
    const { args, locks } = tree();
    const dir = argv[0] === 'no' ? [] : args;
    const called = await call('claim', ...argv, ...dir);
    expect(called).toMatchObject({ code: 64, stdout: '' });
    expect(called.stderr).toMatch(/^holdfast: /);
    expect(() => readdirSync(locks)).toThrow();
  });

  test('no folder named, and in no repository: 64, and how to', async () => {
    vi.stubEnv('HOLDFAST_CLAIMS', '');
    const called = await callIn(testFolder(), 'claim', 'list');
    vi.unstubAllEnvs();
    expect(called).toMatchObject({ code: 64, stderr: expect.stringContaining('HOLDFAST_CLAIMS') });
  });

  test('an unknown action: there are all, or the near one', async () => {
    const { stderr } = await call('claim', 'frobnicate');
    const names = 'add, wait, run, check, list, watch, renew, release, clear, prune, audit';
    expect(stderr).toContain(`${names}, set-aside, plan, guard, hook, install-hook, bypass`);
    expect((await call('claim', 'ad', 'x')).stderr).toContain(
      "unknown action 'ad'; did you mean add?",
    );
    expect((await call('claim', 'by-pass')).stderr).toContain('did you mean bypass?');
  });

  test.each(['-5m', '-.5', '99d', '24.1h', '500ms', 'soon'])('bypass %s: 64', async (time) => {
    const { args, locks } = tree();
    const called = await call('claim', 'bypass', time, ...args.slice(0, 2));
    expect(called).toMatchObject({ code: 64, stdout: '' });
    expect(called.stderr).toContain(`not '${time}'`);
    expect(called.stderr).toContain('holdfast claim bypass --help');
    if (time !== 'soon') expect(called.stderr).toContain('from 1s to 24h');
    expect(() => readdirSync(locks)).toThrow();
  });

  test.each([['--for', 'vim'], []])(
    'install-hook %j points to the help with the hosts',
    async (...words) => {
      const called = await call('claim', 'install-hook', ...words);
      expect(called.code).toBe(64);
      expect(called.stderr).toContain('see: holdfast claim install-hook --help');
      expect(called.stderr.includes('--for is missing')).toBe(words.length === 0);
      const help = await call('claim', 'install-hook', '--help');
      for (const host of HOST_NAMES) expect(help.stdout).toContain(host);
    },
  );

  test('set-aside of a missing file says where it is missing', async () => {
    const { args, locks } = tree();
    const words = ['set-aside', 'nofile.lock', ...args];
    const expected = {
      code: 65,
      stdout: '',
      stderr: expect.stringContaining(`there is no claim file nofile.lock in ${locks}`),
    };
    expect(await call('claim', ...words)).toMatchObject(expected);
    mkdirSync(locks, { recursive: true });
    const called = await call('claim', ...words);
    expect(called).toMatchObject(expected);
    expect(called.stderr).not.toContain('ENOENT');
  });
});
