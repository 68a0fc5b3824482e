import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readAll } from '../../src/claims/read-all.js';
import { loadBinding } from '../../src/native/load.js';
import { testFolder } from '../support/folder.js';

const LIMIT = 100_000;

describe('the files of a folder', () => {
  test('are read in their order, each byte as it is', () => {
    const folder = testFolder();
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
    const names = Array.from({ length: 200 }, (_, at) => `${at} \u00e9 \u{1F600}`);
    names.forEach((name, at) => {
      writeFileSync(join(folder, name), at === 7 ? '' : Buffer.concat([bytes, Buffer.from(name)]));
    });
    const contents = [...readAll(folder, names, LIMIT)];
    expect(contents).toEqual(
      names.map((name, at) =>
        at === 7 ? '' : Buffer.concat([bytes, Buffer.from(name)]).toString('latin1'),
      ),
    );
  });

  test('are cut off at the limit, however long they are', () => {
    const folder = testFolder();
    const lengths = [65_535, 65_536, 65_537, LIMIT - 1, LIMIT, LIMIT + 1, 10 * LIMIT];
    for (const length of lengths) writeFileSync(join(folder, `${length}`), 'x'.repeat(length));
    const contents = [...readAll(folder, lengths.map(String), LIMIT)];
    expect(contents.map((each) => each?.length)).toEqual(
      lengths.map((each) => Math.min(each, LIMIT)),
    );
  });

  test('that are missing, folders or links are not read', () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'there'), 'content');
    mkdirSync(join(folder, 'folder'));
    symlinkSync('there', join(folder, 'link'));
    const names = ['missing', 'folder', 'link', 'there', 'x'.repeat(5000), 'a\0b'];
    const contents = [...readAll(folder, names, LIMIT)];
    expect(contents).toEqual([null, null, null, 'content', null, null]);
    expect([...readAll(join(folder, 'missing'), ['there'], LIMIT)]).toEqual([null]);
  });

  test.skipIf(process.platform === 'win32')('say by a number why the addon did not', () => {
    const folder = testFolder();
    mkdirSync(join(folder, 'folder'));
    symlinkSync('there', join(folder, 'link'));
    writeFileSync(join(folder, 'long'), 'x'.repeat(65_537));
    const { ENOENT, EISDIR, ELOOP } = { ENOENT: -2, EISDIR: -21, ELOOP: -40 };
    const contents = loadBinding(folder).readFiles(folder, ['missing', 'folder', 'link', 'long']);
    if (process.platform === 'linux') expect(contents).toEqual([ENOENT, EISDIR, ELOOP, -27]);
    expect(loadBinding(folder).readFiles(folder, [])).toEqual([]);
  });
});
