import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FileLock, fileLocker, type Locker } from '../src/index.js';
import { type Create, type NextIdOptions, withNextId } from '../src/next-id.js';
import { memoryLocker } from '../src/testing.js';
import { descriptorsTo } from './support/census.js';
import { testFolder } from './support/folder.js';
import { counterIn, idsIn, oneTo } from './support/next-id-program.js';
import { ARGUMENT_CODES, errorOf } from './support/refused.js';
import { expectWarning } from './support/setup.js';

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
        value: `value ${id}`,
      });
    }
    expect(counterIn(folder)).toBe('5\n');
  });

  test('is one above the largest in the folder, whatever kind the entry is', async () => {
    const folder = folderWith('task-3', '17', 'readme.md');
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
    expect(await withNextId(folder, none, () => 'made')).toEqual({ id: 1, value: 'made' });
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
          making(folder)(given, { signal: new AbortController().signal });
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

  test.each([
    ['empty', ''],
    ['a word', 'seven\n'],
    ['negative', '-7\n'],
    ['a fraction', '7.5\n'],
    ['hexadecimal', '0x10\n'],
    ['an exponent', '1e3\n'],
    ['two numbers', '7 8\n'],
    ['two lines', '7\n8\n'],
    ['NUL bytes', '\0\0\0\0'],
    ['no text', Buffer.from([0xff, 0xfe, 0x31])],
    ['too large', '9007199254740992\n'],
    ['absurdly large', '9'.repeat(5000)],
    ['Infinity', 'Infinity\n'],
  ])('with garbage (%s) is ignored with a warning, and healed', async (_, garbage) => {
    const folder = folderWith('task-6');
    writeFileSync(join(folder, `${LOCK}.last`), garbage);
    const all = await warningsOf(async () => expect(await next(folder)).toBe(7));
    // Of another test one may come late.
    const warnings = all.filter((each) => each.includes(folder));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`${LOCK}.last`);
    expect(counterIn(folder)).toBe('7\n');
  });

  test('one that cannot be read is an error before anything is created', async () => {
    const folder = testFolder();
    mkdirSync(join(folder, `${LOCK}.last`));
    let created = false;
    const create = (): void => {
      created = true;
    };
    const error = await errorOf(() => withNextId(folder, create));
    expect(error).toMatchObject({ code: 'EISDIR' });
    expect(created).toBe(false);
    expect(isFree(join(folder, LOCK))).toBe(true);
  });

  test('is replaced, and not written into: a link there leads nowhere else', async () => {
    const folder = testFolder();
    const precious = join(testFolder(), 'precious');
    writeFileSync(precious, '5\n');
    symlinkSync(precious, join(folder, `${LOCK}.last`));
    symlinkSync(precious, join(folder, `${LOCK}.new`));
    expect(await next(folder)).toBe(6);
    expect(readFileSync(precious, 'utf8')).toBe('5\n');
    expect(counterIn(folder)).toBe('6\n');
    expect(readdirSync(folder).sort()).toEqual([LOCK, `${LOCK}.last`]);
  });

  test('what a killed process left beside it is no obstacle', async () => {
    const folder = folderWith(`${LOCK}.new`);
    expect(await next(folder)).toBe(1);
    expect(readdirSync(folder).sort()).toEqual([LOCK, `${LOCK}.last`]);
  });

  test('is as readable as other files that this process makes', async () => {
    const folder = testFolder();
    await next(folder);
    const { mode } = statSync(join(folder, `${LOCK}.last`));
    expect(mode & 0o777).toBe(0o666 & ~process.umask());
  });
});

describe('an id in a name', () => {
  test.each<[string, number | null]>([
    ['task-7', 7],
    ['7-task', 7],
    ['7', 7],
    ['2024-task-12-login', 12],
    ['v1.2.3.txt', 3],
    ['0042', 42],
    ['task--5', 5],
    ['ütask-8ü', 8],
    ['.hidden-6', 6],
    ['task', null],
    ['task-٣', null],
  ])('%s: the last run of digits', async (name, id) => {
    const warnings = await warningsOf(async () => {
      expect(await next(folderWith(name))).toBe((id ?? 0) + 1);
    });
    expect(warnings).toEqual([]);
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
    const folder = folderWith(`\u001b[31m\n${'9'.repeat(30)}`);
    const [warning = ''] = await warningsOf(() => next(folder));
    expect(warning).toContain('9'.repeat(30));
    expect(warning).not.toMatch(/\p{Cc}/u);
  });

  test('entries whose name begins with lockName are not scanned', async () => {
    const folder = folderWith(`${LOCK}.77`, `${LOCK}-78`, 'task-2');
    expect(await next(folder)).toBe(3);
    const other = folderWith('.wt.lock.77', `${LOCK}.78`);
    expect(await next(other, { lockName: '.wt.lock' })).toBe(79);
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

  test.each(['a'.repeat(247), 'a'.repeat(250), 'é'.repeat(125)])(
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
    expect(result).toEqual({ id: 1, value: 'finished all the same' });
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
