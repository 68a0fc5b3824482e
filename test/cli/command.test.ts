import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { LockHeldError, LockStateError, LockUnsupportedError } from '../../src/base/errors.js';
import { EXIT, exitCodeOf } from '../../src/cli/exit-codes.js';
import { main, SUBCOMMANDS } from '../../src/cli/main.js';
import { PAGES, pageOf } from '../../src/cli/pages/index.js';
import type { Page } from '../../src/cli/pages/page.js';
import { helpText } from '../../src/cli/render/text.js';
import { call, callIn, finish, Screen } from '../support/command.js';
import { lockPath, testFolder } from '../support/folder.js';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));

const help = (name: string, bold = false): string =>
  helpText(pageOf(name) as Page, { width: 80, bold });

describe('help and version go to stdout', () => {
  test.each<[string[], string]>([
    [['--help'], help('')],
    [['-h'], help('')],
    [['help'], help('')],
    [['help', 'run'], help('run')],
    [['run', '--help'], help('run')],
    [['run', '-nh', 'file'], help('run')],
    [['status', '--help'], help('status')],
    [['status', '-h', 'file'], help('status')],
    [['claim', '--help'], help('claim')],
    [['claim', 'help'], help('claim')],
    [['--version'], `holdfast ${version}\n`],
    [['-V'], `holdfast ${version}\n`],
    [['version'], `holdfast ${version}\n`],
  ])('%j', async (argv, stdout) => {
    expect(await call(...argv)).toEqual({ code: 0, stdout, stderr: '' });
  });

  test.each(PAGES.map(({ name }) => name))('holdfast %s --version', async (name) => {
    const words = name.split(' ').filter((word) => word !== '');
    const expected = { code: 0, stdout: `holdfast ${version}\n`, stderr: '' };
    expect(await call(...words, '--version')).toEqual(expected);
    expect(await call(...words, '-V')).toEqual(expected);
  });

  test('but what comes after FILE or DIR is of the command that runs', async () => {
    const echo = ['sh', '-c', 'echo "$1"', 'sh'];
    const run = await finish(['run', lockPath(), ...echo, '--version']);
    expect(run).toMatchObject({ code: 0, stdout: '--version\n' });
    const named = await finish(['next-id', testFolder(), ...echo, '--help']);
    expect(named).toMatchObject({ code: 0, stdout: '--help\n' });
  });

  test('the list alone is no success, as with git', async () => {
    expect(await call()).toEqual({ code: 64, stdout: help(''), stderr: '' });
    expect(await call('claim')).toEqual({ code: 64, stdout: help('claim'), stderr: '' });
    for (const name of Object.keys(SUBCOMMANDS)) expect(help('')).toContain(`\n  ${name} `);
  });

  test('headings are bold on a terminal, but not with NO_COLOR or on a dumb one', async () => {
    const shown = async (): Promise<string> => {
      const stdout = new Screen(80);
      await main(['run', '--help'], { stdout, stderr: new Screen(80) });
      return stdout.text;
    };
    onTestFinished(() => void vi.unstubAllEnvs());
    vi.stubEnv('NO_COLOR', undefined);
    vi.stubEnv('TERM', 'xterm');
    expect(await shown()).toBe(help('run', true));
    expect(help('run', true)).toContain('\x1b[1mUsage:\x1b[22m');
    vi.stubEnv('TERM', 'dumb');
    expect(await shown()).toBe(help('run'));
    vi.stubEnv('TERM', 'xterm');
    vi.stubEnv('NO_COLOR', '1');
    expect(await shown()).toBe(help('run'));
    expect(help('run')).not.toContain('\x1b');
  });
});

describe('a typo is answered with what was meant', () => {
  test.each([
    [['staus'], 'did you mean status? See: holdfast --help'],
    [['nextid'], 'did you mean next-id?'],
    [['--versoin'], 'did you mean --version?'],
    [['help', 'clam'], 'did you mean claim?'],
    [['run', '--timout', '3', 'f', 'true'], 'did you mean --timeout? See: holdfast run --help'],
    [['run', '--timout=3', 'f', 'true'], 'unknown option --timout; did you mean --timeout?'],
    [['status', '--jsn', 'f'], 'did you mean --json? See: holdfast status --help'],
    [['next-id', '--resue', '.'], 'did you mean --reuse? See: holdfast next-id --help'],
    [['elect', '--setle', '1', '.', 'true'], 'did you mean --settle?'],
    [['elect', 'status', '--jsno', '.'], 'did you mean --json? See: holdfast elect status --help'],
    [['doctor', '--qiet', '.'], 'did you mean --quiet?'],
    [['mcp', '--agnet', 'a'], 'did you mean --agent?'],
    [['completion', 'ksh'], 'there are: bash, zsh, fish'],
    [['rnu'], 'did you mean run?'],
    [['flock'], 'did you mean run?'],
    [['helpp'], 'did you mean help?'],
    [['run', '--excl', 'f', 'true'], 'did you mean --exclusive?'],
    [['run', '--time', '3', 'f', 'true'], 'did you mean --timeout?'],
    [['run', '-w', 'f', 'true'], "not 'f'"],
    [['run', '-E', 'f', 'true'], "not 'f'"],
    [['claim', 'lst'], 'did you mean list? See: holdfast claim --help'],
    [['claim', 'help', 'ad'], 'did you mean add?'],
    [
      ['claim', 'add', '--exept', 'a', 'b'],
      'did you mean --except? See: holdfast claim add --help',
    ],
    [['claim', 'install-hook', '--dryrun'], 'did you mean --dry-run?'],
    [['claim', 'bypass', '--dor', '.', '1m'], 'did you mean --dir?'],
  ])('%j', async (argv, said) => {
    const { code, stdout, stderr } = await call(...argv);
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toContain(said);
  });

  test('nothing is near: there are all', async () => {
    expect((await call('bogus')).stderr).toContain(
      `there are: ${Object.keys(SUBCOMMANDS).join(', ')}`,
    );
  });
});

test('a path is named as it was typed, with $& and its like', async () => {
  const folder = testFolder();
  mkdirSync(join(folder, 'a$&b'));
  const { code, stderr } = await callIn(folder, 'run', '--instance', '-n', 'a$&b', 'true');
  expect(code).toBe(65);
  expect(stderr).toContain('into a$&b:');
});

describe('a URL is no folder of claims', () => {
  test.each([
    [['claim', 'add', '--agent', 'a', '--dir', 'postgres://db/x', 'f']],
    [['claim', 'list', '--dir', 'etcd:x']],
    [['claim', 'install-hook', '--for', 'codex', '--dry-run', '--dir', 'postgres://db/x']],
    [['mcp', '--dir', 'postgres:/x']],
  ])('%j', async (argv) => {
    const { code, stderr } = await call(...argv);
    expect(code).toBe(64);
    expect(stderr).toContain('is a URL');
  });
});

describe('wrong words are 64, and stderr says where to look', () => {
  test.each([
    [['bogus']],
    [['toString']],
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
    [['run', '-F', '--data', 'a=b', 'f', 'true']],
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
