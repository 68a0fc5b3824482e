import { lstatSync, mkdirSync, statSync } from 'node:fs';
import { type FilePath, parentOf, pathText } from './paths.js';

/**
 * Makes a folder and those above it that are missing. Node's own way says
 * ENOENT of a file system that is read-only, and never ends where the system
 * keeps saying ENOENT, as below /proc.
 */
export function makeFolders(folder: FilePath): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const parent = parentOf(folder);
    if (code === 'ENOENT' && pathText(parent) !== pathText(folder)) {
      makeFolders(parent);
      makeOne(folder);
    } else if (!isThere(folder, code)) {
      throw error;
    }
  }
}

function makeOne(folder: FilePath): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    if (!isThere(folder, (error as NodeJS.ErrnoException).code)) throw error;
  }
}

/** Or was there a moment ago: whoever needs it will find out that it is gone. */
function isThere(folder: FilePath, code: string | undefined): boolean {
  try {
    const now = statSync(folder, { throwIfNoEntry: false });
    if (now !== undefined) return now.isDirectory();
    const link = lstatSync(folder, { throwIfNoEntry: false });
    return code === 'EEXIST' && (link === undefined || link.isDirectory());
  } catch {
    return false;
  }
}
