import { join } from 'node:path';
import { FileLock } from '../../src/index.js';
import { testFolder } from './folder.js';

/** Whether nobody holds the lock, in any mode. Leaves no record. */
export function isFree(path: string | Buffer): boolean {
  const lock = FileLock.tryAcquire(path, { record: false });
  lock?.releaseSync();
  return lock !== null;
}

/** Paths in a folder of their own. */
export function lockPaths(...names: string[]): string[] {
  const folder = testFolder();
  return names.map((name) => join(folder, name));
}
