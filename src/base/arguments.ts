import { resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { argumentError, describe, misspelt, NOT_EMPTY, unknownOption } from './argument-errors.js';
import {
  type FilePath,
  isUrlText,
  isWellFormed,
  keepBytesOfFolder,
  resolveBytes,
} from './paths.js';

// What resolve() would change in an absolute path: '//', '/./', '/../' and a
// slash at the end. resolve() takes longer than some system calls.
const UNRESOLVED = /\/\.{0,2}(?:\/|$)/;

/**
 * The absolute path, so that a later chdir changes nothing. A string, except
 * where the bytes are not UTF-8.
 */
export function checkFilePath(path: unknown, name = 'path'): FilePath {
  const text = path instanceof URL && path.protocol === 'file:' ? pathOfUrl(path, name) : path;
  if (typeof text !== 'string' && !Buffer.isBuffer(text)) {
    throw argumentError('ERR_INVALID_ARG_TYPE', name, 'a string, a Buffer or a file: URL', path);
  }
  if (text.length === 0) throw argumentError('ERR_INVALID_ARG_VALUE', name, NOT_EMPTY, '');
  if (text.includes('\0')) {
    const rule = 'without NUL characters';
    throw argumentError('ERR_INVALID_ARG_VALUE', name, rule, String(text).replaceAll('\0', '\\0'));
  }
  if (typeof text !== 'string') return resolveBytes(text);
  // Encoded as UTF-8 it would name another file; Windows takes it unchanged.
  if (sep === '/' && !isWellFormed(text)) {
    throw argumentError('ERR_INVALID_ARG_VALUE', name, 'without unpaired surrogates', text);
  }
  const resolved = sep === '/' && text[0] === '/' && !UNRESOLVED.test(text);
  if (!resolved && isUrlText(text)) throw urlAsPath(name, text);
  return resolved ? text : keepBytesOfFolder(text, resolve(text));
}

/**
 * A lock on a file that is named like a URL would exclude nobody who means the
 * file, or the server, of that URL.
 */
function urlAsPath(name: string, text: string): TypeError | RangeError {
  const scheme = text.slice(0, text.indexOf(':'));
  const advice =
    scheme.toLowerCase() === 'file'
      ? 'pass new URL() of it'
      : 'pass the name of a lock to the locker of a server; a file of this name is ./ and the name';
  // Without the rest, which may contain a password.
  return argumentError('ERR_INVALID_ARG_VALUE', name, `a path (${advice})`, `${scheme}://…`);
}

function pathOfUrl(url: URL, name: string): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    const rule = 'a file: URL of a path in UTF-8; pass other paths as a Buffer';
    throw argumentError('ERR_INVALID_ARG_VALUE', name, rule, url.href);
  }
}

/** The same for a path that becomes part of other names, so it must be text. */
export function checkPath(path: unknown, name = 'path'): string {
  const checked = checkFilePath(path, name);
  if (typeof checked === 'string') return checked;
  const rule = 'a path whose folders have names in UTF-8';
  throw argumentError('ERR_INVALID_ARG_VALUE', name, rule, checked.toString());
}

/** The names of all options of `O`; the compiler reports a missing one. */
export function optionNames<O>(names: Record<keyof O, true>): ReadonlySet<string> {
  return new Set(Object.keys(names));
}

/**
 * An object of options, each of them `known`. A misspelt option would have no
 * effect, and a wait without its timeout never ends.
 */
export function checkOptions<T extends object>(
  options: T | undefined,
  known: ReadonlySet<string>,
  name = 'options',
): T {
  if (options === undefined) return {} as T;
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw argumentError('ERR_INVALID_ARG_TYPE', name, 'an object', options);
  }
  for (const key in options) {
    // Own properties only: additions to Object.prototype are not options.
    if (!known.has(key) && Object.hasOwn(options, key)) throw unknownOption(name, key, known);
  }
  return options;
}

/** The `known` options that are not undefined; a class may have them as getters. */
export function givenOptions<T extends object>(
  options: T | undefined,
  known: ReadonlySet<string>,
): Partial<T> {
  const given: Partial<T> = {};
  for (const name of known as ReadonlySet<keyof T & string>) {
    const value = options?.[name];
    if (value !== undefined) given[name] = value;
  }
  return given;
}

/**
 * An object of the caller's own data, which may have other fields than the
 * `known` ones. A field that is nearly a known one is refused as misspelt.
 */
export function checkFields<T extends object>(
  fields: T,
  known: ReadonlySet<string>,
  name: string,
): T {
  // Not a shortened one: `task` and `dir` are names that a caller may well use.
  const isMisspelt = (key: string): boolean =>
    !known.has(key) && misspelt(key, known) !== undefined;
  const wrong = Object.keys(fields).find(isMisspelt);
  if (wrong !== undefined) throw unknownOption(name, wrong, known);
  return fields;
}

/** The highest possible descriptor. */
export const HIGHEST_DESCRIPTOR = 2 ** 31 - 1;

/** Milliseconds from 0 to Infinity. */
export function checkMilliseconds(value: unknown, name: string, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number') {
    throw argumentError('ERR_INVALID_ARG_TYPE', name, 'a number of milliseconds', value);
  }
  if (!(value >= 0)) {
    throw argumentError('ERR_OUT_OF_RANGE', name, 'from 0 to Infinity, in milliseconds', value);
  }
  return value;
}

export function checkInteger(value: unknown, name: string, least: number, most: number): number {
  if (typeof value !== 'number') {
    throw argumentError('ERR_INVALID_ARG_TYPE', name, 'an integer', value);
  }
  if (!Number.isInteger(value) || value < least || value > most) {
    throw argumentError('ERR_OUT_OF_RANGE', name, `an integer from ${least} to ${most}`, value);
  }
  return value;
}

/** The next number, (uid_t) -1, stands for no user. */
export const HIGHEST_UID = 2 ** 32 - 2;

export function checkOneOf<V>(value: unknown, name: string, values: readonly V[], fallback: V): V {
  if (value === undefined) return fallback;
  if (!values.includes(value as V)) {
    const list = values.map((each) => describe(each)).join(', ');
    throw argumentError('ERR_INVALID_ARG_VALUE', name, `one of ${list}`, value);
  }
  return value as V;
}

export function checkBoolean(value: unknown, name: string, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean') {
    throw argumentError('ERR_INVALID_ARG_TYPE', name, 'a boolean', value);
  }
  return value;
}

export function checkFunction<F>(value: F | undefined, name: string): F | undefined {
  if (value !== undefined && typeof value !== 'function') {
    throw argumentError('ERR_INVALID_ARG_TYPE', name, 'a function', value);
  }
  return value;
}

export function checkSignal(value: unknown): AbortSignal | undefined {
  if (value === undefined) return undefined;
  // Not instanceof: signals of other realms and polyfills work as well.
  if (
    typeof value !== 'object' ||
    value === null ||
    !('aborted' in value) ||
    typeof (value as AbortSignal).addEventListener !== 'function' ||
    typeof (value as AbortSignal).removeEventListener !== 'function'
  ) {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'options.signal', 'an AbortSignal', value);
  }
  return value as AbortSignal;
}
