import { commandName } from '../base/command-name.js';
import { formatTimeout, LockError, LockTimeoutError, setName } from '../base/errors.js';
import { describeHolder, type Holder, printable } from '../base/holder.js';
import { emitHoldfastWarning } from '../base/warning.js';
import { describeCircle, describeConflict } from './conflict-words.js';
import type { Found } from './model.js';
import type { Conflict } from './types.js';

/** The requested scope overlaps with what others claim, or have waited for longer. */
export class ClaimConflictError extends LockError {
  readonly conflicts: Conflict[];
  /** How long it waited, in milliseconds. */
  readonly waited: number;
  /**
   * If waiting can never end: agents of which each waits for the next one, and
   * the last for the first, which is the one that asked. Otherwise empty.
   */
  readonly circle: string[];

  constructor(
    directory: string,
    conflicts: Conflict[],
    waited: number,
    circle: readonly string[] = [],
  ) {
    const each = conflicts.map((conflict) => describeConflict(conflict));
    const said = circle.length > 0 ? [describeCircle(circle), ...each] : each;
    super('ERR_CLAIM_CONFLICT', directory, shortened(said, '; '));
    this.conflicts = conflicts;
    this.waited = waited;
    this.circle = [...circle];
  }
}
setName(ClaimConflictError, 'ClaimConflictError');

/** Files in the folder are not valid claims, so nothing can be decided. */
export class ClaimInvalidError extends LockError {
  /** Absolute, each with the reason. */
  readonly files: { file: string; reason: string }[];

  constructor(directory: string, files: { file: string; reason: string }[], advice = '') {
    const each = files.map(({ file, reason }) => `${printable(file)} (${reason})`);
    super('ERR_CLAIM_INVALID', directory, `not a valid claim: ${shortened(each, ', ')}${advice}`);
    this.files = files;
  }
}
setName(ClaimInvalidError, 'ClaimInvalidError');

export function invalidClaims(directory: string, found: readonly Found[]): ClaimInvalidError {
  const advice = `; its author may rely on it, so nothing is decided: ${wayOut(found)}`;
  return new ClaimInvalidError(directory, filesOf(found), advice);
}

/** For an answer that is given in spite of them. */
export function warnOfInvalid(directory: string, found: readonly Found[]): void {
  const { message } = new ClaimInvalidError(directory, filesOf(found));
  const advice = `what it claims is not known: ${wayOut(found)}`;
  emitHoldfastWarning('HOLDFAST_CLAIM_INVALID', `${message}; ${advice}`);
}

function filesOf(found: readonly Found[]): ClaimInvalidError['files'] {
  return found.map(({ file, reason }) => ({ file, reason: reason ?? '' }));
}

/** The command that moves such a file out of the way. */
function wayOut([first]: readonly Found[]): string {
  // Where a shell would take the name apart, the user has to quote it.
  const file = first !== undefined && /^[\w./+@:-]+$/.test(first.file) ? first.file : 'FILE';
  return `fix it, or rename it with: ${commandName()} claim set-aside ${file}`;
}

/**
 * A process has held the folder of the claims for longer than any decision
 * takes, so it was probably stopped in the middle of one.
 */
export class ClaimsBusyError extends LockTimeoutError {
  /** How many others waited before this call. 0 where that is not known. */
  readonly inFront: number;

  constructor(directory: string, holder: Holder | null, waited: number, inFront: number) {
    const others = inFront === 1 ? '1 other was' : `${inFront} others were`;
    super(
      directory,
      holder,
      waited,
      `gave up waiting for ${directory} after ${formatTimeout(waited)}: held by ${describeHolder(holder)}, ${others} in front; if that process is stopped, resume or end it`,
    );
    this.inFront = inFront;
  }

  /** The same for a call that waited behind the one that gave up. */
  behind(callers: number): ClaimsBusyError {
    return new ClaimsBusyError(this.path, this.holder, this.timeout, this.inFront + callers);
  }
}
setName(ClaimsBusyError, 'ClaimsBusyError');

const NOT_WRITABLE: unknown[] = ['EACCES', 'EPERM', 'EROFS'];

/** Adds what to do if this user cannot write the default folder. */
export function withWayOut(error: unknown, directory: string): unknown {
  if (error instanceof Error && NOT_WRITABLE.includes((error as NodeJS.ErrnoException).code)) {
    error.message += `: the claims of this repository are in ${printable(directory)}, which this user cannot write; use another folder, with --dir or HOLDFAST_CLAIMS, or new Claims(directory)`;
  }
  return error;
}

const MOST_SAID = 3;

/** A message is for people; the error's fields have the rest. */
function shortened(parts: string[], separator: string): string {
  const more = parts.length - MOST_SAID;
  const said = parts.slice(0, MOST_SAID).join(separator);
  return more > 0 ? `${said}, and ${more} more` : said;
}
