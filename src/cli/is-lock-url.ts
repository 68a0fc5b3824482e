import { isUrlText } from '../base/paths.js';

// Ours with a slash too few, or with none.
const MISTYPED = /^(?:postgres|postgresql|etcd|etcds):/i;

/**
 * Whether the word names a lock of a server, perhaps of one that is not known, or
 * a mistyped one: a file locked in its place would exclude nobody. Everything else
 * is a path, and a file named so is reached as `./postgres://…`.
 */
export function isLockUrl(word: string): boolean {
  return isUrlText(word) || MISTYPED.test(word);
}
