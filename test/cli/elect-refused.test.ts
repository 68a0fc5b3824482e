import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { COMMAND, finish } from '../support/command.js';
import { NODE, standBy } from '../support/elect-command.js';
import { testFolder } from '../support/folder.js';
import { Program } from '../support/program.js';
import { NOBODY, needs } from '../support/tools.js';

describe('a seat that cannot be taken', () => {
  const kinds: [string, number, (path: string) => void][] = [
    ['a symlink', 73, (path) => symlinkSync('nowhere', path)],
    ['a FIFO', 65, (path) => execFileSync('mkfifo', [path])],
    ['a folder', 65, (path) => mkdirSync(path)],
    ['a file with other content', 65, (path) => writeFileSync(path, 'mine')],
  ];
  test.each(kinds)('%s is %i at once, with one line', async (_, expected, make) => {
    const directory = testFolder();
    make(join(directory, '.primary'));
    const { code, stdout, stderr } = await finish(['elect', directory, 'echo', 'led']);
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' });
    expect(stderr).toMatch(/^holdfast: .+\n$/);
    expect(readdirSync(directory)).toEqual(['.primary']);
  });

  test('nor while it stands by: the same', async () => {
    const directory = testFolder();
    const seat = FileLock.acquireSync(join(directory, '.primary'));
    const program = await standBy(directory, [directory, 'echo', 'led']);
    rmSync(join(directory, '.primary'));
    symlinkSync('nowhere', join(directory, '.primary'));
    seat.releaseSync();
    const { code, stdout, stderr } = await program.exited;
    expect({ code, stdout }).toEqual({ code: 73, stdout: '' });
    expect(stderr.match(/ELOOP/g)).toHaveLength(1);
    expect(readdirSync(directory)).toEqual(['.primary']);
  });

  needs('root')('another user’s 0600 file is 73 at once', async () => {
    const directory = testFolder();
    chmodSync(directory, 0o777);
    writeFileSync(join(directory, '.primary'), '', { mode: 0o600 });
    const { code, stdout } = await finish(['elect', directory, 'echo', 'led'], NOBODY);
    expect({ code, stdout }).toEqual({ code: 73, stdout: '' });
    expect(readdirSync(directory)).toEqual(['.primary']);
  });
});

describe('a folder whose name is not UTF-8', () => {
  // As a string of JavaScript it cannot be typed, so a shell does.
  const bytes = String.raw`caf\351`;
  test.each([
    ['named', '"$2" "$1" elect "$(printf \'$bytes\')" echo led'],
    ['the working directory', 'cd "$(printf \'$bytes\')" && "$2" "$1" elect . echo led'],
    ['below the working directory', 'cd "$(printf \'$bytes\')" && "$2" "$1" elect sub echo led'],
    ['asked about', '"$2" "$1" elect status "$(printf \'$bytes\')"'],
  ])('%s: is refused, and no other folder is made or used', async (_, line) => {
    const root = testFolder();
    mkdirSync(Buffer.concat([Buffer.from(join(root, 'caf')), Buffer.from([0xe9])]));
    mkdirSync(join(root, 'caf\ufffd'));
    const script = line.replaceAll('$bytes', bytes);
    const { code, stdout, stderr } = await Program.start(
      'sh',
      ['-c', script, 'sh', COMMAND, NODE],
      { cwd: root },
    ).end();
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toContain('UTF-8');
    const names = [...readdirSync(root), ...readdirSync(join(root, 'caf\ufffd'))];
    expect(names).toHaveLength(2);
  });

  test('a name that has the replacement character itself is a name', async () => {
    const root = testFolder();
    const directory = join(root, 'caf\ufffd');
    const { code, stdout } = await finish(['elect', directory, 'echo', 'led']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'led\n' });
    expect(readdirSync(root)).toEqual(['caf\ufffd']);
  });
});
