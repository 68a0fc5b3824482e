import { readdirSync } from 'node:fs';
import { expect } from 'vitest';
import { FileLock, type FileLockOptions, withLock } from '../../src/index.js';
import { testFolder } from './folder.js';

export const ARGUMENT_CODES = [
  'ERR_INVALID_ARG_TYPE',
  'ERR_INVALID_ARG_VALUE',
  'ERR_OUT_OF_RANGE',
] as const;

const descriptors = (): number => readdirSync('/proc/self/fd').length;

/** What a call throws or rejects with. */
export async function errorOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

/** Every entry point refuses it in the same way, without effect. */
export async function refused(
  path: unknown,
  options: unknown,
  code: string,
  folder = testFolder(),
): Promise<void> {
  const before = descriptors();
  const [file, opts] = [path as string, options as FileLockOptions];
  const calls = [
    () => FileLock.acquire(file, opts),
    () => FileLock.acquireSync(file, opts),
    () => FileLock.tryAcquire(file, opts),
    () => FileLock.adopt(0, file, opts),
    () => withLock(file, opts, () => {}),
  ];
  for (const call of calls) {
    const error = await errorOf(call);
    expect(error).toMatchObject({ code });
    expect(error).toBeInstanceOf(code === 'ERR_OUT_OF_RANGE' ? RangeError : TypeError);
  }
  expect(descriptors()).toBe(before);
  expect(readdirSync(folder)).toEqual([]);
}
