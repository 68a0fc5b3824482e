// How the journals put a file in place.
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { removeIfThere } from './missing.js';

/** Of our own temporary files; the next process in the section removes leftover ones. */
export const TEMPORARY = /^\.holdfast-[0-9a-f]{16}\.tmp$/;

/** By one rename: readers see the old file, or the whole new one. */
export function putFile(temporary: string, path: string, text: string): void {
  try {
    writeFileSync(temporary, text, { flag: 'wx' });
    renameSync(temporary, path);
  } catch (error) {
    removeIfThere(temporary);
    throw error;
  }
}

/**
 * A rename that was done before is not repeated, so a claim that was removed
 * since stays removed.
 */
export function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    const isDone = !existsSync(from);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || !isDone) throw error;
  }
}
