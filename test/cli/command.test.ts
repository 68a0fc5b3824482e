import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { LockHeldError, LockStateError, LockUnsupportedError } from '../../src/base/errors.js';
import { EXIT, exitCodeOf } from '../../src/cli/exit-codes.js';
import * as help from '../../src/cli/help.js';
import { main } from '../../src/cli/main.js';
import { call, Screen } from '../support/command.js';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));

describe('help and version go to stdout', () => {
  test.each<[string[], string]>([
    [['--help'], help.MAIN_HELP],
    [['-h'], help.MAIN_HELP],
    [['help'], help.MAIN_HELP],
    [['run', '--help'], help.RUN_HELP],
    [['run', '-nh', 'file'], help.RUN_HELP],
    [['status', '--help'], help.STATUS_HELP],
    [['status', '-h', 'file'], help.STATUS_HELP],
    [['--version'], `holdfast ${version}\n`],
    [['-V'], `holdfast ${version}\n`],
  ])('%j', async (argv, stdout) => {
    expect(await call(...argv)).toEqual({ code: 0, stdout, stderr: '' });
  });

  test('every option is in the help', () => {
    const options = ['-x', '-e', '-s', '-n', '-w', '-E', '-o', '-F', '-c', '-u', '--verbose'];
    for (const option of options) expect(help.RUN_HELP).toContain(option);
    for (const option of ['--json', '--watch', '--probe'])
      expect(help.STATUS_HELP).toContain(option);
    for (const code of [64, 65, 69, 70, 73, 75]) expect(help.RUN_HELP).toContain(String(code));
  });

  test('no line is longer than a terminal is wide', () => {
    const lines = Object.values(help).join('').split('\n');
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
  });
});

describe('wrong words are 64, and stderr says where to look', () => {
  test.each([
    [[]],
    [['bogus']],
    [['toString']],
    [['']],
    [['run']],
    [['run', '--']],
    [['run', '-Z', 'f', 'true']],
    [['run', '-c', 'true', 'f']],
    [['run', '--command', 'true', 'f']],
    [['run', '--verbose=1', 'f', 'true']],
    [['run', '-w']],
    [['run', '-w', 'soon', 'f', 'true']],
    [['run', '-E', '256', 'f', 'true']],
    [['run', '-o', '-F', 'f', 'true']],
    [['run', 'f']],
    [['run', 'f', '-c']],
    [['run', 'f', '--command']],
    [['run', 'f', '-c', 'a', 'b']],
    [['run', 'f', '-ca', 'b']],
    [['run', 'f', '--command=a', 'b']],
    [['status']],
    [['status', '--bogus', 'f']],
    [['status', '--json=1', 'f']],
  ])('%j', async (argv) => {
    const { code, stdout, stderr } = await call(...argv);
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toMatch(/^holdfast: .+; see: holdfast (run |status )?--help\n$/);
  });
});

describe('an internal error is 70, on stderr', () => {
  test.each([
    [new Error('on purpose'), 'Error: on purpose'],
    ['a string', 'a string'],
    [Object.assign(new Error('without a stack'), { stack: undefined }), 'without a stack'],
  ])('%s', async (thrown, detail) => {
    const stderr = new Screen();
    const stdout = {
      write: (): never => {
        throw thrown;
      },
    };
    expect(await main(['--help'], { stdout, stderr })).toBe(70);
    expect(stderr.text).toMatch(/^holdfast: internal error/);
    expect(stderr.text).toContain(detail);
    for (const line of stderr.lines) expect(line).toMatch(/^holdfast: /);
  });
});

describe('what an error means', () => {
  const failed = (syscall: string): Error => Object.assign(new Error(), { code: 'EIO', syscall });
  test.each<[string, unknown, number]>([
    ['open fails', failed('open'), EXIT.cantCreate],
    ['mkdir fails', failed('mkdir'), EXIT.cantCreate],
    ['flock fails', failed('flock'), EXIT.data],
    ['held', new LockHeldError('/f', null), EXIT.refused],
    ['a state', new LockStateError('/f', ''), EXIT.data],
    ['unsupported', new LockUnsupportedError('/f', ''), EXIT.data],
    ['an argument', Object.assign(new TypeError(), { code: 'ERR_INVALID_ARG_VALUE' }), EXIT.usage],
    ['without a code', new Error(), EXIT.software],
    ['null', null, EXIT.software],
    ['no object', 'text', EXIT.software],
  ])('%s', (_, error, code) => {
    expect(exitCodeOf(error)).toBe(code);
  });
});
