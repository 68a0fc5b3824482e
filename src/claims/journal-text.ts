import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { readBounded } from '../base/bounded.js';
import { isMissing } from './missing.js';

export const READ_ONLY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** How one journal is read. */
export interface JournalForm<T> {
  /** In bytes. */
  limit: number;
  /** What a journal of ours may look like, also one that a power failure has left. */
  content: RegExp;
  /** `null`: these are no steps. May throw. */
  parse: (text: string) => T[] | null;
}

/**
 * The steps of a journal. Empty if it is unreadable, as after a power failure:
 * then they never counted. `null`: another program's file.
 */
export function readJournal<T>(
  path: string,
  { limit, content, parse }: JournalForm<T>,
): T[] | null {
  let text: string;
  try {
    const fd = openSync(path, READ_ONLY);
    try {
      if (!fstatSync(fd).isFile()) return null;
      text = readBounded(fd, limit).toString();
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ELOOP') return null;
    if (isMissing(error)) return [];
    throw error;
  }
  if (!content.test(text)) return null;
  try {
    return parse(text) ?? [];
  } catch {
    return [];
  }
}
