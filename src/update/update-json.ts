import { isUtf8 } from 'node:buffer';
import { argumentError } from '../base/arguments.js';
import { pathText } from '../base/paths.js';
import { changeFile, type UpdateContext } from './change-file.js';
import { changedInPlace } from './changed-in-place.js';
import { jsonError, positionOfFault } from './json-fault.js';
import { checkCallback, checkJsonUpdate, type UpdateJsonOptions } from './options.js';

type Change<T> = (
  old: T | undefined,
  context: UpdateContext,
) => T | undefined | Promise<T | undefined>;

/**
 * {@link updateFile} for a file of JSON: `fn` gets the parsed value (`undefined`:
 * there is no such file) and returns the new one. Resolves to what is in the file
 * now, parsed. If `fn` returns `undefined` or an equal value, nothing is written.
 *
 * `fn` may change the old value, and must return it: a changed one that is not
 * returned is a `TypeError` with code `ERR_INVALID_RETURN_VALUE`. A file that is not
 * JSON, also an empty one, is a `SyntaxError` with code `ERR_INVALID_JSON`, `path`
 * and `position`; it is never replaced by a default. A value that JSON cannot
 * express is a `TypeError`. In all three cases nothing is written.
 */
export function updateJson<T = unknown>(
  path: string | Buffer | URL,
  fn: Change<T>,
): Promise<T | undefined>;
export function updateJson<T = unknown>(
  path: string | Buffer | URL,
  options: UpdateJsonOptions,
  fn: Change<T>,
): Promise<T | undefined>;
export async function updateJson<T>(
  path: string | Buffer | URL,
  ...rest: [Change<T>] | [UpdateJsonOptions | undefined, Change<T>]
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
      if (JSON.stringify(value) !== before) throw changedInPlace(name);
      return undefined;
    }
    if (JSON.stringify(next) === before) return undefined;
    return Buffer.from(format(next, request.spaces));
  });
  return bytes === undefined ? undefined : (parse(bytes, name) as T);
}

const MARK = '\ufeff';

function parse(bytes: Buffer, path: string): unknown {
  // Decoding changes what is not UTF-8, inside strings unnoticed.
  if (!isUtf8(bytes)) throw jsonError(path, null, undefined);
  const whole = bytes.toString();
  const text = whole.startsWith(MARK) ? whole.slice(1) : whole;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw jsonError(path, { text, position: positionOfFault(text) }, error);
  }
}

function format(value: unknown, spaces: number | string): string {
  const text: string | undefined = JSON.stringify(value, null, spaces);
  if (text !== undefined) return `${text}\n`;
  throw argumentError('ERR_INVALID_ARG_TYPE', 'what fn returns', 'JSON', value);
}
