import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { readBounded } from '../base/bounded.js';
import { temporaryName } from '../base/temporary-name.js';
import { CLAIM_LIMIT, CLAIM_SUFFIX } from './claim-file.js';
import { ClaimInvalidError } from './errors.js';
import { type JournalForm, READ_ONLY, readJournal } from './journal-text.js';
import { isMissing, removeIfThere } from './missing.js';
import { putFile, renameIfThere } from './put-file.js';

/** A claim's file that is changed in place, or removed. */
export interface Edit {
  /** Its name in the folder. */
  to: string;
  /** The inode that is meant, and the id in it: `null`, if it has none. */
  inode: string;
  id: string | null;
  /** `null`: the file goes. */
  text: string | null;
}

/** A file that was written under another name, from {@link stagedName}, and is renamed. */
export interface StagedMove {
  from: string;
  to: string;
}

export type Step = Edit | StagedMove;

/** What a claim's file is about to be: another file, a text, or (`null`) gone. */
export type Pending = { from: string } | { text: string | null };

/** The name of the journal. None of its names is one that Holdfast 0.1.0 removes. */
const EDITS = '.holdfast-edits';
const STAGED = /^\.holdfast-[0-9a-f]{16}\.new$/;
const BEGINNING = '{"steps":[';
// What a power failure leaves of a journal is empty, or zeros, or its beginning.
const CONTENT = /^(?:\0*$|\{"steps":\[)/;
const JOURNAL_LIMIT = 64 * 1024 * 1024;
const READ_WRITE = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const FORM: JournalForm<Step> = {
  limit: JOURNAL_LIMIT,
  content: CONTENT,
  parse: (text) => {
    const { steps } = JSON.parse(text) as { steps: unknown };
    return Array.isArray(steps) && steps.every(isStep) ? steps : null;
  },
};

export function stagedName(): string {
  return `.holdfast-${randomBytes(8).toString('hex')}.new`;
}

export function isEdit(step: Step): step is Edit {
  return 'inode' in step;
}

/**
 * Changes claims' files in place, renames and removes others: all of it or
 * nothing, even if the process is killed. A bound claim is changed in place
 * because its very file is locked, by a descriptor that other processes have.
 *
 * 1. Each file that will grow gets blanks at its end, which are no part of its
 *    JSON. So the change needs no more room on the disk, and is one write that
 *    leaves the size as it is.
 * 2. A journal with all texts is put in place by one rename. From here on they
 *    count: readers take them from the journal.
 * 3. Each file is written, renamed or removed.
 * 4. The journal is removed.
 *
 * A process that is killed between 2 and 4 leaves the journal, and the next one
 * in the exclusive section finishes it. It creates no file. A file that
 * somebody has put in its place meanwhile, with another inode or id, stays as
 * it is.
 */
export class EditJournal {
  readonly #folder: string;
  readonly #path: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.#path = join(folder, EDITS);
  }

  /** Commits the steps. If it throws, none of them counts. */
  commit(steps: readonly Step[]): void {
    // Ours has been finished, so this one is not ours.
    if (lstatSync(this.#path, { throwIfNoEntry: false }) !== undefined) {
      const reason = 'it has the name of the journal of changes, but other content: move it away';
      throw new ClaimInvalidError(this.#folder, [{ file: this.#path, reason }]);
    }
    for (const step of steps) if (isEdit(step) && step.text !== null) this.#makeRoom(step);
    const temporary = join(this.#folder, temporaryName('.tmp'));
    putFile(temporary, this.#path, `${BEGINNING}${JSON.stringify(steps).slice(1)}}\n`);
  }

  /** Carries out a journal, our own or one of a killed process; removes other leftovers. */
  finish(names: readonly string[] = readdirSync(this.#folder)): void {
    const steps = names.includes(EDITS) ? this.#read() : null;
    if (steps !== null) {
      for (const step of steps) {
        if (isEdit(step)) this.#edit(step);
        else renameIfThere(join(this.#folder, step.from), join(this.#folder, step.to));
      }
      removeIfThere(this.#path);
    }
    for (const name of names) if (STAGED.test(name)) removeIfThere(join(this.#folder, name));
  }

  /** What counts already, by the names of claims' files, if the folder lists `names`. */
  pending(names: readonly string[]): Map<string, Pending> {
    const pending = new Map<string, Pending>();
    for (const step of this.#read() ?? []) {
      if (!isEdit(step)) {
        if (names.includes(step.from)) pending.set(step.to, { from: step.from });
      } else if (this.#open(step, READ_ONLY, () => true) === true) {
        pending.set(step.to, { text: step.text });
      }
    }
    return pending;
  }

  #makeRoom(step: Edit): void {
    this.#open(step, READ_WRITE, (fd, size) => {
      const more = Buffer.byteLength(step.text as string) - size;
      if (more > 0) writeAll(fd, Buffer.alloc(more, ' '), size);
    });
  }

  #edit(step: Edit): void {
    const path = join(this.#folder, step.to);
    this.#open(step, READ_WRITE, (fd, size) => {
      if (step.text === null) removeIfThere(path);
      else writeAll(fd, padded(step.text, size), 0);
    });
  }

  /** Calls `use` if the file is still the one that is meant, valid or torn; else returns `null`. */
  #open<R>(step: Edit, flags: number, use: (fd: number, size: number) => R): R | null {
    let fd: number;
    try {
      fd = openSync(join(this.#folder, step.to), flags);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (isMissing(error) || code === 'ELOOP' || flags === READ_ONLY) return null;
      throw error;
    }
    try {
      const stats = fstatSync(fd, { bigint: true });
      if (!stats.isFile() || String(stats.ino) !== step.inode) return null;
      const id = idIn(readBounded(fd, CLAIM_LIMIT + 1));
      return id === undefined || id === step.id ? use(fd, Number(stats.size)) : null;
    } finally {
      closeSync(fd);
    }
  }

  #read(): Step[] | null {
    return readJournal(this.#path, FORM);
  }
}

/** `undefined`: it is torn, or not a claim at all. */
function idIn(content: Buffer): string | null | undefined {
  try {
    const value: unknown = JSON.parse(content.toString());
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    const { id } = value as { id?: unknown };
    return typeof id === 'string' ? id : null;
  } catch {
    return undefined;
  }
}

/** With blanks before its last line break, so that nothing of a longer text stays behind it. */
export function padded(text: string, size: number): Buffer {
  const missing = Math.max(0, size - Buffer.byteLength(text));
  return Buffer.from(`${text.trimEnd()}${' '.repeat(missing)}\n`);
}

function writeAll(fd: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd, bytes, done, bytes.length - done, position + done);
  }
}

function isStep(value: unknown): value is Step {
  const { to, from, inode, id, text } = Object(value) as Partial<Edit & StagedMove>;
  if (typeof to !== 'string' || !to.endsWith(CLAIM_SUFFIX) || /[/]|^\./.test(to)) return false;
  if (from !== undefined) return typeof from === 'string' && STAGED.test(from);
  const isText = (each: unknown): boolean => each === null || typeof each === 'string';
  return typeof inode === 'string' && isText(id) && isText(text);
}
