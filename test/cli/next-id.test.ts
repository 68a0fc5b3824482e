import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nextId as runNextId } from '../../src/cli/next-id.js';
import { FileLock } from '../../src/index.js';
import { finish, Screen } from '../support/command.js';
import { testFolder } from '../support/folder.js';
import { LOCK } from '../support/next-id.js';
import { given, nextId } from '../support/next-id-command.js';
import { counterIn, oneTo } from '../support/next-id-program.js';
import { errorOf } from '../support/refused.js';

describe('next-id', () => {
  test('prints the id, one more each time', async () => {
    const folder = join(testFolder(), 'made', 'for it');
    for (const id of oneTo(3)) expect(await nextId(folder)).toEqual(given(id));
    expect(counterIn(folder)).toBe('3\n');
  });

  test('thirty at once print 1 to 30', async () => {
    const folder = testFolder();
    const ends = await Promise.all(oneTo(30).map(() => finish(['next-id', folder])));
    expect(ends.map(({ code }) => code)).toEqual(ends.map(() => 0));
    const ids = ends.map(({ stdout }) => Number(stdout));
    expect(ids.sort((one, other) => one - other)).toEqual(oneTo(30));
  });

  test('reads the names of the entries', async () => {
    const folder = testFolder();
    mkdirSync(join(folder, 'task-11'));
    expect(await nextId(folder)).toEqual(given(12));
  });

  test('--reuse gives the smallest that no entry has', async () => {
    const folder = testFolder();
    mkdirSync(join(folder, '2'));
    expect(await nextId(folder, '--reuse')).toEqual(given(1));
    expect(await nextId('--reuse', folder)).toEqual(given(1));
    expect(await nextId(folder)).toEqual(given(3));
  });

  test('--pattern finds the id in its first group', async () => {
    const folder = testFolder();
    mkdirSync(join(folder, '3-of-20'));
    expect(await nextId(folder, '--pattern', '^(\\d+)-')).toEqual(given(4));
    rmSync(join(folder, `${LOCK}.last`));
    expect(await nextId('--pattern=^(\\d+)-', folder)).toEqual(given(4));
  });

  test('a folder whose names do not tell the id is 65, with the way out', async () => {
    const folder = testFolder();
    for (const name of ['0001-a.md', 'notes-2024.md']) writeFileSync(join(folder, name), '');
    const { code, stdout, stderr } = await nextId(folder);
    expect({ code, stdout }).toEqual({ code: 65, stdout: '' });
    for (const word of ['0001-a.md', 'notes-2024.md', '--pattern']) expect(stderr).toContain(word);
    expect(counterIn(folder)).toBe(null);
    expect(await nextId(folder, '--pattern', '^(\\d+)-')).toEqual(given('0002'));
  });

  test('a file in the place of the counter is 65, and is left as it is', async () => {
    const folder = testFolder();
    mkdirSync(join(folder, 'deploy.new'));
    writeFileSync(join(folder, 'deploy.last'), 'notes\n');
    const { code, stdout, stderr } = await nextId('--lock-name', 'deploy', folder);
    expect({ code, stdout }).toEqual({ code: 65, stdout: '' });
    expect(stderr).toContain('deploy.last');
    expect(readFileSync(join(folder, 'deploy.last'), 'utf8')).toBe('notes\n');
    expect(readdirSync(folder).sort()).toEqual(['deploy', 'deploy.last', 'deploy.new']);
  });

  test('the width of the names is kept, or what --pad says', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, '0008-a.md'), '');
    expect(await nextId(folder)).toEqual(given('0009'));
    const words = [folder, 'sh', '-c', 'echo "$HOLDFAST_ID {id}"'];
    expect(await finish(['next-id', ...words])).toMatchObject({ stdout: '0010 0010\n' });
    expect(await nextId(folder, '--pad', '1')).toEqual(given(11));
    expect(await nextId('--pad=6', folder)).toEqual(given('000012'));
    expect(await nextId('--pad', '3', testFolder())).toEqual(given('001'));
  });

  test('--pattern with an unpaired surrogate is refused: it would match no name', async () => {
    const folder = testFolder();
    const { code, stdout } = await nextId(folder, '--pattern', 'caf\udce9(\\d+)');
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('--with counts other folders as well, and may be repeated', async () => {
    const [one, two, three] = [testFolder(), testFolder(), testFolder()];
    writeFileSync(join(two, '0007-a.md'), '');
    expect(await nextId(one, '--with', two, `--with=${three}`)).toEqual(given('0008'));
    expect([one, two, three].map((each) => counterIn(each))).toEqual(['8\n', '8\n', '8\n']);
    expect(await nextId(three)).toEqual(given(9));
  });

  test('--with a folder that is held: 75, and which one it is', async () => {
    const [one, two] = [testFolder(), testFolder()];
    const lock = FileLock.acquireSync(join(two, LOCK));
    const { code, stderr } = await nextId(one, '--with', two, '-w', '0');
    lock.releaseSync();
    expect(code).toBe(75);
    expect(stderr).toContain(`the ids of ${two} are held by pid ${process.pid}`);
  });

  test('--with a folder that is not there is 73, and it is not created', async () => {
    const folder = testFolder();
    const missing = join(folder, 'missing');
    expect(await nextId(folder, '--with', missing)).toMatchObject({ code: 73, stdout: '' });
    expect(existsSync(missing)).toBe(false);
  });

  test('--start is the first id', async () => {
    const folder = testFolder();
    expect(await nextId(folder, '--start', '100')).toEqual(given(100));
    expect(await nextId('--start=5', folder)).toEqual(given(101));
    expect(await nextId('--start', '0', testFolder())).toEqual(given(0));
  });

  test('--lock-name names the lock', async () => {
    const folder = testFolder();
    expect(await nextId(folder, '--lock-name', '.wt.lock')).toEqual(given(1));
    expect(readdirSync(folder).sort()).toEqual(['.wt.lock', '.wt.lock.last']);
  });

  test.each([['--help'], ['-h'], ['dir', '--help'], ['-h', 'dir', 'false']])(
    '%s: help, on stdout',
    async (...args) => {
      const stdout = expect.stringContaining('Usage: holdfast next-id');
      expect(await nextId(...args)).toEqual({ code: 0, stdout, stderr: '' });
    },
  );
});

describe('an id that could not be printed', () => {
  test.each([['ENOSPC'], ['EPIPE']])('is free, and the error comes through: %s', async (code) => {
    const folder = testFolder();
    const failure = Object.assign(new Error(code), { code, syscall: 'write' });
    const stdout = {
      write: () => {
        throw failure;
      },
    };
    const streams = { stdout, stderr: new Screen() };
    expect(await errorOf(() => runNextId([folder], streams))).toBe(failure);
    expect(counterIn(folder)).toBe(null);
    expect(await nextId(folder)).toEqual(given(1));
  });
});
