/** sysexits(3), as far as the command uses them. */
export const EXIT = {
  ok: 0,
  usage: 64,
  /** A lock error that is neither a refusal nor about opening the file. */
  data: 65,
  /** The command to run cannot be run. */
  unavailable: 69,
  /** A fault of Holdfast's own. */
  software: 70,
  /** The lock file cannot be made or opened. */
  cantCreate: 73,
  /** Standard output cannot be written. */
  inputOutput: 74,
  /** Refused, or the time is up. flock(1) says 1, which a command may as well. */
  refused: 75,
} as const;

/** Ends the command with a message, unless it is empty, and a code. */
export class Exit extends Error {
  readonly code: number;

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Wrong words on the command line. */
export function usageError(message: string, command: string): Exit {
  return new Exit(EXIT.usage, `${message}; see: holdfast ${command} --help`);
}

// The last one is Node's name for getcwd(3), without which no relative path leads anywhere.
const OPENING: unknown[] = ['open', 'mkdir', 'realpath', 'uv_cwd'];
const REFUSALS = ['ERR_LOCK_HELD', 'ERR_LOCK_TIMEOUT', 'ERR_CLAIM_CONFLICT'];

/** What a failed acquisition means for the caller of the command. */
export function exitCodeOf(error: unknown): number {
  if (typeof error !== 'object' || error === null) return EXIT.software;
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  if (OPENING.includes(syscall)) return EXIT.cantCreate;
  if (syscall !== undefined) return EXIT.data;
  if (typeof code !== 'string') return EXIT.software;
  if (REFUSALS.includes(code)) return EXIT.refused;
  return /^ERR_(LOCK|CLAIM|ID)_/.test(code) ? EXIT.data : EXIT.usage;
}

/** The message of an error, in words that help who typed a relative path. */
export function messageOf(error: unknown): string {
  const { message, syscall } = error as { message: string; syscall?: unknown };
  return syscall === 'uv_cwd' ? 'the working directory was removed; use absolute paths' : message;
}
