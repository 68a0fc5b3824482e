import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
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
import { pathToFileURL } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FileLock, fileLocker, isLockError, type Locker } from '../../src/index.js';
import {
  AmbiguousIdError,
  type Create,
  IdCounterError,
  type NextIdOptions,
  withNextId,
} from '../../src/next-id.js';
import { memoryLocker } from '../../src/testing.js';
import { descriptorsTo } from '../support/census.js';
import { testFolder } from '../support/folder.js';
import { counterIn, idsIn, oneTo } from '../support/next-id-program.js';
import { ARGUMENT_CODES, errorOf } from '../support/refused.js';
import { expectWarning } from '../support/setup.js';

const [TYPE, VALUE, RANGE] = ARGUMENT_CODES;
const LOCK = '.next-id.lock';
const IGNORED = 'HOLDFAST_ID_IGNORED';
expectWarning(IGNORED);

/** A folder with empty files of these names. */
function folderWith(...names: string[]): string {
  const folder = testFolder();
  for (const name of names) writeFileSync(join(folder, name), '');
  return folder;
}

const nothing = (): void => {};

/** The id that is given. Nothing comes to be under it. */
async function next(folder: string, options: NextIdOptions = {}): Promise<number> {
  return (await withNextId(folder, options, nothing)).id;
}

const making =
  (folder: string): Create<void> =>
  (id) =>
    mkdirSync(join(folder, `task-${id}`));

/** The warnings about ignored ids that the call leads to. */
async function warningsOf(call: () => Promise<unknown>): Promise<string[]> {
  const heard: string[] = [];
  const hear = (warning: Error & { code?: string }): void => {
    if (warning.code !== IGNORED) return;
    expect(warning.name).toBe('HoldfastWarning');
    heard.push(warning.message);
  };
  // Those of the test before are not this one's.
  await new Promise(setImmediate);
  process.on('warning', hear);
  onTestFinished(() => void process.removeListener('warning', hear));
  await call();
  // They are emitted in the next tick.
  await new Promise(setImmediate);
  return heard;
}

/** A promise with its ends outside. */
function gate<T = void>(): { opened: Promise<T>; open: (value: T) => void } {
  let open: (value: T) => void = () => {};
  const opened = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** Whose `create` goes on when it is told to. */
async function creating(
  folder: string,
  options: NextIdOptions = {},
): Promise<{ id: number; finish: () => void; done: Promise<unknown> }> {
  const begun = gate<number>();
  const end = gate();
  const done = withNextId(folder, options, async (id) => {
    begun.open(id);
    await end.opened;
  });
  done.catch(() => {});
  onTestFinished(() => end.open());
  const id = await Promise.race([begun.opened, done.then(() => -1)]);
  return { id, finish: () => end.open(), done };
}

const isFree = (path: string): boolean => {
  const lock = FileLock.tryAcquire(path);
  lock?.releaseSync();
  return lock !== null;
};

describe('the next id', () => {
  test('begins with 1, and is one more each time', async () => {
    const folder = testFolder();
    for (const id of oneTo(5)) {
      expect(await withNextId(folder, async (given) => `value ${given}`)).toEqual({
        id,
        text: String(id),
        value: `value ${id}`,
      });
    }
    expect(counterIn(folder)).toBe('5\n');
  });

  test('is one above the largest in the folder, whatever kind the entry is', async () => {
    const folder = folderWith('task-3', 'job17', 'readme.md');
    mkdirSync(join(folder, 'dir-20'));
    symlinkSync('nowhere', join(folder, 'link-21'));
    expect(await next(folder)).toBe(22);
  });

  test('comes from a folder that is given as a URL, and relative to here', async () => {
    const folder = folderWith('4');
    expect((await withNextId(pathToFileURL(folder), nothing)).id).toBe(5);
    const relative = join(...process.cwd().split('/').slice(1).fill('..'), folder);
    expect(await next(relative)).toBe(6);
  });

  test('options may be undefined', async () => {
    const folder = testFolder();
    const none = undefined as unknown as NextIdOptions;
    expect(await withNextId(folder, none, () => 'made')).toMatchObject({ id: 1, value: 'made' });
  });

  test('a missing folder is made, with those above it', async () => {
    const folder = join(testFolder(), 'a', 'b');
    expect(await next(folder)).toBe(1);
    expect(readdirSync(folder).sort()).toEqual([LOCK, `${LOCK}.last`]);
  });

  test('leaves no descriptor and no lock behind', async () => {
    const folder = testFolder();
    await next(folder);
    await withNextId(folder, () => Promise.reject(new Error('no'))).catch(nothing);
    expect(descriptorsTo(folder)).toBe(0);
    expect(isFree(join(folder, LOCK))).toBe(true);
  });

  test('fifty calls at once in one process get fifty ids, one at a time', async () => {
    const folder = testFolder();
    let inside = 0;
    const ids = await Promise.all(
      oneTo(50).map(async () => {
        const { id } = await withNextId(folder, async (given) => {
          expect(++inside).toBe(1);
          await new Promise(setImmediate);
          mkdirSync(join(folder, `task-${given}`));
          inside--;
        });
        return id;
      }),
    );
    expect(ids.sort((one, other) => one - other)).toEqual(oneTo(50));
    expect(idsIn(folder)).toEqual(oneTo(50));
  });
});

describe('an id that was given', () => {
  test('does not come back when its entry is deleted', async () => {
    const folder = testFolder();
    for (const id of oneTo(3)) expect((await withNextId(folder, making(folder))).id).toBe(id);
    for (const id of oneTo(3)) rmSync(join(folder, `task-${id}`), { recursive: true });
    expect((await withNextId(folder, making(folder))).id).toBe(4);
  });

  test('with reuse, the smallest that no entry has comes back', async () => {
    const folder = folderWith('1', '2', '4', '7');
    const give = async (): Promise<number> => {
      const create = (id: number): void => writeFileSync(join(folder, String(id)), '');
      return (await withNextId(folder, { reuse: true }, create)).id;
    };
    expect([await give(), await give(), await give(), await give()]).toEqual([3, 5, 6, 8]);
    rmSync(join(folder, '2'));
    expect(await give()).toBe(2);
  });

  test('with reuse it is kept in the counter all the same', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, `${LOCK}.last`), '40\n');
    expect(await next(folder, { reuse: true })).toBe(1);
    expect(counterIn(folder)).toBe('40\n');
    expect(await next(folder)).toBe(41);
  });
});

describe('create that fails', () => {
  test.each([
    ['throws', () => Promise.reject(failure)],
    [
      'throws at once',
      () => {
        throw failure;
      },
    ],
  ])('%s: its error comes through unchanged, and the id is free', async (_, create) => {
    const folder = testFolder();
    expect(await errorOf(() => withNextId(folder, create))).toBe(failure);
    expect(counterIn(folder)).toBe(null);
    expect(await next(folder)).toBe(1);
  });
  const failure = new Error('from create');

  test.each([undefined, null, 'text', 0])('so does %s, which is no Error', async (thrown) => {
    expect(await errorOf(() => withNextId(testFolder(), () => Promise.reject(thrown)))).toBe(
      thrown,
    );
  });

  test('after an entry appeared: the id is given out, even once that is deleted', async () => {
    const folder = testFolder();
    const create: Create<void> = (id, context) => {
      making(folder)(id, context);
      throw failure;
    };
    expect(await errorOf(() => withNextId(folder, create))).toBe(failure);
    expect(counterIn(folder)).toBe('1\n');
    rmSync(join(folder, 'task-1'), { recursive: true });
    expect(await next(folder)).toBe(2);
  });

  test('an entry with another id that appeared does not count', async () => {
    const folder = testFolder();
    const create = (): void => {
      mkdirSync(join(folder, 'task-9'));
      rmSync(join(folder, 'task-9'), { recursive: true });
      throw failure;
    };
    expect(await errorOf(() => withNextId(folder, create))).toBe(failure);
    expect(await next(folder)).toBe(1);
  });

  test('its error is not hidden by a folder that went away', async () => {
    const folder = join(testFolder(), 'inner');
    const create = (): void => {
      rmSync(folder, { recursive: true });
      throw failure;
    };
    expect(await errorOf(() => withNextId(folder, create))).toBe(failure);
    expect(await next(folder)).toBe(1);
  });

  test('its error is not hidden by a scan that fails afterwards', async () => {
    let calls = 0;
    const scan = (): number[] => {
      if (++calls === 2) throw new Error('from scan');
      return [];
    };
    const folder = testFolder();
    const create = (): Promise<void> => Promise.reject(failure);
    expect(await errorOf(() => withNextId(folder, { scan }, create))).toBe(failure);
    expect(calls).toBe(2);
  });

  test('its error is not hidden by a counter that cannot be written', async () => {
    const folder = testFolder();
    const create: Create<void> = (id, context) => {
      making(folder)(id, context);
      mkdirSync(join(folder, `${LOCK}.last`, 'full'), { recursive: true });
      throw failure;
    };
    expect(await errorOf(() => withNextId(folder, create))).toBe(failure);
  });
});

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

describe('an id in a name', () => {
  test.each<[string, string[], number]>([
    ['the number that names begin with', ['7-task', '9-of-100'], 9],
    ['of decision records', ['0001-record.md', '0002-use-postgres.md', '0003-by-oauth2.md'], 3],
    ['of a roadmap', ['0001-record.md', '0002-roadmap-2024.md', 'template.md', 'README.md'], 2],
    ['of migrations', ['1-oauth2.sql', '2-b.sql', 'env.py', 'meta'], 2],
    ['of timestamps', ['20260301120000_create_users.sql'], 20_260_301_120_000],
    ['of numbers alone', ['7', '0042'], 42],
    ['of two files of one migration', ['0003_a.up.sql', '0003_a.down.sql'], 3],
    ['else their only number', ['task-1', 'task-2'], 2],
    ['whatever is before it', ['feature-7', 'wt-3', 'main'], 7],
    ['whatever is behind it', ['job7.md', 'v3.txt'], 7],
    ['not after ASCII', ['ütask-8ü', 'task--5'], 8],
    ['none without digits', ['task', 'template.md', 'README'], 0],
    ['none with other digits', ['task-٣'], 0],
    ['hidden names do not count', ['.0009-a.md.swp', '.gitkeep2', '0001-a.md', '.DS_Store'], 1],
    ['hidden names alone', ['.task-6', '.7'], 0],
  ])('%s: %j', async (_, names, last) => {
    const warnings = await warningsOf(async () => {
      expect(await next(folderWith(...names))).toBe(last + 1);
    });
    expect(warnings).toEqual([]);
  });

  test.each<[string, string[], string[]]>([
    [
      'some begin with one',
      ['0001-a.md', 'notes-2024.md', 'template.md'],
      ['0001-a.md', 'notes-2024.md'],
    ],
    ['also where those are few', ['task-1', 'task-2', '2fa.md'], ['2fa.md', 'task-']],
    ['several numbers', ['v1.2.3'], ['v1.2.3']],
    ['several in one of them', ['task-1', 'task-2-oauth2'], ['task-2-oauth2']],
    ['a number in the ending', ['clip-7.mp4'], ['clip-7.mp4']],
  ])('is not guessed: %s (%j)', async (_, names, clash) => {
    const folder = folderWith(...names);
    let created = false;
    const create = (): void => {
      created = true;
    };
    const error = await errorOf(() => withNextId(folder, create));
    expect(error).toBeInstanceOf(AmbiguousIdError);
    expect(error).toMatchObject({ code: 'ERR_ID_AMBIGUOUS', path: folder });
    const { message, names: found } = error as AmbiguousIdError;
    expect(found).toHaveLength(clash.length);
    for (const [at, name] of clash.entries()) expect(found[at]).toContain(name);
    for (const name of found) expect(message).toContain(name);
    expect(message).toContain('pattern');
    expect(created).toBe(false);
    expect(counterIn(folder)).toBe(null);
    expect(isFree(join(folder, LOCK))).toBe(true);
    // The way out.
    expect(await next(folder, { pattern: /^(\d+)/ })).toBeGreaterThan(0);
  });

  test('with reuse, the smallest that no name begins with', async () => {
    expect(await next(folderWith('1-oauth2.sql', '2-b.sql'), { reuse: true })).toBe(3);
    expect(await next(folderWith('1-oauth2.sql', '3-b.sql'), { reuse: true })).toBe(2);
  });

  test('a counter beside names that are not clear does not make them clear', async () => {
    const folder = folderWith('0001-a.md', 'notes-2024.md');
    writeFileSync(join(folder, `${LOCK}.last`), '1\n');
    expect(await errorOf(() => next(folder))).toMatchObject({ code: 'ERR_ID_AMBIGUOUS' });
  });

  test('a name that create makes unclear does not hide its error', async () => {
    const folder = folderWith('task-1');
    const failure = new Error('from create');
    const create = (): void => {
      mkdirSync(join(folder, 'task-2-oauth2'));
      throw failure;
    };
    const warnings = await warningsOf(async () => {
      expect(await errorOf(() => withNextId(folder, create))).toBe(failure);
    });
    expect(warnings).toHaveLength(1);
  });

  test('a name that would write to the terminal is made harmless in the error', async () => {
    const name = '\u001b[31mtask-1-2\n';
    const error = (await errorOf(() => next(folderWith(name)))) as AmbiguousIdError;
    expect(error.names).toEqual([name]);
    expect(error.message).not.toMatch(/\p{Cc}/u);
  });

  test.each<[string, RegExp, number]>([
    ['its first group', /^(\d+)-/, 13],
    ['the flag g does not go on where it stopped', /^(\d+)-/g, 13],
    ['the flag y neither', /(\d+)-/y, 13],
    ['a named group', /^(?<id>\d+)-/u, 13],
    ['a group that has no part in the match', /^(?:(\d+)-|readme)/, 13],
    ['names that do not match have no id', /^(3)-/, 4],
  ])('with a pattern: %s', async (_, pattern, id) => {
    const folder = folderWith('3-of-20', '12-of-100', '5', 'readme');
    expect(await next(folder, { pattern })).toBe(id);
    // And a second time with the same one.
    rmSync(join(folder, `${LOCK}.last`));
    expect(await next(folder, { pattern })).toBe(id);
  });

  test('a pattern without a group is refused, for it finds no id', async () => {
    const folder = folderWith('task-7');
    const error = await errorOf(() => next(folder, { pattern: /task-\d+/ }));
    expect(error).toMatchObject({ code: VALUE });
    expect(readdirSync(folder)).toEqual(['task-7']);
  });

  test.each([
    ['beyond what is safe', 'task-9007199254740992', undefined],
    ['far beyond', `task-${'9'.repeat(200)}`, undefined],
    ['negative', 'task-5', /task(-\d+)/],
    ['a fraction', 'task-1.5', /task-([\d.]+)/],
    ['a word', 'task-five', /task-(\w+)/],
    ['empty', 'task-', /task-(\d*)/],
  ])('%s is ignored with a warning', async (_, name, pattern) => {
    const folder = folderWith('task-3', name);
    rmSync(join(folder, pattern === undefined ? 'none' : 'task-3'), { force: true });
    const expected = pattern === undefined ? 4 : 1;
    const warnings = await warningsOf(async () => {
      expect(await next(folder, { pattern })).toBe(expected);
    });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(name.slice(0, 30));
  });

  test('one that would write to the terminal is made harmless in the warning', async () => {
    const folder = folderWith(`\u001b[m\n${'9'.repeat(30)}`);
    const [warning = ''] = await warningsOf(() => next(folder));
    expect(warning).toContain('9'.repeat(30));
    expect(warning).not.toMatch(/\p{Cc}/u);
  });

  test('entries whose name begins with lockName are not scanned', async () => {
    const pattern = /(\d+)/;
    const folder = folderWith(`${LOCK}.77`, `${LOCK}-78`, 'task-2');
    expect(await next(folder, { pattern })).toBe(3);
    const other = folderWith('.wt.lock.77', `${LOCK}.78`);
    expect(await next(other, { lockName: '.wt.lock', pattern })).toBe(79);
    const plain = folderWith('ids.77', 'task-2');
    expect(await next(plain, { lockName: 'ids' })).toBe(3);
  });
});

describe('the width', () => {
  test.each<[string, string[], string]>([
    ['kept', ['0001-a.md', '0003-b.md'], '0004'],
    ['kept where the last is as long', ['0009', '0010'], '0011'],
    ['kept behind a name', ['task-07', 'task-12'], '13'],
    ['kept beside longer ones', ['001', '999', '1000'], '1001'],
    ['kept for the first longer one', ['0001', '9999'], '10000'],
    ['of the only one', ['08'], '09'],
    ['not there where there are no zeros', ['10', '11'], '12'],
    ['not guessed of different ones', ['01', '002'], '3'],
    ['not guessed where some have none', ['7', '0042'], '43'],
    ['that of zero', ['0'], '1'],
    ['that of two zeros', ['00'], '01'],
    ['not that of timestamps', ['20260301120000_a.sql'], '20260301120001'],
  ])('is %s: %j', async (_, names, text) => {
    const folder = folderWith(...names);
    const given = await withNextId(folder, (id, context) => [id, context.text]);
    expect(given).toEqual({ id: Number(text), text, value: [Number(text), text] });
  });

  test('is that of what a pattern finds', async () => {
    const folder = folderWith('2024-007', '2024-011');
    const options = { pattern: /-(\d+)$/ };
    expect(await withNextId(folder, options, nothing)).toMatchObject({ id: 12, text: '012' });
  });

  test.each<[number, string[], string]>([
    [4, [], '0001'],
    [1, ['0003'], '4'],
    [2, ['0003'], '04'],
    [2, ['99'], '100'],
    [16, [], '0000000000000001'],
  ])('pad %i beside %j: %s', async (pad, names, text) => {
    const folder = folderWith(...names);
    expect(await withNextId(folder, { pad }, nothing)).toMatchObject({ text, id: Number(text) });
    expect(counterIn(folder)).toBe(`${Number(text)}\n`);
  });

  test('with scan there is none but pad', async () => {
    const folder = folderWith('0007');
    const scan = () => [7];
    expect(await withNextId(folder, { scan }, nothing)).toMatchObject({ text: '8' });
    expect(await withNextId(folder, { scan, pad: 3 }, nothing)).toMatchObject({ text: '009' });
  });
});

describe('scan', () => {
  async function* later(...ids: number[]): AsyncGenerator<number> {
    for (const id of ids) {
      await new Promise(setImmediate);
      yield id;
    }
  }
  function* oneByOne(...ids: number[]): Generator<number> {
    yield* ids;
  }
  test.each<[string, NextIdOptions['scan'], number]>([
    ['an array', () => [3, 8, 5], 9],
    ['a set', () => new Set([3, 8]), 9],
    ['a generator', () => oneByOne(3, 8), 9],
    ['an async generator', () => later(3, 8), 9],
    ['a promise of an array', async () => [3, 8], 9],
    ['nothing in it', () => [], 1],
    ['zero', () => [0], 1],
  ])('tells the ids instead of the names: %s', async (_, scan, id) => {
    expect(await next(folderWith('task-100'), { scan })).toBe(id);
  });

  test('is called under the lock', async () => {
    const folder = testFolder();
    const free: boolean[] = [];
    const scan = (): number[] => {
      free.push(isFree(join(folder, LOCK)));
      return [];
    };
    await next(folder, { scan });
    expect(free).toEqual([false]);
  });

  test('the counter counts beside it', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, `${LOCK}.last`), '20\n');
    expect(await next(folder, { scan: () => [3] })).toBe(21);
  });

  const failure = new Error('from scan');
  test.each<[string, NextIdOptions['scan']]>([
    [
      'throws',
      () => {
        throw failure;
      },
    ],
    ['rejects', () => Promise.reject(failure)],
    [
      'throws in the middle',
      async function* () {
        yield 1;
        throw failure;
      },
    ],
  ])('that %s: its error unchanged, nothing created, the lock released', async (_, scan) => {
    const folder = testFolder();
    let created = false;
    const create = (): void => {
      created = true;
    };
    expect(await errorOf(() => withNextId(folder, { scan }, create))).toBe(failure);
    expect(created).toBe(false);
    expect(counterIn(folder)).toBe(null);
    expect(isFree(join(folder, LOCK))).toBe(true);
  });

  test.each<[unknown, string]>([
    [-1, RANGE],
    [1.5, RANGE],
    [Number.NaN, RANGE],
    [Number.POSITIVE_INFINITY, RANGE],
    [Number.MAX_SAFE_INTEGER + 1, RANGE],
    ['7', TYPE],
    [7n, TYPE],
    [null, TYPE],
    [undefined, TYPE],
    [{}, TYPE],
  ])('that tells %s is refused, and the lock is released', async (id, code) => {
    const folder = testFolder();
    const error = await errorOf(() => next(folder, { scan: () => [1, id as number] }));
    expect(error).toMatchObject({ code });
    expect(isFree(join(folder, LOCK))).toBe(true);
  });

  test.each([undefined, null, 7, {}])('that answers %s fails as a TypeError', async (answer) => {
    const folder = testFolder();
    const error = await errorOf(() => next(folder, { scan: () => answer as number[] }));
    expect(error).toBeInstanceOf(TypeError);
    expect(isFree(join(folder, LOCK))).toBe(true);
  });
});

describe('start', () => {
  test.each<[string, number, string[], number]>([
    ['is the first', 100, [], 100],
    ['may be 0', 0, [], 0],
    ['is skipped where a larger one is there', 5, ['9'], 10],
    ['wins where all are smaller', 5, ['2'], 5],
    ['itself is taken', 5, ['5'], 6],
  ])('%s', async (_, start, names, id) => {
    expect(await next(folderWith(...names), { start })).toBe(id);
  });

  test('0 is followed by 1', async () => {
    const folder = testFolder();
    expect([await next(folder, { start: 0 }), await next(folder, { start: 0 })]).toEqual([0, 1]);
  });

  test('with reuse, none below it is given', async () => {
    expect(await next(folderWith('5', '6', '9'), { start: 5, reuse: true })).toBe(7);
  });
});

describe('the last safe integer', () => {
  const LAST = Number.MAX_SAFE_INTEGER;
  test('is given, and then there is none', async () => {
    const folder = testFolder();
    expect(await next(folder, { start: LAST })).toBe(LAST);
    let created = false;
    const create = (): void => {
      created = true;
    };
    const error = await errorOf(() => withNextId(folder, create));
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ code: RANGE });
    expect(created).toBe(false);
    expect(counterIn(folder)).toBe(`${LAST}\n`);
    expect(isFree(join(folder, LOCK))).toBe(true);
  });

  test.each<[string, (folder: string) => NextIdOptions]>([
    [
      'in a name',
      (folder) => {
        writeFileSync(join(folder, String(LAST)), '');
        return {};
      },
    ],
    ['from scan', () => ({ scan: () => [LAST] })],
    ['with reuse', () => ({ reuse: true, start: LAST, scan: () => [LAST] })],
  ])('used up %s', async (_, make) => {
    const folder = testFolder();
    expect(await errorOf(() => next(folder, make(folder)))).toMatchObject({ code: RANGE });
  });

  test('with reuse, there are others', async () => {
    expect(await next(folderWith(String(LAST), '1'), { reuse: true })).toBe(2);
  });
});

describe('the lock', () => {
  test('has the name that was asked for, and so has the counter', async () => {
    const folder = testFolder();
    await next(folder, { lockName: '.wt-create.lock' });
    expect(readdirSync(folder).sort()).toEqual(['.wt-create.lock', '.wt-create.lock.last']);
  });

  test.each(['a'.repeat(249), 'a'.repeat(250), 'é'.repeat(125)])(
    'may have the longest name that is accepted (%#)',
    async (lockName) => {
      const folder = testFolder();
      expect([await next(folder, { lockName }), await next(folder, { lockName })]).toEqual([1, 2]);
    },
  );

  test('names do not exclude each other, and have counters of their own', async () => {
    const folder = testFolder();
    const { finish, done } = await creating(folder, { lockName: 'one' });
    expect(await next(folder, { lockName: 'other', timeout: 0 })).toBe(1);
    finish();
    await done;
    expect([counterIn(folder, 'one'), counterIn(folder, 'other')]).toEqual(['1\n', '1\n']);
  });

  test('a time that is up names the holder', async () => {
    const folder = testFolder();
    await creating(folder);
    const error = await errorOf(() => next(folder, { timeout: 30 }));
    expect(error).toMatchObject({
      code: 'ERR_LOCK_TIMEOUT',
      path: join(folder, LOCK),
      holder: { pid: process.pid, self: true },
    });
  });

  test('timeout 0 does not wait, and names the holder', async () => {
    const folder = testFolder();
    await creating(folder);
    const error = await errorOf(() => next(folder, { timeout: 0 }));
    expect(error).toMatchObject({ code: 'ERR_LOCK_HELD', holder: { pid: process.pid } });
  });

  test('timeout Infinity waits', async () => {
    const folder = testFolder();
    const { finish } = await creating(folder);
    const second = next(folder, { timeout: Number.POSITIVE_INFINITY });
    finish();
    expect(await second).toBe(2);
  });

  test('its file removed while create runs: the id may have been given twice', async () => {
    const folder = testFolder();
    const first = await creating(folder);
    rmSync(join(folder, LOCK));
    expect(await next(folder)).toBe(first.id);
    first.finish();
    expect(await errorOf(() => first.done)).toMatchObject({
      code: 'ERR_LOCK_LOST',
      path: join(folder, LOCK),
    });
    expect(await next(folder)).toBe(2);
  });

  test('its folder removed while create runs is a lost lock as well', async () => {
    const folder = join(testFolder(), 'inner');
    const { finish, done } = await creating(folder);
    rmSync(folder, { recursive: true });
    finish();
    expect(await errorOf(() => done)).toMatchObject({ code: 'ERR_LOCK_LOST' });
    expect(existsSync(folder)).toBe(false);
  });

  test('lost or not, the error of create is the one that comes through', async () => {
    const folder = testFolder();
    const failure = new Error('from create');
    const create = (): void => {
      rmSync(join(folder, LOCK));
      throw failure;
    };
    expect(await errorOf(() => withNextId(folder, create))).toBe(failure);
  });

  test('a file in its place that is not ours is left alone', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, LOCK), 'precious\n');
    await next(folder).catch(nothing);
    expect(readFileSync(join(folder, LOCK), 'utf8')).toContain('precious');
  });
});

describe('a signal', () => {
  const reason = { why: 'any value' };

  test('aborted before: its reason, unchanged, and nothing is made', async () => {
    const folder = join(testFolder(), 'inner');
    const signal = AbortSignal.abort(reason);
    expect(await errorOf(() => next(folder, { signal }))).toBe(reason);
    expect(existsSync(folder)).toBe(false);
  });

  test.each<[string, () => Locker]>([
    ['with files', () => fileLocker()],
    ['in memory', () => memoryLocker()],
  ])('aborted while it waits: its reason, and no id is burnt (%s)', async (_, make) => {
    const folder = testFolder();
    const inner = make();
    const waiting = gate();
    const locker: Locker = {
      acquire: (path, options) =>
        inner.acquire(path, { ...options, onWait: () => waiting.open() } as typeof options),
    };
    const { finish, done } = await creating(folder, { locker: inner });
    const controller = new AbortController();
    const second = next(folder, { locker, signal: controller.signal });
    await waiting.opened;
    controller.abort(reason);
    expect(await errorOf(() => second)).toBe(reason);
    finish();
    await done;
    expect(await next(folder, { locker: inner })).toBe(2);
  });

  test('aborted while scan runs: create is not called', async () => {
    const folder = testFolder();
    const controller = new AbortController();
    let created = false;
    const scan = (): number[] => {
      controller.abort(reason);
      return [];
    };
    const call = withNextId(folder, { scan, signal: controller.signal }, () => {
      created = true;
    });
    expect(await errorOf(() => call)).toBe(reason);
    expect(created).toBe(false);
    expect(isFree(join(folder, LOCK))).toBe(true);
  });

  test('is handed on to create, which decides', async () => {
    const folder = testFolder();
    const controller = new AbortController();
    const { signal } = controller;
    const result = await withNextId(folder, { signal }, (_, context) => {
      expect(context.signal).toBe(signal);
      controller.abort(reason);
      return 'finished all the same';
    });
    expect(result).toMatchObject({ id: 1, value: 'finished all the same' });
  });

  test('without one, create has one that is not aborted', async () => {
    const { value } = await withNextId(testFolder(), (_, { signal }) => signal);
    expect(value).toBeInstanceOf(AbortSignal);
    expect(value.aborted).toBe(false);
  });

  test('of a polyfill without throwIfAborted serves as well', async () => {
    const signal = {
      aborted: false,
      reason: undefined,
      addEventListener: nothing,
      removeEventListener: nothing,
    } as unknown as AbortSignal;
    expect(await next(testFolder(), { signal })).toBe(1);
  });
});

describe('an injected locker', () => {
  test('gets the path, the timeout and the signal; the default is 30 seconds', async () => {
    const folder = testFolder();
    const calls: unknown[] = [];
    const memory = memoryLocker();
    const locker: Locker = {
      acquire(path, options) {
        calls.push([path, options]);
        return memory.acquire(path, options);
      },
    };
    const { signal } = new AbortController();
    await next(folder, { locker });
    await next(folder, { locker, lockName: 'x', timeout: 7, signal });
    expect(calls).toEqual([
      [join(folder, LOCK), { timeout: 30_000, signal: undefined }],
      [join(folder, 'x'), { timeout: 7, signal }],
    ]);
  });

  test('in memory: no lock file, no descriptor, the same exclusion', async () => {
    const folder = testFolder();
    const locker = memoryLocker();
    const { value } = await withNextId(folder, { locker }, (_, context) => context);
    expect(value).not.toHaveProperty('fd');
    expect(readdirSync(folder)).toEqual([`${LOCK}.last`]);
    const ids = await Promise.all(oneTo(20).map(() => next(folder, { locker })));
    expect(ids).toEqual(oneTo(20).map((id) => id + 1));
  });

  test('in memory: a holder that crashes has burnt no id', async () => {
    const folder = testFolder();
    const locker = memoryLocker();
    const { id } = await creating(folder, { locker });
    const second = next(folder, { locker });
    expect(locker.crash(join(folder, LOCK))).toBe(true);
    expect(await second).toBe(id);
  });

  test('in memory: the times that are up have the same errors', async () => {
    const folder = testFolder();
    const locker = memoryLocker();
    await creating(folder, { locker });
    const holder = { pid: process.pid };
    for (const [timeout, code] of [
      [0, 'ERR_LOCK_HELD'],
      [20, 'ERR_LOCK_TIMEOUT'],
    ] as const) {
      expect(await errorOf(() => next(folder, { locker, timeout }))).toMatchObject({
        code,
        holder,
      });
    }
  });

  test('that fails: its error comes through, nothing is created', async () => {
    const failure = new Error('from the locker');
    const locker: Locker = { acquire: () => Promise.reject(failure) };
    expect(await errorOf(() => next(testFolder(), { locker }))).toBe(failure);
  });

  test('create has the locked descriptor of a file lock', async () => {
    const folder = testFolder();
    const { value } = await withNextId(folder, (_, { fd }) => {
      expect(statSync(`/proc/self/fd/${fd}`).ino).toBe(statSync(join(folder, LOCK)).ino);
      return fd;
    });
    expect(value).toBeGreaterThan(2);
  });
});

describe('a folder that will not do', () => {
  test('is a file', async () => {
    const path = join(folderWith('file'), 'file');
    expect(await errorOf(() => next(path))).toMatchObject({ code: 'ENOTDIR' });
    expect(statSync(path).size).toBe(0);
  });

  test('is below a file', async () => {
    const path = join(folderWith('file'), 'file', 'folder');
    expect(await errorOf(() => next(path))).toMatchObject({ code: 'ENOTDIR' });
  });
});

const wrong: [title: string, options: unknown, code: string][] = [
  ['options null', null, TYPE],
  ['options a number', 7, TYPE],
  ['options an array', [], TYPE],
  ['options a function', nothing, TYPE],
  ['pattern a string', { pattern: '\\d+' }, TYPE],
  ['pattern null', { pattern: null }, TYPE],
  ['pattern like a RegExp', { pattern: { exec: () => null } }, TYPE],
  ['scan no function', { scan: [1] }, TYPE],
  ['scan null', { scan: null }, TYPE],
  ['lockName a number', { lockName: 7 }, TYPE],
  ['lockName null', { lockName: null }, TYPE],
  ['lockName empty', { lockName: '' }, VALUE],
  ['lockName .', { lockName: '.' }, VALUE],
  ['lockName ..', { lockName: '..' }, VALUE],
  ['lockName with a slash', { lockName: 'a/b' }, VALUE],
  ['lockName that climbs', { lockName: '../lock' }, VALUE],
  ['lockName with NUL', { lockName: 'a\0b' }, VALUE],
  ['lockName with half a character', { lockName: 'caf\udce9' }, VALUE],
  ['lockName too long', { lockName: 'a'.repeat(251) }, VALUE],
  ['lockName too long in bytes', { lockName: 'é'.repeat(126) }, VALUE],
  ['lockName huge', { lockName: 'a'.repeat(1_000_000) }, VALUE],
  ['timeout a string', { timeout: '30' }, TYPE],
  ['timeout null', { timeout: null }, TYPE],
  ['timeout NaN', { timeout: Number.NaN }, RANGE],
  ['timeout negative', { timeout: -1 }, RANGE],
  ['reuse a string', { reuse: 'yes' }, TYPE],
  ['reuse 1', { reuse: 1 }, TYPE],
  ['reuse null', { reuse: null }, TYPE],
  ['start a string', { start: '1' }, TYPE],
  ['start a bigint', { start: 1n }, TYPE],
  ['start null', { start: null }, TYPE],
  ['start NaN', { start: Number.NaN }, RANGE],
  ['start negative', { start: -1 }, RANGE],
  ['start a fraction', { start: 1.5 }, RANGE],
  ['start Infinity', { start: Number.POSITIVE_INFINITY }, RANGE],
  ['start unsafe', { start: Number.MAX_SAFE_INTEGER + 1 }, RANGE],
  ['with a string', { with: 'other' }, TYPE],
  ['with null', { with: null }, TYPE],
  ['with a number in it', { with: [7] }, TYPE],
  ['with an empty path in it', { with: [''] }, VALUE],
  ['pad a string', { pad: '4' }, TYPE],
  ['pad null', { pad: null }, TYPE],
  ['pad NaN', { pad: Number.NaN }, RANGE],
  ['pad 0', { pad: 0 }, RANGE],
  ['pad a fraction', { pad: 1.5 }, RANGE],
  ['pad too large', { pad: 17 }, RANGE],
  ['locker null', { locker: null }, TYPE],
  ['locker without acquire', { locker: {} }, TYPE],
  ['locker a function', { locker: fileLocker }, TYPE],
  ['signal null', { signal: null }, TYPE],
  ['signal no signal', { signal: { aborted: false } }, TYPE],
];

describe('what is refused, before anything is made', () => {
  test.each(wrong)('%s', async (_, options, code) => {
    const folder = testFolder();
    let created = false;
    const error = await errorOf(() =>
      withNextId(join(folder, 'ids'), options as NextIdOptions, () => {
        created = true;
      }),
    );
    expect(error).toMatchObject({ code });
    expect(error).toBeInstanceOf(code === RANGE ? RangeError : TypeError);
    expect(created).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each<[unknown, string]>([
    [undefined, TYPE],
    [null, TYPE],
    [7, TYPE],
    [new Uint8Array([97]), TYPE],
    [new URL('https://example.org/a'), TYPE],
    ['', VALUE],
    ['a\0b', VALUE],
  ])('the folder %s', async (directory, code) => {
    expect(await errorOf(() => next(directory as string))).toMatchObject({ code });
  });

  test.each([[undefined], [null], ['text'], [{}]])('create %s', async (create) => {
    const folder = testFolder();
    const wrongCreate = create as unknown as Create<void>;
    for (const call of [
      () => withNextId(join(folder, 'ids'), wrongCreate),
      () => withNextId(join(folder, 'ids'), {}, wrongCreate),
    ]) {
      expect(await errorOf(call)).toMatchObject({ code: TYPE });
    }
    const bare = withNextId as (directory: string) => Promise<unknown>;
    expect(await errorOf(() => bare(join(folder, 'ids')))).toMatchObject({ code: TYPE });
    expect(readdirSync(folder)).toEqual([]);
  });
});
