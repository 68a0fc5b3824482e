import { LockError, setName } from '../base/errors.js';
import { printable } from '../base/holder.js';
import { UNDECIDED } from './overlap.js';
import type { Conflict } from './types.js';

/** What is wanted overlaps with what others claim. */
export class ClaimConflictError extends LockError {
  readonly conflicts: Conflict[];
  /** Milliseconds that were waited. */
  readonly waited: number;

  constructor(directory: string, conflicts: Conflict[], waited: number) {
    super('ERR_CLAIM_CONFLICT', directory, some(conflicts.map(describeConflict), '; '));
    this.conflicts = conflicts;
    this.waited = waited;
  }
}
setName(ClaimConflictError, 'ClaimConflictError');

/** Files among the claims that cannot be understood, so that nothing can be decided. */
export class ClaimInvalidError extends LockError {
  /** Absolute, each with the reason. */
  readonly files: { file: string; reason: string }[];

  constructor(directory: string, files: { file: string; reason: string }[]) {
    const list = some(
      files.map(({ file, reason }) => `${printable(file)} (${reason})`),
      ', ',
    );
    super(
      'ERR_CLAIM_INVALID',
      directory,
      `not a valid claim: ${list}; whoever wrote it may rely on it, so nothing is decided: mend or remove it`,
    );
    this.files = files;
  }
}
setName(ClaimInvalidError, 'ClaimInvalidError');

/** `both match app/x`. */
export function describeWitness(witness: string): string {
  return witness === UNDECIDED
    ? 'too intricate to be told apart'
    : `both match ${printable(witness)}`;
}

/** `shop (app/**) overlaps with api (app/api/), claimed until …`. */
export function describeConflict({ agents, entries, witness, task, expiresAt }: Conflict): string {
  const [one, other] = agents.map(printable);
  const [mine, theirs] = entries.map(({ pattern }) => printable(pattern));
  const until =
    expiresAt === null ? '' : `, claimed until ${expiresAt.toISOString().slice(0, 19)}Z`;
  const doing = task === null ? '' : `, "${printable(task)}"`;
  return `${one}'s ${mine} overlaps with ${other}'s ${theirs} (${describeWitness(witness)})${until}${doing}`;
}

const MOST_SAID = 3;

/** A message is for people: the rest is in the error's fields. */
function some(parts: string[], separator: string): string {
  const more = parts.length - MOST_SAID;
  const said = parts.slice(0, MOST_SAID).join(separator);
  return more > 0 ? `${said}, and ${more} more` : said;
}
