import { nearest } from '../base/argument-errors.js';
import { oneLine } from '../base/holder.js';
import { ownCommand } from '../native/own-command.js';
import { whoDenies } from './denied.js';

/** The exit statuses of sysexits(3) that the command uses. */
export const EXIT = {
  ok: 0,
  usage: 64,
  /** The lock failed: neither a refusal nor an error on opening the file. */
  data: 65,
  /** The command to run cannot be run. */
  unavailable: 69,
  /** An error in Holdfast itself. */
  software: 70,
  /** The lock file cannot be created or opened. */
  cantCreate: 73,
  /** Standard output cannot be written to. */
  inputOutput: 74,
  /** Refused or timed out. flock(1) exits with 1, but so may a command. */
  refused: 75,
} as const;

/** Ends the command with a code and, unless it is empty, a message. */
export class Exit extends Error {
  readonly code: number;

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Ends the command with what was asked for instead of it, on standard output:
 * the help of a page of src/cli/pages (`''`: the main one), or the version.
 */
export class Asked extends Exit {
  readonly what: 'help' | 'version';
  readonly page: string;

  constructor(what: 'help' | 'version', page: string, code: number = EXIT.ok) {
    super(code, '');
    this.what = what;
    this.page = page;
  }
}

/**
 * A mistake on the command line. `command`: the page with more help; `''`: the
 * main one.
 */
export function usageError(message: string, command: string): Exit {
  const help = `${ownCommand()} ${command === '' ? '' : `${command} `}--help`;
  const see = message.endsWith('?') ? ' See' : '; see';
  return new Exit(EXIT.usage, oneLine(`${message}${see}: ${help}`));
}

/** The end of a message on an unknown word: the name that was meant, or all there are. */
export function suggestion(word: string, names: readonly string[]): string {
  const near = nearest(word, names);
  return near === undefined ? `there are: ${names.join(', ')}` : `did you mean ${near}?`;
}

// uv_cwd is Node's name for getcwd(3), which relative paths need.
const OPENING: unknown[] = ['open', 'mkdir', 'realpath', 'uv_cwd'];
const REFUSALS = ['ERR_LOCK_HELD', 'ERR_LOCK_TIMEOUT', 'ERR_CLAIM_CONFLICT'];

/** The exit status for an error of the library. */
export function exitCodeOf(error: unknown): number {
  if (typeof error !== 'object' || error === null) return EXIT.software;
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  if (OPENING.includes(syscall)) return EXIT.cantCreate;
  if (syscall !== undefined) return EXIT.data;
  if (typeof code !== 'string') return EXIT.software;
  if (REFUSALS.includes(code)) return EXIT.refused;
  return /^ERR_(LOCK|CLAIM|ID)_/.test(code) ? EXIT.data : EXIT.usage;
}

/**
 * The message of an error. Explains what to do if the working directory is
 * gone, and whose file refuses.
 */
export function messageOf(error: unknown): string {
  const { message, syscall } = error as { message: string; syscall?: unknown };
  if (syscall === 'uv_cwd') return 'the working directory has been removed; use absolute paths';
  // Node puts a path into its message as it is.
  return (syscall === undefined ? message : oneLine(message)) + whoDenies(error);
}

/** The message with the path as it was typed. */
export function messageWith(error: unknown, typed: string): string {
  const { path } = error as { path?: string };
  const message = messageOf(error);
  // A function, since a text would have `$&` and its like replaced.
  return path === undefined ? message : message.replaceAll(oneLine(path), () => oneLine(typed));
}
