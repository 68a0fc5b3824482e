import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { updateFile } from '../../src/update.js';
import { testFolder } from '../support/folder.js';
import { errorOf } from '../support/refused.js';
import { litterIn, targetFile } from '../support/update.js';

/** What changes if the file is written at all. */
function identity(path: string): object {
  const { ino, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  return { ino, mtimeNs, ctimeNs };
}

describe('updateFile', () => {
  test('replaces the content, and resolves to what is in the file now', async () => {
    const path = targetFile('one');
    const before = statSync(path);
    expect(await updateFile(path, (old) => `${old} two`)).toBe('one two');
    expect(readFileSync(path, 'utf8')).toBe('one two');
    expect(statSync(path).ino).not.toBe(before.ino);
    expect(statSync(path).mode).toBe(before.mode);
    expect(litterIn(dirname(path))).toEqual([]);
  });

  test('creates a file that is missing, and the folders above it', async () => {
    const path = join(testFolder(), 'a', 'b', 'settings');
    expect(await updateFile(path, (old) => `there was ${old}`)).toBe('there was undefined');
    expect(readFileSync(path, 'utf8')).toBe('there was undefined');
  });

  test('writes nothing for undefined or the same content', async () => {
    const path = targetFile('same');
    const before = identity(path);
    expect(await updateFile(path, () => undefined)).toBe('same');
    expect(await updateFile(path, async (old) => old)).toBe('same');
    expect(await updateFile(path, { encoding: 'buffer' }, (old) => old)).toEqual(
      Buffer.from('same'),
    );
    expect(identity(path)).toEqual(before);
    const missing = `${path}.missing`;
    expect(await updateFile(missing, () => undefined)).toBeUndefined();
    expect(existsSync(missing)).toBe(false);
  });

  test('an empty text is a content, as is an empty file', async () => {
    const path = targetFile();
    expect(await updateFile(path, () => '')).toBe('');
    expect(statSync(path).size).toBe(0);
    expect(await updateFile(path, (old) => `[${old}]`)).toBe('[]');
  });

  test('an error of fn comes through unchanged, and nothing is written', async () => {
    const path = targetFile('old');
    const before = identity(path);
    const reason = new Error('no');
    expect(await errorOf(() => updateFile(path, () => Promise.reject(reason)))).toBe(reason);
    expect(identity(path)).toEqual(before);
    FileLock.acquireSync(`${path}.lock`).releaseSync();
  });

  test('bytes stay bytes', async () => {
    const path = targetFile(Buffer.from([0, 255, 128]));
    const encoding = 'buffer';
    const next = await updateFile(path, { encoding }, (old) =>
      Buffer.concat([old ?? Buffer.of(), Buffer.of(254)]),
    );
    expect(next).toEqual(Buffer.from([0, 255, 128, 254]));
    expect(readFileSync(path)).toEqual(next);
    await updateFile(path, { encoding }, () => new Uint8Array([1, 2]));
    expect(readFileSync(path)).toEqual(Buffer.from([1, 2]));
  });

  test('a buffer that fn has changed is written if it is returned, and missed if not', async () => {
    const path = targetFile('abc');
    const change = (old: Buffer | undefined): void => void old?.write('X');
    const given = { encoding: 'buffer' } as const;
    const error = await errorOf(() => updateFile(path, given, (old) => change(old) as undefined));
    expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_RETURN_VALUE', path });
    expect(readFileSync(path, 'utf8')).toBe('abc');
    await updateFile(path, given, (old) => {
      change(old);
      return old;
    });
    expect(readFileSync(path, 'utf8')).toBe('Xbc');
  });

  test('what is not UTF-8 is refused as text, in either direction', async () => {
    const path = targetFile(Buffer.from([255]));
    expect(await errorOf(() => updateFile(path, () => 'x'))).toMatchObject({
      name: 'TypeError',
      code: 'ERR_ENCODING_INVALID_ENCODED_DATA',
      path,
    });
    expect(readFileSync(path)).toEqual(Buffer.from([255]));
    const text = targetFile('a');
    const error = await errorOf(() => updateFile(text, () => '\ud800'));
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
    expect(readFileSync(text, 'utf8')).toBe('a');
  });

  test.each([[null], [5], [Buffer.of(1)], [{}]])('%s is no text', async (value) => {
    const path = targetFile('old');
    const error = await errorOf(() => updateFile(path, () => value as never));
    expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  test('many at once in one process lose nothing', async () => {
    const path = targetFile('0');
    const add = () => updateFile(path, { durable: false }, (old) => `${Number(old) + 1}`);
    await Promise.all(Array.from({ length: 50 }, add));
    expect(readFileSync(path, 'utf8')).toBe('50');
  });

  test('takes a Buffer and a URL as the path', async () => {
    const path = targetFile('a');
    await updateFile(Buffer.from(path), (old) => `${old}b`);
    await updateFile(pathToFileURL(path), (old) => `${old}c`);
    expect(readFileSync(path, 'utf8')).toBe('abc');
    const odd = Buffer.concat([Buffer.from(`${path}-`), Buffer.of(255)]);
    if (process.platform !== 'linux') return;
    expect(await updateFile(odd, () => 'bytes')).toBe('bytes');
    expect(readFileSync(odd, 'utf8')).toBe('bytes');
    expect(existsSync(Buffer.concat([odd, Buffer.from('.lock')]))).toBe(true);
  });
});

describe('the lock file', () => {
  test('stays, empty, and no other program holds it meanwhile', async () => {
    const path = targetFile('old');
    await updateFile(path, () => {
      expect(FileLock.tryAcquire(`${path}.lock`)).toBeNull();
      return 'new';
    });
    expect(readFileSync(`${path}.lock`, 'utf8')).toBe('');
  });

  test('keeps what was in it: a token, a record, the content of another program', async () => {
    const path = targetFile('old');
    const lock = `${path}.lock`;
    const token = '{"holdfast":{"token":1234}}\n';
    for (const content of [token, '{"a":1}\n', '4000000\n']) {
      writeFileSync(lock, content);
      await updateFile(path, () => content);
      expect(readFileSync(lock, 'utf8')).toBe(content);
    }
  });

  test('may be another one, also for two files', async () => {
    const [one, other] = [targetFile('1'), targetFile('2')];
    const lockPath = join(dirname(one), 'all.lock');
    await Promise.all([
      updateFile(one, { lockPath }, (old) => `${old}a`),
      updateFile(other, { lockPath: pathToFileURL(lockPath) }, (old) => `${old}b`),
    ]);
    expect([readFileSync(one, 'utf8'), readFileSync(other, 'utf8')]).toEqual(['1a', '2b']);
    expect(existsSync(`${one}.lock`)).toBe(false);
    expect(existsSync(lockPath)).toBe(true);
  });
});
