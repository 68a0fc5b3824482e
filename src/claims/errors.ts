import { formatTimeout, LockError, LockTimeoutError, setName } from '../base/errors.js';
import { describeHolder, type Holder, printable } from '../base/holder.js';
import { emitHoldfastWarning } from '../base/warning.js';
import { describeConflict } from './conflict-words.js';
import type { Found } from './model.js';
import type { Conflict } from './types.js';

/** The requested scope overlaps with what others claim. */
export class ClaimConflictError extends LockError {
  readonly conflicts: Conflict[];
  /** How long it waited, in milliseconds. */
  readonly waited: number;

  constructor(directory: string, conflicts: Conflict[], waited: number) {
    const each = conflicts.map((conflict) => describeConflict(conflict));
    super('ERR_CLAIM_CONFLICT', directory, shortened(each, '; '));
    this.conflicts = conflicts;
    this.waited = waited;
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

/** The command that gets such a file out of the way. */
const WAY_OUT = 'fix it, or rename it with: holdfast claim set-aside FILE';

export function invalidClaims(directory: string, found: readonly Found[]): ClaimInvalidError {
  const files = found.map(({ file, reason }) => ({ file, reason: reason ?? '' }));
  const advice = `; its author may rely on it, so nothing is decided: ${WAY_OUT}`;
  return new ClaimInvalidError(directory, files, advice);
}

/** For an answer that is given in spite of them. */
export function warnOfInvalid(directory: string, found: readonly Found[]): void {
  const { message } = invalidClaims(directory, found);
  const [what] = message.split('; ');
  emitHoldfastWarning('HOLDFAST_CLAIM_INVALID', `${what}; what it claims is not known: ${WAY_OUT}`);
}

/**
 * A process has not left the folder of the claims for as long as nobody needs,
 * so it was probably stopped in the middle of a decision.
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
      `gave up waiting for ${directory} after ${formatTimeout(waited)}: held by ${describeHolder(holder)}, ${others} in front; if that process is stopped, let it go on or end it`,
    );
    this.inFront = inFront;
  }

  /** The same for a call that waited behind the one that gave up. */
  behind(callers: number): ClaimsBusyError {
    return new ClaimsBusyError(this.path, this.holder, this.timeout, this.inFront + callers);
  }
}
setName(ClaimsBusyError, 'ClaimsBusyError');

const MOST_SAID = 3;

/** A message is for people; the error's fields have the rest. */
function shortened(parts: string[], separator: string): string {
  const more = parts.length - MOST_SAID;
  const said = parts.slice(0, MOST_SAID).join(separator);
  return more > 0 ? `${said}, and ${more} more` : said;
}
