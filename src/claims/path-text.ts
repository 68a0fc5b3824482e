import { sep } from 'node:path';
import { argumentError, NOT_EMPTY } from '../base/argument-errors.js';

// PATH_MAX of Linux: no file has a longer path.
const LONGEST = 4096;
// `C:/`, on Windows.
const DRIVE = /^[a-z]:\//i;

/** On Windows `\` separates, in patterns too. Elsewhere it escapes. */
export function withSlashes(text: string): string {
  return sep === '\\' ? text.replaceAll(sep, '/') : text;
}

export function isAbsolutePath(text: string): boolean {
  return text.startsWith('/') || (sep === '\\' && DRIVE.test(text));
}

/** Refuses what is not a path on any system. */
export function checkText(given: unknown, name: string): string {
  if (typeof given !== 'string') {
    throw argumentError('ERR_INVALID_ARG_TYPE', name, 'a string', given);
  }
  const rule =
    given === ''
      ? NOT_EMPTY
      : given.includes('\0')
        ? 'without NUL characters'
        : isTooLong(given)
          ? `at most ${LONGEST} characters long`
          : null;
  if (rule === null) return given;
  throw argumentError('ERR_INVALID_ARG_VALUE', name, rule, given);
}

/** A folder of the greatest length may end in a slash that was added here. */
export function isTooLong(text: string): boolean {
  return text.length - (text.endsWith('/') ? 1 : 0) > LONGEST;
}
