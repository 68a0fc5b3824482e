import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMMAND, callIn } from '../support/command.js';
import { testFolder } from '../support/folder.js';
import { LOCK } from '../support/next-id.js';
import { nextId } from '../support/next-id-command.js';
import { Program } from '../support/program.js';
import { needs } from '../support/tools.js';

describe('wrong words are 64, and nothing is created', () => {
  test.each<[string[]]>([
    [[]],
    [['']],
    [['--']],
    [['--bogus', 'dir']],
    [['dir', '--bogus']],
    [['--constructor', 'dir']],
    [['dir', '--toString']],
    [['dir', '--__proto__']],
    [['--with', '', 'dir']],
    [['dir', '--with']],
    [['--pad', 'four', 'dir']],
    [['--pad', '0', 'dir']],
    [['--pad', '17', 'dir']],
    [['-Z', 'dir']],
    [['--pattern', '(', 'dir']],
    [['--pattern']],
    [['dir', '--pattern']],
    [['--timeout', 'soon', 'dir']],
    [['--timeout', '-1', 'dir']],
    [['--timeout', '', 'dir']],
    [['-w']],
    [['--reuse=yes', 'dir']],
    [['--start', 'one', 'dir']],
    [['--start', '-1', 'dir']],
    [['--start', '1.5', 'dir']],
    [['--start=', 'dir']],
    [['--start', '99999999999999999999', 'dir']],
    [['--lock-name', '', 'dir']],
    [['--lock-name', 'a/b', 'dir']],
    [['--lock-name', '..', 'dir']],
  ])('%j', async (args) => {
    const cwd = testFolder();
    const { code, stdout, stderr } = await callIn(cwd, 'next-id', ...args);
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toMatch(/^holdfast: .+\n$/);
    expect(readdirSync(cwd)).toEqual([]);
  });
});

describe('a DIR that cannot be used', () => {
  test.each<[string, (file: string) => string]>([
    ['a file', (file) => file],
    ['below a file', (file) => join(file, 'folder')],
  ])('%s is 73', async (_, path) => {
    const file = join(testFolder(), 'file');
    writeFileSync(file, 'precious');
    expect(await nextId(path(file), 'true')).toMatchObject({ code: 73, stdout: '' });
    expect(readFileSync(file, 'utf8')).toBe('precious');
  });

  test('without an id left is 65', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, `${LOCK}.last`), `${Number.MAX_SAFE_INTEGER}\n`);
    const { code, stderr } = await nextId(folder);
    expect(code).toBe(65);
    expect(stderr).toMatch(/^holdfast: .+\n$/);
  });
});

needs('root', 'unshare')('on a full or read-only disk nothing is printed or run', async () => {
  const script = `mount -t tmpfs -o size=16k none "$1" && cd "$1" && head -c 65536 /dev/zero >fill
    shift; "$@" .; echo $?; "$@" . echo used; echo $?; rm fill; "$@" .; mount -o remount,ro .; "$@" .; echo $?`;
  const words = [
    '-m',
    'sh',
    '-c',
    script,
    'sh',
    testFolder(),
    process.execPath,
    COMMAND,
    'next-id',
  ];
  const { stdout, stderr } = await Program.start('unshare', words).end();
  expect(stdout).toBe('65\n65\n1\n73\n');
  expect(stderr).toContain('ENOSPC');
});
