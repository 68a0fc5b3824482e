// Any scheme: a file taken in place of a lock that was meant would exclude nobody.
const URL_OF_SERVER = /^[a-z][a-z\d+.-]*:\/\//i;

/**
 * Whether the word names a lock of a server, perhaps of one that is not known.
 * Everything else is a path, and a file named so is reached as `./postgres://…`.
 */
export function isLockUrl(word: string): boolean {
  return URL_OF_SERVER.test(word);
}
