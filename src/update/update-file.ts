import { isUtf8 } from 'node:buffer';
import { argumentError } from '../base/argument-errors.js';
import { isWellFormed, pathText } from '../base/paths.js';
import { changeFile, type Decide, type UpdateContext } from './change-file.js';
import { changedInPlace } from './changed-in-place.js';
import { checkCallback, checkFileUpdate, type UpdateFileOptions } from './options.js';

/** `undefined` only where `fn` may return it: after a change there is content. */
type Maybe<R> = Extract<R, undefined>;

/**
 * Reads a file, calls `fn` with its content (`undefined`: there is no such file),
 * and replaces it with what `fn` returns, with no other update in between.
 * Resolves to what is in the file now. If `fn` returns `undefined` or the same
 * content, nothing is written.
 *
 * Readers need no lock: the file is replaced by one rename, so they see the old
 * content or the new one, even if the process is killed. Links are followed and
 * stay; owner, group and permissions stay. Missing folders are created.
 *
 * Not promised: protection from programs that write without this lock; hard links,
 * extended attributes and ACLs are lost. Not reentrant: an update of the same file
 * inside `fn` waits for itself (warning `HOLDFAST_WAITS_FOR_ITSELF`).
 *
 * Rejects with the error of `fn`, unchanged; `ERR_LOCK_TIMEOUT` (`ERR_LOCK_HELD`
 * with `timeout: 0`); `signal.reason`; `ERR_LOCK_LOST` if the lock file was removed
 * or replaced while `fn` ran, and nothing is written (with a `result`: lost after
 * the file was replaced, or there was nothing to write); `ERR_LOCK_STATE` if the lock file is a folder;
 * `ERR_LOCK_UNSUPPORTED` if the file is not a regular one; system errors such as
 * `EISDIR`, `ENOSPC`, `EACCES` (also for a file that may not be written) and `EPERM`
 * (its group cannot be kept), after which the old content is there.
 */
export function updateFile<R extends string | undefined>(
  path: string | Buffer | URL,
  fn: (old: string | undefined, context: UpdateContext) => R | Promise<R>,
): Promise<string | Maybe<R>>;
export function updateFile<R extends Uint8Array | undefined>(
  path: string | Buffer | URL,
  options: UpdateFileOptions & { encoding: 'buffer' },
  fn: (old: Buffer | undefined, context: UpdateContext) => R | Promise<R>,
): Promise<Buffer | Maybe<R>>;
export function updateFile<R extends string | undefined>(
  path: string | Buffer | URL,
  options: UpdateFileOptions & { encoding?: 'utf8' | undefined },
  fn: (old: string | undefined, context: UpdateContext) => R | Promise<R>,
): Promise<string | Maybe<R>>;
export async function updateFile(
  path: string | Buffer | URL,
  ...rest: [Fn] | [UpdateFileOptions | undefined, Fn]
): Promise<string | Buffer | undefined> {
  const [options, fn] = rest.length === 1 ? [undefined, rest[0]] : rest;
  const request = checkFileUpdate(path, options);
  checkCallback(fn);
  const name = pathText(request.path);
  if (request.encoding === 'buffer') return changeFile(request, onBytes(fn, name));
  return (await changeFile(request, onText(fn, name)))?.toString();
}

type Fn = (old: never, context: UpdateContext) => unknown;

function onText(fn: Fn, path: string): Decide {
  return async (old, context) => {
    if (old !== undefined && !isUtf8(old)) throw notUtf8(path);
    const text = await fn(old?.toString() as never, context);
    if (text === undefined) return undefined;
    if (typeof text !== 'string') throw wrongResult('a string', text);
    if (isWellFormed(text)) return Buffer.from(text);
    const rule = 'without unpaired surrogates';
    throw argumentError('ERR_INVALID_ARG_VALUE', 'what fn returns', rule, text);
  };
}

function onBytes(fn: Fn, path: string): Decide {
  return async (old, context) => {
    // `fn` may write into its buffer, which must still compare as different from
    // the file.
    const given = old && Buffer.from(old);
    const bytes = await fn(given as never, context);
    if (bytes === undefined) {
      if (old !== undefined && given?.equals(old) === false) throw changedInPlace(path);
      return undefined;
    }
    if (!(bytes instanceof Uint8Array)) throw wrongResult('a Buffer', bytes);
    // The caller may write into its own buffer during the write.
    return Buffer.from(bytes);
  };
}

function wrongResult(what: string, value: unknown): Error {
  const rule = `${what}, or undefined to leave the file as it is`;
  return argumentError('ERR_INVALID_ARG_TYPE', 'what fn returns', rule, value);
}

function notUtf8(path: string): TypeError {
  const message = `${path} is not UTF-8, so writing it back would change its bytes: update it with encoding: 'buffer'`;
  return Object.assign(new TypeError(message), { code: 'ERR_ENCODING_INVALID_ENCODED_DATA', path });
}
