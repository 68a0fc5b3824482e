import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { InstanceLock } from '../../src/instance.js';
import { lockPath } from '../support/folder.js';
import { errorOf } from '../support/refused.js';

describe('a token that cannot grow', () => {
  const LAST = Number.MAX_SAFE_INTEGER;
  const content = (token: number): string => `{"holdfast":{"token":${token}}}\n`;

  test('is an error that says what to do, and the file stays', async () => {
    const path = lockPath();
    const refusal = { code: 'ERR_LOCK_STATE', path, message: expect.stringContaining('remove') };
    for (const token of [LAST, 2 ** 53, 1e300]) {
      writeFileSync(path, content(token));
      for (const call of [
        () => FileLock.acquire(path),
        () => FileLock.acquireSync(path, { keepFile: false }),
        () => FileLock.tryAcquire(path, { record: 'pid' }),
        () => InstanceLock.acquire(path),
        () => InstanceLock.acquireSync(path),
      ]) {
        expect(await errorOf(call)).toMatchObject(refusal);
      }
      const shared = FileLock.acquireSync(path, { mode: 'shared' });
      expect(shared.token).toBe(token);
      expect(await errorOf(() => shared.tryUpgrade())).toMatchObject(refusal);
      expect(shared.held).toBe(false);
      expect(readFileSync(path, 'utf8')).toBe(content(token));
    }
  });

  test('does not matter without a record', () => {
    const path = lockPath();
    writeFileSync(path, content(LAST));
    using lock = FileLock.acquireSync(path, { record: false });
    expect(lock.token).toBeLessThan(LAST);
  });

  test('comes after the last one that can', async () => {
    const path = lockPath();
    writeFileSync(path, content(LAST - 1));
    const lock = FileLock.acquireSync(path);
    expect(lock.token).toBe(LAST);
    lock.releaseSync();
    expect(readFileSync(path, 'utf8')).toBe(content(LAST));
    expect(await errorOf(() => FileLock.acquireSync(path))).toMatchObject({
      code: 'ERR_LOCK_STATE',
    });
  });
});
