import { argumentError, NOT_EMPTY } from './argument-errors.js';
import { isWellFormed } from './paths.js';

/** The limit of the file systems on all three platforms, in bytes. */
const LONGEST_FILE_NAME = 255;

// "Naming Files, Paths, and Namespaces" of the Windows documentation. Such a
// name leads to another file, to another folder or to a device.
const NO_NAME_ON_WINDOWS = String.raw`[\p{Cc}\\/:*?"<>|]|^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)`;

/** Whether a file with a name that begins with `name` gets that name on this platform. */
export function isNameHere(name: string, platform: string = process.platform): boolean {
  return platform !== 'win32' || !new RegExp(NO_NAME_ON_WINDOWS, 'iu').test(name);
}

/** Whether `name`, followed by `suffix`, can be the name of a file in a folder. */
export function isFileName(name: string, suffix: string): boolean {
  return problemOf(name, suffix) === null;
}

/** A name that, followed by `suffix`, becomes the name of a file in a folder. */
export function checkFileName(value: unknown, argument: string, suffix: string): string {
  if (typeof value !== 'string') {
    throw argumentError('ERR_INVALID_ARG_TYPE', argument, 'a string', value);
  }
  const problem = problemOf(value, suffix);
  if (problem !== null) throw argumentError('ERR_INVALID_ARG_VALUE', argument, problem, value);
  return value;
}

/** The words that follow "must be"; `null`: no problem. */
function problemOf(name: string, suffix: string): string | null {
  const longest = LONGEST_FILE_NAME - Buffer.byteLength(suffix);
  if (name === '') return NOT_EMPTY;
  if (name === '.' || name === '..') return "other than '.' and '..'";
  if (/[/\0]/.test(name)) return "without '/' and NUL";
  // Encoded as UTF-8, each would become U+FFFD: the name of another file.
  if (!isWellFormed(name)) return 'without unpaired surrogates';
  if (!isNameHere(name)) return 'a valid file name on Windows';
  return Buffer.byteLength(name) > longest ? `at most ${longest} bytes long` : null;
}
