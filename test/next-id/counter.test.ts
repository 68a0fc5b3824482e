import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isLockError } from '../../src/index.js';
import { IdCounterError, type NextIdOptions, withNextId } from '../../src/next-id.js';
import { descriptorsTo } from '../support/census.js';
import { testFolder } from '../support/folder.js';
import { folderWith, IGNORED, LOCK, next, warningsOf } from '../support/next-id.js';
import { counterIn } from '../support/next-id-program.js';
import { errorOf } from '../support/refused.js';
import { expectWarning } from '../support/setup.js';
import { isFree } from '../support/several.js';

expectWarning(IGNORED);

describe('the counter', () => {
  const CASES: [title: string, counter: string, entries: string[], id: number][] = [
    ['larger than the entries', '9\n', ['task-3'], 10],
    ['smaller than the entries', '3\n', ['task-9'], 10],
    ['the same as the entries', '9\n', ['task-9'], 10],
    ['without a newline', '9', [], 10],
    ['with zeros in front', '0009\n', [], 10],
    ['written on Windows', '9\r\n', [], 10],
    ['zero', '0\n', [], 1],
  ];
  test.each(CASES)('%s: the larger wins', async (_, counter, entries, id) => {
    const folder = folderWith(...entries);
    writeFileSync(join(folder, `${LOCK}.last`), counter);
    expect(await warningsOf(async () => expect(await next(folder)).toBe(id))).toEqual([]);
    expect(counterIn(folder)).toBe(`${id}\n`);
  });

  test('missing: what is there counts, and it is written anew', async () => {
    const folder = folderWith('task-6');
    expect(await next(folder)).toBe(7);
    rmSync(join(folder, `${LOCK}.last`));
    expect(await next(folder)).toBe(7);
    expect(counterIn(folder)).toBe('7\n');
  });

  test.each<[string, string | Buffer]>([
    ['notes', 'notes\n'],
    ['nothing', ''],
    ['negative', '-7\n'],
    ['a fraction', '7.5\n'],
    ['hexadecimal', '0x10\n'],
    ['an exponent', '1e3\n'],
    ['two numbers', '7 8\n'],
    ['two lines', '7\n8\n'],
    ['a number and much more', `7\n${'\n'.repeat(500)}notes`],
    ['NUL bytes', '\0\0\0\0'],
    ['no text', Buffer.from([0xff, 0xfe, 0x31])],
    ['too large', '9007199254740992\n'],
    ['absurdly large', '9'.repeat(5000)],
    ['Infinity', 'Infinity\n'],
  ])('with %s in it is refused and left as it is', async (_, content) => {
    const folder = folderWith('task-6');
    const path = join(folder, `${LOCK}.last`);
    writeFileSync(path, content);
    await refusedForCounter(folder);
    expect(readFileSync(path)).toEqual(Buffer.from(content));
  });

  /** Nothing is created, nothing is left behind, and the way out is named. */
  async function refusedForCounter(folder: string, options: NextIdOptions = {}): Promise<void> {
    const { lockName = LOCK } = options;
    const names = (): string[] => readdirSync(folder).filter((name) => name !== lockName);
    const before = names();
    let created = false;
    const create = (): void => {
      created = true;
    };
    const path = join(folder, `${lockName}.last`);
    const error = await errorOf(() => withNextId(folder, options, create));
    expect(error).toBeInstanceOf(IdCounterError);
    expect(error).toMatchObject({ code: 'ERR_ID_COUNTER', path });
    expect(isLockError(error, 'ERR_ID_COUNTER')).toBe(true);
    expect((error as Error).message).toContain('lock name');
    expect(created).toBe(false);
    expect(names()).toEqual(before);
    expect(descriptorsTo(folder)).toBe(0);
  }

  test.each<[string, (path: string) => void]>([
    ['a folder', (path) => mkdirSync(path)],
    ['a folder with something in it', (path) => mkdirSync(join(path, 'x'), { recursive: true })],
    ['a FIFO', (path) => void execFileSync('mkfifo', [path])],
    ['a symbolic link to nothing', (path) => symlinkSync('nowhere', path)],
    ['a symbolic link to itself', (path) => symlinkSync(path, path)],
    ['a device', (path) => symlinkSync('/dev/zero', path)],
  ])('that is %s is refused and left as it is', async (_, make) => {
    const folder = folderWith('task-6');
    const path = join(folder, `${LOCK}.last`);
    make(path);
    const { ino } = lstatSync(path);
    await refusedForCounter(folder);
    expect(lstatSync(path).ino).toBe(ino);
    expect(isFree(join(folder, LOCK))).toBe(true);
  });

  test('that is a socket is refused', async () => {
    const folder = testFolder();
    const server = createServer().listen(join(folder, `${LOCK}.last`));
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    await refusedForCounter(folder);
  });

  test('a link is not followed, for reading or for writing', async () => {
    const folder = testFolder();
    const precious = join(testFolder(), 'precious');
    writeFileSync(precious, '5\n');
    symlinkSync(precious, join(folder, `${LOCK}.last`));
    await refusedForCounter(folder);
    expect(readFileSync(precious, 'utf8')).toBe('5\n');
  });

  test('somebody else takes its name while create runs: that is left as it is', async () => {
    const folder = testFolder();
    const path = join(folder, `${LOCK}.last`);
    const create = (): void => writeFileSync(path, 'notes\n');
    const error = await errorOf(() => withNextId(folder, create));
    expect(error).toMatchObject({ code: 'ERR_ID_COUNTER', path });
    expect(readFileSync(path, 'utf8')).toBe('notes\n');
    expect(readdirSync(folder).sort()).toEqual([LOCK, `${LOCK}.last`]);
  });

  test('a larger number that is written into it while create runs is kept', async () => {
    const folder = testFolder();
    await withNextId(folder, () => writeFileSync(join(folder, `${LOCK}.last`), '40\n'));
    expect(counterIn(folder)).toBe('40\n');
    expect(await next(folder)).toBe(41);
  });

  test('what has a name like those of its files is left as it is', async () => {
    const folder = testFolder();
    mkdirSync(join(folder, 'deploy.new', 'src'), { recursive: true });
    writeFileSync(join(folder, 'deploy.new', 'src', 'main.c'), 'precious');
    writeFileSync(join(folder, 'deploy.last'), 'notes\n');
    await refusedForCounter(folder, { lockName: 'deploy' });
    expect(readFileSync(join(folder, 'deploy.last'), 'utf8')).toBe('notes\n');
    rmSync(join(folder, 'deploy.last'));
    expect(await next(folder, { lockName: 'deploy' })).toBe(1);
    expect(readFileSync(join(folder, 'deploy.new', 'src', 'main.c'), 'utf8')).toBe('precious');
    expect(readdirSync(folder).sort()).toEqual(['deploy', 'deploy.last', 'deploy.new']);
  });

  test('what a killed process left beside it is no obstacle, and counts as nothing', async () => {
    const left = '.holdfast-0123456789abcdef.new';
    const folder = folderWith(left, 'task-2');
    expect(await next(folder)).toBe(3);
    expect(await next(folder, { pattern: /(\d+)/ })).toBe(4);
    expect(readdirSync(folder).sort()).toEqual([left, LOCK, `${LOCK}.last`, 'task-2'].sort());
  });

  test('is as readable as other files that this process makes', async () => {
    const folder = testFolder();
    await next(folder);
    const { mode } = statSync(join(folder, `${LOCK}.last`));
    expect(mode & 0o777).toBe(0o666 & ~process.umask());
  });
});
