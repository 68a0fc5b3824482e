import { isUrlText } from '../base/paths.js';

/**
 * Whether the word names a lock of a server, perhaps of one that is not known: a
 * file taken in place of a lock that was meant would exclude nobody. Everything
 * else is a path, and a file named so is reached as `./postgres://…`.
 */
export function isLockUrl(word: string): boolean {
  return isUrlText(word);
}
