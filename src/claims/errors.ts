import { LockError, setName } from '../base/errors.js';
import { printable } from '../base/holder.js';
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

  constructor(directory: string, files: { file: string; reason: string }[]) {
    const each = files.map(({ file, reason }) => `${printable(file)} (${reason})`);
    super(
      'ERR_CLAIM_INVALID',
      directory,
      `not a valid claim: ${shortened(each, ', ')}; its author may rely on it, so nothing is decided: fix or remove it`,
    );
    this.files = files;
  }
}
setName(ClaimInvalidError, 'ClaimInvalidError');

export function invalidClaims(directory: string, found: readonly Found[]): ClaimInvalidError {
  const files = found.map(({ file, reason }) => ({ file, reason: reason ?? '' }));
  return new ClaimInvalidError(directory, files);
}

const MOST_SAID = 3;

/** A message is for people; the error's fields have the rest. */
function shortened(parts: string[], separator: string): string {
  const more = parts.length - MOST_SAID;
  const said = parts.slice(0, MOST_SAID).join(separator);
  return more > 0 ? `${said}, and ${more} more` : said;
}
