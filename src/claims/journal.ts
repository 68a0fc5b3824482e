import { lstatSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryName } from '../base/temporary-name.js';
import { CLAIM_SUFFIX } from './claim-file.js';
import { ClaimInvalidError } from './errors.js';
import { type JournalForm, readJournal } from './journal-text.js';
import { removeIfThere } from './missing.js';
import { putFile, renameIfThere, TEMPORARY } from './put-file.js';

/** A file to rename, by names in the folder. */
export interface Move {
  /** From `temporaryName`. */
  from: string;
  /** The name of a claim's file. */
  to: string;
}

// It does not end in `.lock`: such files are claims.
const JOURNAL = '.holdfast-journal';
// Enough for some 100,000 claims at once.
const JOURNAL_LIMIT = 16 * 1024 * 1024;
// What a power failure leaves of a journal is empty, or zeros, or its beginning.
const JOURNAL_CONTENT = /^(?:\0*$|\[\{"from":"\.holdfast-[0-9a-f]{16}\.tmp")/;
const FORM: JournalForm<Move> = {
  limit: JOURNAL_LIMIT,
  content: JOURNAL_CONTENT,
  parse: (text) => {
    const moves: unknown = JSON.parse(text);
    return Array.isArray(moves) && moves.every(isMove) ? moves : null;
  },
};

/**
 * Puts files in place in a folder: all of them or none, even if the process is
 * killed. Each has been written under a temporary name before.
 *
 * One file is put in place by one rename. For several:
 * 1. A journal that lists the moves is put in place by one rename. From here
 *    on they count: readers take the temporary files for claims.
 * 2. Each file is renamed.
 * 3. The journal is removed.
 *
 * A process that is killed between 1 and 3 leaves the journal, and the next
 * one in the exclusive section finishes it. What has been renamed before is
 * not done again, so a claim that somebody removed meanwhile stays removed.
 *
 * Other programs may have files in the folder. Only files with one of our
 * random names are removed, and a journal whose content is one of ours.
 */
export class Journal {
  readonly #folder: string;
  readonly #path: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.#path = join(folder, JOURNAL);
  }

  /** Throws if another program's file has the journal's name. */
  checkName(): void {
    // Ours has been finished, so this one is not ours.
    if (lstatSync(this.#path, { throwIfNoEntry: false }) === undefined) return;
    const reason =
      'it has the name of the journal of several claims, but other content: move it away';
    throw new ClaimInvalidError(this.#folder, [{ file: this.#path, reason }]);
  }

  /** Commits the moves. If it throws, none of them counts. */
  commit(moves: readonly Move[]): void {
    if (moves.length === 1) this.#move(moves[0] as Move);
    else putFile(join(this.#folder, temporaryName('.tmp')), this.#path, JSON.stringify(moves));
  }

  /** Carries out a journal, our own or one of a killed process; removes other leftovers. */
  finish(names: readonly string[] = readdirSync(this.#folder)): void {
    const moves = names.includes(JOURNAL) ? this.#read() : null;
    if (moves !== null) {
      for (const { from, to } of moves)
        renameIfThere(join(this.#folder, from), join(this.#folder, to));
      removeIfThere(this.#path);
    }
    for (const name of names) if (TEMPORARY.test(name)) removeIfThere(join(this.#folder, name));
  }

  /** The moves that count already, if the folder lists `names`. */
  pending(names: readonly string[]): Move[] {
    if (!names.includes(JOURNAL)) return [];
    return (this.#read() ?? []).filter(({ from }) => names.includes(from));
  }

  #move({ from, to }: Move): void {
    renameSync(join(this.#folder, from), join(this.#folder, to));
  }

  #read(): Move[] | null {
    return readJournal(this.#path, FORM);
  }
}

/** Between two names in the folder, to the name of a claim. */
function isMove(value: unknown): value is Move {
  const { from, to } = Object(value) as Partial<Move>;
  if (typeof from !== 'string' || typeof to !== 'string') return false;
  return TEMPORARY.test(from) && to.endsWith(CLAIM_SUFFIX) && !/[/]|^\./.test(to);
}
