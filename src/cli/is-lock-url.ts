const LOCK_URL = /^(?:postgres|postgresql|etcd|etcds):\/\//i;

/**
 * Whether the word names a lock of a server. Everything else is a path, and a
 * file named so is reached as `./postgres:…`.
 */
export function isLockUrl(word: string): boolean {
  return LOCK_URL.test(word);
}
