import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { handWritten, setUpFiles } from '../support/claims-setting.js';
import { call } from '../support/command.js';
import { errorOf } from '../support/refused.js';
import { expectWarning } from '../support/setup.js';

expectWarning('HOLDFAST_CLAIM_INVALID');

const STATE = { code: 'ERR_LOCK_STATE', name: 'LockStateError' };

/** As after two minutes. */
function age(file: string): string {
  const then = Date.now() / 1000 - 120;
  utimesSync(file, then, then);
  return file;
}

describe('a file that is not a valid claim', () => {
  test('is renamed, and then all goes on', async () => {
    const { claims, put, directory } = setUpFiles();
    const file = age(put('x.lock', '{"agent":"x","fi'));
    expect(await errorOf(() => claims.claim({ agent: 'a', files: ['x'] }))).toMatchObject({
      code: 'ERR_CLAIM_INVALID',
      message: expect.stringContaining('holdfast claim set-aside'),
    });
    expect(await claims.setAside(file)).toBe(`${file}.invalid`);
    expect(readFileSync(`${file}.invalid`, 'utf8')).toBe('{"agent":"x","fi');
    await claims.claim({ agent: 'x', files: ['x'] });
    expect(readdirSync(directory).sort()).toEqual(['x.lock', 'x.lock.invalid']);
  });

  test('by its name in the folder; an earlier one of that name stays', async () => {
    const { claims, put, directory } = setUpFiles();
    for (const content of ['one', 'two', 'three']) {
      age(put('x.lock', content));
      await claims.setAside('x.lock');
    }
    expect(readdirSync(directory).sort()).toEqual([
      'x.lock.invalid',
      'x.lock.invalid.2',
      'x.lock.invalid.3',
    ]);
  });

  test.each(['folder', 'FIFO', 'link'])('which is a %s', async (kind) => {
    const { claims, directory } = setUpFiles();
    const file = join(directory, 'x.lock');
    if (kind === 'folder') mkdirSync(file);
    else if (kind === 'FIFO') spawnSync('mkfifo', [file]);
    else symlinkSync('nowhere', file);
    if (kind === 'link') spawnSync('touch', ['-h', '-d', '2 minutes ago', file]);
    else age(file);
    await claims.setAside('x.lock');
    expect(readdirSync(directory)).toEqual(['x.lock.invalid']);
  });

  test('is left where it is while it is younger than a minute', async () => {
    const { claims, put } = setUpFiles();
    const file = put('x.lock', '');
    expect(await errorOf(() => claims.setAside('x.lock'))).toMatchObject({ ...STATE, path: file });
    expect(existsSync(file)).toBe(true);
  });

  test('is left while a process has it locked', async () => {
    const { claims, put } = setUpFiles();
    const file = age(put('x.lock', 'not JSON'));
    const lock = await FileLock.acquire(file, { record: false });
    expect(await errorOf(() => claims.setAside('x.lock'))).toMatchObject(STATE);
    await lock.release();
    await claims.setAside('x.lock');
    expect(existsSync(file)).toBe(false);
  });

  test('with a time in the future is as old as its last change', async () => {
    const { claims, put } = setUpFiles();
    const file = put('x.lock', '');
    utimesSync(file, 4e9, 4e9);
    expect(await errorOf(() => claims.setAside('x.lock'))).toMatchObject(STATE);
    expect(existsSync(file)).toBe(true);
  });
});

test('a valid claim is refused, and so is one that a journal makes valid', async () => {
  const { claims, put, directory } = setUpFiles();
  const file = age(put('a.lock', handWritten('a')));
  expect(await errorOf(() => claims.setAside(file))).toMatchObject(STATE);
  // A process that was killed in the middle of an edit has left it torn.
  const { openSync, fstatSync } = await import('node:fs');
  const fd = openSync(file, 'r');
  const inode = String(fstatSync(fd, { bigint: true }).ino);
  closeSync(fd);
  const text = `${JSON.stringify(handWritten('a', { id: 'x' }))}\n`;
  const steps = [{ to: 'a.lock', inode, id: 'x', text }];
  writeFileSync(join(directory, '.holdfast-edits'), JSON.stringify({ steps }));
  writeFileSync(file, text.slice(0, 50));
  age(file);
  expect(await errorOf(() => claims.setAside(file))).toMatchObject(STATE);
  expect(await claims.list()).toMatchObject([{ agent: 'a', state: 'active' }]);
});

test.each(['x', '../x.lock', '/elsewhere/x.lock', '.x.lock', '.holdfast-journal', ''])(
  'what is no claim by its name, %j, is refused',
  async (file) => {
    const { claims } = setUpFiles();
    expect(await errorOf(() => claims.setAside(file))).toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
    });
  },
);

test('a file that is missing, or a folder, is an error of the system', async () => {
  const { claims, folder } = setUpFiles();
  expect(await errorOf(() => claims.setAside('x.lock'))).toMatchObject({ code: 'ENOENT' });
  const { Claims } = await import('../../src/claims.js');
  const nowhere = new Claims(join(folder, 'nowhere'), { root: folder });
  expect(await errorOf(() => nowhere.setAside('x.lock'))).toMatchObject({ code: 'ENOENT' });
  expect(existsSync(join(folder, 'nowhere'))).toBe(false);
});

describe('while there is such a file', () => {
  test('check answers what the valid claims say, with a warning', async () => {
    const { claims, put } = setUpFiles();
    put('x.lock', '');
    put('b.lock', handWritten('b', { files: ['b.txt'] }));
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    const verdicts = await claims.check(['b.txt', 'free'], { as: 'a' });
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(['other', 'unclaimed']);
    expect(await warned).toMatchObject({
      code: 'HOLDFAST_CLAIM_INVALID',
      message: expect.stringContaining('holdfast claim set-aside'),
    });
  });

  test('there is no warning if no answer depends on it, nor if it is ignored', async () => {
    const { claims, put } = setUpFiles();
    put('x.lock', '');
    put('b.lock', handWritten('b', { files: ['b.txt'] }));
    const seen: Error[] = [];
    const listener = (warning: Error): unknown => seen.push(warning);
    process.on('warning', listener);
    await claims.check(['b.txt']);
    await claims.check(['free'], { ignoreInvalid: true });
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', listener);
    expect(seen).toEqual([]);
  });

  test('the command checks with exit status 0, and sets it aside', async () => {
    const { put, directory, folder } = setUpFiles();
    const file = age(put('x.lock', 'half'));
    const args = ['--dir', directory, '--root', folder];
    expect(await call('claim', 'check', 'free', ...args)).toMatchObject({ code: 0 });
    expect(await call('claim', 'add', 'free', '--agent', 'a', ...args)).toMatchObject({
      code: 65,
      stderr: expect.stringContaining('holdfast claim set-aside'),
    });
    expect(await call('claim', 'set-aside', file, ...args)).toMatchObject({ code: 0 });
    expect(await call('claim', 'add', 'free', '--agent', 'a', ...args)).toMatchObject({ code: 0 });
    expect(await call('claim', 'set-aside', 'a.lock', ...args)).toMatchObject({ code: 65 });
    expect(await call('claim', 'set-aside', ...args)).toMatchObject({ code: 64 });
  });
});
