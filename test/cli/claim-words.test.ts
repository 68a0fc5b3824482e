import { readdirSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { claimedTree as tree } from '../support/claims-setting.js';
import { COMMAND, call, callIn } from '../support/command.js';
import { testFolder } from '../support/folder.js';

describe('wrong words of holdfast claim', () => {
  test.each([
    [[]],
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
    const dir = argv.length === 0 || argv[0] === 'no' ? [] : args;
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

  test('help is no error', async () => {
    const { code, stdout } = await call('claim', '--help');
    expect(code).toBe(0);
    expect(stdout).toContain('holdfast claim guard --staged');
    expect((await call('claim', 'add', '-h')).stdout).toBe(stdout);
    expect(COMMAND).toContain('holdfast.js');
  });
});
