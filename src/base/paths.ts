import { isUtf8 } from 'node:buffer';
import { readlinkSync } from 'node:fs';
import { basename, dirname, join, posix } from 'node:path';

/**
 * A path for the system. A string, except where the bytes are not UTF-8: after
 * decoding and encoding, they would name another file.
 */
export type FilePath = string | Buffer;

// Two letters at least: `c://x` is a path of Windows.
const URL_TEXT = /^[a-z][a-z\d+.-]+:\/\//i;

/** Whether a text begins as a URL of any scheme does. */
export function isUrlText(text: string): boolean {
  return URL_TEXT.test(text);
}

const REPLACED = '\ufffd';
const SLASH = 0x2f;

/** False for half a surrogate pair: encoded as UTF-8, it would become U+FFFD. */
export function isWellFormed(text: string): boolean {
  // Not \p{Surrogate}, for which the parser takes three times as long.
  return !/[\ud800-\udfff]/u.test(text);
}

/** For people and for the `path` of errors; bytes that are not UTF-8 are replaced. */
export function pathText(path: FilePath): string {
  return typeof path === 'string' ? path : path.toString();
}

/** The path of an entry of `folder`. */
export function joinPath(folder: FilePath, name: FilePath): FilePath {
  if (typeof folder === 'string' && typeof name === 'string') return join(folder, name);
  return throughLatin1([folder, name], (words) => posix.join(...words));
}

export function parentOf(path: FilePath): FilePath {
  return typeof path === 'string'
    ? dirname(path)
    : throughLatin1([path], ([text = '']) => posix.dirname(text));
}

/** The last part of a path: its name in {@link parentOf}. */
export function nameOf(path: FilePath): FilePath {
  return typeof path === 'string'
    ? basename(path)
    : throughLatin1([path], ([text = '']) => posix.basename(text));
}

/** Makes `path` absolute. Bytes in UTF-8 become a string, so that one file has one path. */
export function resolveBytes(path: Buffer): FilePath {
  // An absolute path works even after the working directory was deleted.
  const from = path[0] === SLASH ? [] : [workingFolder()];
  return throughLatin1([...from, path], (words) => posix.resolve(...words));
}

/**
 * `resolved` is the result of `path.resolve` for the relative `path`. Node
 * decodes the name of the working directory. Where that is not UTF-8, the
 * result leads elsewhere, perhaps to a folder that exists.
 */
export function keepBytesOfFolder(path: string, resolved: string): FilePath {
  if (process.platform !== 'linux' || !resolved.includes(REPLACED)) return resolved;
  return resolveBytes(Buffer.from(path));
}

function workingFolder(): FilePath {
  const folder = process.cwd();
  // proc_pid_cwd(5). A name may also contain the character itself.
  if (process.platform !== 'linux' || !folder.includes(REPLACED)) return folder;
  return readlinkSync('/proc/self/cwd', 'buffer');
}

/** Passes each byte as one character: the functions of node:path do not change those. */
function throughLatin1(paths: FilePath[], change: (words: string[]) => string): FilePath {
  const words = paths.map((each) => Buffer.from(each as string).toString('latin1'));
  const bytes = Buffer.from(change(words), 'latin1');
  return isUtf8(bytes) ? bytes.toString() : bytes;
}
