import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { InstanceLock } from '../../src/instance/instance-lock.js';
import { memoryLocker } from '../../src/testing.js';
import { keepsContract } from '../support/contract.js';
import { SUBJECTS } from '../support/contract-subjects.js';
import { lockPath } from '../support/folder.js';

for (const subject of SUBJECTS) keepsContract(subject);

test('crash is false where nobody holds', async () => {
  const locker = memoryLocker();
  expect(locker.crash('/nobody')).toBe(false);
  const lock = await locker.acquire('/nobody');
  await lock.release();
  expect(locker.crash('/nobody')).toBe(false);
});

test('lockers in memory know nothing of each other, nor of files', async () => {
  const path = lockPath();
  await using _one = await memoryLocker().acquire(path);
  await using _other = await memoryLocker().acquire(path, { timeout: 0 });
  expect(existsSync(path)).toBe(false);
  using file = FileLock.acquireSync(path);
  expect(file.held).toBe(true);
  expect(() => InstanceLock.acquireSync(path)).toThrow();
});
