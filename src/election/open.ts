import { type LockFile, openExisting } from '../holders/lock-file.js';
import { type Content, FOREIGN } from '../holders/owner-record.js';
import { loadBinding } from '../native/load.js';
import { canPass } from './troubles.js';

/**
 * Calls `use` with the open file at `path`; `null` if there is none, or if this
 * user may not open it. One bad file must not hide the others. An error that can
 * pass is thrown: without a descriptor left, all files would be hidden.
 */
export function whileOpenIfAllowed<R>(path: string, use: (file: LockFile) => R | null): R | null {
  // Outside the try: a missing addon would hide all files as well.
  loadBinding(path);
  let file: LockFile | null;
  try {
    file = openExisting(path);
  } catch (error) {
    if (canPass(error)) throw error;
    return null;
  }
  if (file === null) return null;
  try {
    return use(file);
  } finally {
    file.close();
  }
}

/** A file that cannot be read counts as one of another program. */
export function contentOf(file: LockFile): Content {
  try {
    return file.read();
  } catch {
    return FOREIGN;
  }
}
