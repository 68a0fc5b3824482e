// Others may remove a claim, or the whole folder, at any moment.
import { unlinkSync } from 'node:fs';

/** EISDIR: it was a folder when it should be opened for writing, and then it was gone. */
export function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'EISDIR';
}

/** False: it does not exist any more. */
export function removeIfThere(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
