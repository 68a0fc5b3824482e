import { readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileLock, inspect } from '../../src/index.js';
import { withNextId } from '../../src/next-id.js';
import { testFolder } from '../support/folder.js';
import { errorOf } from '../support/refused.js';

describe('a parent of the lock file', () => {
  const calls = (path: string): (() => unknown)[] => [
    () => FileLock.acquire(path),
    () => FileLock.acquireSync(path),
    () => FileLock.tryAcquire(path),
  ];

  test('that is a dangling link is an error that says so, and nothing is created', async () => {
    const folder = testFolder();
    const link = join(folder, 'link');
    symlinkSync(join(folder, 'missing'), link);
    for (const path of [join(link, 'a.lock'), join(link, 'b', 'c', 'a.lock')]) {
      for (const call of calls(path)) {
        expect(await errorOf(call)).toMatchObject({
          code: 'ENOTDIR',
          errno: -20,
          syscall: 'mkdir',
          path: link,
          message: expect.stringContaining('leads nowhere'),
        });
      }
    }
    expect(await errorOf(() => withNextId(link, () => 1))).toMatchObject({ code: 'ENOTDIR' });
    expect(readdirSync(folder)).toEqual(['link']);
  });

  test('that leads in a circle is not taken for a lock file that is a link', async () => {
    const folder = testFolder();
    const [loop, link] = [join(folder, 'loop'), join(folder, 'link')];
    symlinkSync(loop, loop);
    symlinkSync(join(folder, 'a.lock'), link);
    for (const call of calls(join(loop, 'a.lock'))) {
      const error = await errorOf(call);
      expect(error).toMatchObject({ code: 'ELOOP', syscall: 'open', path: join(loop, 'a.lock') });
      expect(String(error)).not.toContain('it is a symbolic link');
    }
    for (const call of [...calls(loop), ...calls(link), () => inspect(link)]) {
      const error = await errorOf(call);
      expect(error).toMatchObject({ code: 'ELOOP', syscall: 'open' });
      expect(String(error)).toContain('it is a symbolic link');
    }
  });

  test('that is a file is ENOTDIR, and one that is a link to a folder serves', async () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'file'), '');
    symlinkSync(testFolder(), join(folder, 'link'));
    for (const call of calls(join(folder, 'file', 'a.lock'))) {
      expect(await errorOf(call)).toMatchObject({ code: 'ENOTDIR' });
    }
    FileLock.acquireSync(join(folder, 'link', 'b', 'a.lock')).releaseSync();
  });
});
