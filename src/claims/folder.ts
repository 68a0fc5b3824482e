import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  writeSync,
} from 'node:fs';
import { join, sep } from 'node:path';
import { readBounded } from '../base/bounded.js';
import { probe, whileOpen } from '../holders/lock-file.js';
import { isOtherNamespace, namespaceOf } from '../holders/process-identity.js';
import { type FileLock, internalsOf } from '../lock/file-lock.js';
import { SHARED } from '../native/binding.js';
import { isCanonicalClaim } from './canonical-form.js';
import { CLAIM_LIMIT, CLAIM_SUFFIX, type ClaimFile, parseClaim } from './claim-file.js';
import { formatFields, offsetOfExpiry } from './claim-text.js';
import { EditJournal, type Pending } from './edit-journal.js';
import { Journal, type Move } from './journal.js';
import { isMissing, removeIfThere } from './missing.js';
import type { Found } from './model.js';
import { readAll } from './read-all.js';
import type { Root } from './root.js';
import { Section, type SectionOptions } from './section.js';
import type { SessionMark } from './session.js';
import { remembered, stateOf } from './states.js';
import { formatTime } from './times.js';
import { type Change, writeClaims } from './write-claims.js';

// As in journal.ts and edit-journal.ts, which are loaded when they are needed.
const JOURNAL = '.holdfast-journal';
const EDITS = '.holdfast-edits';
const OF_EDITS = /^\.holdfast-(?:edits|[0-9a-f]{16}\.new)$/;

// V8 takes milliseconds to compile the expressions that tell which claims
// matter. This many claims are parsed and compared in that time.
const FEW_CLAIMS = 16;

/** Whether a canonical claim with this text matters to the caller. */
export type Relevance = (agent: string, text: string) => boolean;

/** How to read one claim's file. */
interface Reading {
  location: string;
  now: number;
  /** Its content as Latin-1, if it has been read. */
  text: string | null;
  /** Whether a session's process runs. */
  lives?: (mark: SessionMark) => boolean | null;
}

/**
 * The folder of a workflow's claims. Reading, deciding and writing is one
 * {@link Section}; files are put in place by a {@link Journal}, and changed by
 * an `EditJournal`.
 *
 * Other programs may have files in the folder. Of `*.lock` files, only valid
 * claims are removed or replaced: read as such a moment before, in the same
 * exclusive section.
 */
export class ClaimsFolder {
  readonly path: string;
  readonly root: Root;
  readonly #section: Section;

  constructor(path: string, root: Root) {
    this.path = path;
    this.root = root;
    this.#section = new Section(path, () => this.#finishJournals());
  }

  /** See {@link Section.exclusively}. */
  exclusively<R>(body: () => R, options?: SectionOptions<R>): Promise<R> {
    return this.#section.exclusively(body, options);
  }

  /** The same, but `null` if there is no folder. */
  exclusivelyIfThere<R>(body: () => R): Promise<R | null> {
    return this.#section.exclusivelyIfThere(body);
  }

  /** All claims, by the agents' names, while no other process changes any. See {@link each}. */
  async readShared(isRelevant?: Relevance): Promise<Found[]> {
    return (await this.#section.shared(() => [...this.each(isRelevant)])) ?? [];
  }

  /** All claims, by the agents' names. */
  read(): Found[] {
    return [...this.each()];
  }

  /**
   * The same one by one, for callers that need not keep them all. Leaves out
   * valid claims for which `isRelevant` is false; others it may not be asked about.
   */
  *each(isRelevant?: Relevance): Generator<Found, void, undefined> {
    const locations = new Map<string, string>();
    const names = readdirSync(this.path);
    for (const name of names) {
      // As a shell's `*.lock`: a name that begins with a dot is another program's.
      if (name.endsWith(CLAIM_SUFFIX) && !name.startsWith('.')) locations.set(name, name);
    }
    for (const { from, to } of this.#pendingMoves(names)) locations.set(to, from);
    const pending = this.#pendingEdits(names);
    for (const [to, change] of pending) if ('from' in change) locations.set(to, change.from);
    const now = Date.now();
    const lives = remembered();
    // By the agents' names: with the suffix, 'a-b' would come before 'a'.
    const agents = [...locations.keys()].map((name) => name.slice(0, -CLAIM_SUFFIX.length)).sort();
    const files = agents.map((agent) => locations.get(`${agent}${CLAIM_SUFFIX}`) as string);
    let at = 0;
    for (const text of readAll(this.path, files, CLAIM_LIMIT + 1)) {
      const agent = agents[at] as string;
      const location = files[at++] as string;
      const change = pending.get(location);
      if (change !== undefined && 'text' in change) {
        const found = this.#changed(agent, change.text, now);
        if (found !== null) yield found;
        continue;
      }
      if (text !== null && isRelevant !== undefined && at > FEW_CLAIMS) {
        if (isCanonicalClaim(text, agent) && !isRelevant(agent, text)) continue;
      }
      const found = this.#read(agent, { location, now, text, lives });
      if (found !== null) yield found;
    }
  }

  fileOf(agent: string): string {
    return join(this.path, `${agent}${CLAIM_SUFFIX}`);
  }

  /** Runs `body` while no other process changes any claim; `null` if there is no folder. */
  shared<R>(body: () => R): Promise<R | null> {
    return this.#section.shared(body);
  }

  /** One agent's claim, or `null`; also while a journal of edits is unfinished. */
  look(agent: string): Found | null {
    const names = existsSync(join(this.path, EDITS)) ? readdirSync(this.path) : [];
    const change = this.#pendingEdits(names).get(`${agent}${CLAIM_SUFFIX}`);
    if (change === undefined || 'from' in change) return this.find(agent);
    return this.#changed(agent, change.text, Date.now());
  }

  /** A claim whose file is about to have this text, or to go. */
  #changed(agent: string, text: string | null, now: number): Found | null {
    if (text === null) return null;
    const location = `${agent}${CLAIM_SUFFIX}`;
    return this.#read(agent, { location, now, text: Buffer.from(text).toString('latin1') });
  }

  get #journal(): Journal {
    return new Journal(this.path);
  }

  #pendingMoves(names: readonly string[]): readonly Move[] {
    return names.includes(JOURNAL) ? this.#journal.pending(names) : [];
  }

  /** What an unfinished journal says, by the names of claims' files. */
  #pendingEdits(names: readonly string[]): ReadonlyMap<string, Pending> {
    return names.includes(EDITS) ? new EditJournal(this.path).pending(names) : new Map();
  }

  #finishJournals(): void {
    const names = readdirSync(this.path);
    this.#journal.finish(names);
    // Readers do not need the code that makes changes.
    if (names.some((name) => OF_EDITS.test(name))) new EditJournal(this.path).finish(names);
  }

  /** One agent's claim, or `null`; in the exclusive section, where no journal is unfinished. */
  find(agent: string): Found | null {
    return this.#read(agent, { location: `${agent}${CLAIM_SUFFIX}`, now: Date.now(), text: null });
  }

  #read(agent: string, { location, now, text, lives }: Reading): Found | null {
    const name = `${agent}${CLAIM_SUFFIX}`;
    // Not join(): it would take as long as the reading.
    const path = `${this.path}${sep}${location}`;
    const file = location === name ? path : `${this.path}${sep}${name}`;
    const found = { agent, file, location: path };
    let claim: ClaimFile | string;
    try {
      const content =
        text === null ? readBounded(path, CLAIM_LIMIT + 1) : Buffer.from(text, 'latin1');
      claim = parseClaim(content, agent, this.root);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const isUnreadable = name.includes('\ufffd');
      // Somebody removed it since the folder was read.
      if (code === 'ENOENT' && !isUnreadable) return null;
      claim = isUnreadable
        ? 'its name is not UTF-8'
        : code === 'ELOOP'
          ? 'it is a symbolic link'
          : `it cannot be read (${code})`;
    }
    if (typeof claim === 'string') {
      return { ...found, state: 'invalid', reason: claim, claim: null };
    }
    return { ...found, ...this.#stateOf(claim, path, now, lives), claim };
  }

  #stateOf(
    claim: ClaimFile,
    path: string,
    now: number,
    lives?: Reading['lives'],
  ): Pick<Found, 'state' | 'reason'> {
    if (claim.bound === null) return stateOf(claim, now, lives);
    if (this.#isLocked(path)) return { state: 'active', reason: null };
    const { pid, start } = claim.bound;
    const whom = isOtherNamespace(namespaceOf(start))
      ? 'a process in another container'
      : `pid ${pid}`;
    const reason = `bound to ${whom}, and no process has it any more`;
    return { state: 'orphaned', reason };
  }

  /** With a shared lock, so that several probes do not take each other for the owner. */
  #isLocked(path: string): boolean {
    try {
      return probe(path, SHARED) === 'held';
    } catch {
      // A claim whose file cannot be opened or locked may well be alive.
      return true;
    }
  }

  /** Changes claims: all, or none. See {@link writeClaims}. */
  write(changes: readonly Change[]): (FileLock | null)[] {
    return writeClaims(this.path, this.#journal, changes);
  }

  /**
   * Changes an expiry. False: the claim does not exist any more.
   *
   * Its file is not replaced but changed, by one write of 20 bytes, so a
   * reader sees the old time or the new one. The descriptor of a bound claim
   * stays the locked one, and a file that somebody removes between the read
   * and the write stays removed.
   */
  renew({ location, claim }: Found, expiresAt: Date): boolean {
    const time = formatTime(expiresAt.getTime());
    let fd: number;
    try {
      fd = openSync(location, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
    try {
      const content = readBounded(fd, CLAIM_LIMIT + 1);
      const found = parseClaim(content, claim?.agent ?? '', this.root);
      if (typeof found === 'string' || found.id !== claim?.id) return false;
      const offset = offsetOfExpiry(content);
      if (offset >= 0) writeSync(fd, time, offset);
      else {
        // Somebody has written the time in another form.
        const text = formatFields({ ...found.fields, expires_at: time });
        writeSync(fd, text, 0);
        ftruncateSync(fd, Buffer.byteLength(text));
      }
      return fstatSync(fd).nlink > 0;
    } finally {
      closeSync(fd);
    }
  }

  /** False: the claim's file does not exist any more. */
  remove({ file }: Pick<Found, 'file'>): boolean {
    return removeIfThere(file);
  }
}

/** Whether `location` leads to the very file that is locked. */
export function isFileOf(lock: FileLock, location: string): boolean {
  const { native, id } = internalsOf(lock);
  return whileOpen(location, (other) => native.sameFile(id, other.id)) ?? false;
}
