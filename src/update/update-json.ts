import { isUtf8 } from 'node:buffer';
import { argumentError, notJson } from '../base/argument-errors.js';
import { pathText } from '../base/paths.js';
import { refuseWhatJsonDrops } from '../holders/owner-record.js';
import { changeFile, type UpdateContext } from './change-file.js';
import { changedInPlace } from './changed-in-place.js';
import { faultIn, jsonError } from './json-fault.js';
import { checkCallback, checkJsonUpdate, type UpdateJsonOptions } from './options.js';

type Change<T, R> = (old: T | undefined, context: UpdateContext) => R | Promise<R>;

/**
 * {@link updateFile} for a file of JSON: `fn` gets the parsed value (`undefined`:
 * there is no such file) and returns the new one. Resolves to what is in the file
 * now, parsed. If `fn` returns `undefined` or an equal value, nothing is written.
 *
 * `fn` may change the old value, and must return it: a changed one that is not
 * returned is a `TypeError` with code `ERR_INVALID_RETURN_VALUE`. A file that is
 * not JSON, also an empty one, is a `SyntaxError` with code `ERR_INVALID_JSON`,
 * `path` and `position` (`null` if it was not searched for); it is never replaced
 * by a default. A value that JSON cannot express (NaN, a Map, a function, a hole
 * in an array) is a `TypeError`. In all three cases nothing is written.
 *
 * Not promised: integers beyond 2^53 and other digits that no JavaScript number
 * can hold; they are rounded when the file is written.
 */
export function updateJson<T = unknown>(path: string | Buffer | URL, fn: Change<T, T>): Promise<T>;
// One more for an `fn` that may return undefined: then there may be no file.
export function updateJson<T = unknown>(
  path: string | Buffer | URL,
  fn: Change<T, T | undefined>,
): Promise<T | undefined>;
export function updateJson<T = unknown>(
  path: string | Buffer | URL,
  options: UpdateJsonOptions,
  fn: Change<T, T>,
): Promise<T>;
export function updateJson<T = unknown>(
  path: string | Buffer | URL,
  options: UpdateJsonOptions,
  fn: Change<T, T | undefined>,
): Promise<T | undefined>;
export async function updateJson<T>(
  path: string | Buffer | URL,
  ...rest: [Change<T, T | undefined>] | [UpdateJsonOptions | undefined, Change<T, T | undefined>]
): Promise<T | undefined> {
  const [options, fn] = rest.length === 1 ? [undefined, rest[0]] : rest;
  const request = checkJsonUpdate(path, options);
  checkCallback(fn);
  const name = pathText(request.path);
  const bytes = await changeFile(request, async (old, context) => {
    const value = old === undefined ? undefined : parse(old, name);
    const before = JSON.stringify(value);
    const next = await fn(value as T | undefined, context);
    if (next === undefined) {
      if (isChanged(value, before)) throw changedInPlace(name);
      return undefined;
    }
    if (textOf(next) === before) return undefined;
    return Buffer.from(`${JSON.stringify(next, null, request.spaces)}\n`);
  });
  return bytes === undefined ? undefined : (parse(bytes, name) as T);
}

const MARK = '\ufeff';

function parse(bytes: Buffer, path: string): unknown {
  // Decoding changes bytes that are not UTF-8, inside strings without an error.
  if (!isUtf8(bytes)) throw jsonError(path, null, undefined);
  const whole = bytes.toString();
  const text = whole.startsWith(MARK) ? whole.slice(1) : whole;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw jsonError(path, faultIn(text), error);
  }
}

/** Throws for what JSON would leave out or make `null`: a count that has become NaN is a mistake. */
function textOf(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value, refuseWhatJsonDrops);
  } catch (error) {
    throw notJson('what fn returns', error);
  }
  if (text !== undefined) return text;
  throw argumentError('ERR_INVALID_ARG_TYPE', 'what fn returns', 'JSON', value);
}

function isChanged(value: unknown, before: string | undefined): boolean {
  try {
    return JSON.stringify(value, refuseWhatJsonDrops) !== before;
  } catch {
    // The file's content was JSON.
    return true;
  }
}
