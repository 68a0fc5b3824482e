import { mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type Create, type NextIdOptions, withNextId } from '../../src/next-id.js';
import { descriptorsTo } from '../support/census.js';
import { testFolder } from '../support/folder.js';
import { folderWith, IGNORED, LOCK, making, next, nothing } from '../support/next-id.js';
import { counterIn, idsIn, oneTo } from '../support/next-id-program.js';
import { errorOf } from '../support/refused.js';
import { expectWarning } from '../support/setup.js';
import { isFree } from '../support/several.js';

expectWarning(IGNORED);

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

  test('a missing folder is created, with those above it', async () => {
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
