import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readdirSync,
  renameSync,
  unlinkSync,
  type WriteFileOptions,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join, sep } from 'node:path';
import { readBounded } from '../base/bounded.js';
import { errnoOf, LockLostError, systemError } from '../base/errors.js';
import type { LockMode } from '../base/locker.js';
import { makeFolders } from '../base/make-folders.js';
import { acquire } from '../lock/acquire.js';
import { FileLock, internalsOf, lockOf } from '../lock/file-lock.js';
import { checkRequest } from '../lock/options.js';
import { IS_DIRECTORY, SHARED } from '../native/binding.js';
import {
  CLAIM_LIMIT,
  CLAIM_SUFFIX,
  type ClaimFile,
  formatFields,
  formatTime,
  offsetOfExpiry,
  parseClaim,
} from './claim-file.js';
import { ClaimInvalidError } from './errors.js';
import type { Root } from './pattern.js';

/** A claim's file as it was found. */
export interface Found {
  agent: string;
  /** The claim's file, absolute. */
  file: string;
  /** Where its content is: elsewhere while a journal is unfinished. */
  location: string;
  state: 'active' | 'expired' | 'orphaned' | 'invalid';
  reason: string | null;
  /** `null`: invalid. */
  claim: ClaimFile | null;
}

/** What is to become a claim's file. */
export interface Draft {
  agent: string;
  text: string;
  bind: boolean;
}

const MISSING = errnoOf('ENOENT');
// Nobody stays inside for longer, unless it was stopped there.
const SECTION_MILLISECONDS = 10_000;
const TRIES = 10;
/** How long after its expiry others still respect a claim. */
export const GRACE_MILLISECONDS = 2000;
// Neither ends in `.lock`: those are claims.
const OURS = '.holdfast-';
const JOURNAL = `${OURS}journal`;
// Of some 100,000 claims that are made at once.
const JOURNAL_LIMIT = 16 * 1024 * 1024;
// What is locked in place of the folder where a folder cannot be.
const SECTION = process.platform === 'win32' ? `${OURS}section` : null;
const TEMPORARY = /^\.holdfast-[0-9a-f]{16}\.tmp$/;
// What a power failure leaves of one is empty, or zeros, or has a beginning.
const JOURNAL_CONTENT = /^(?:\0*$|\[\{"from":"\.holdfast-[0-9a-f]{16}\.tmp")/;
const READ_ONLY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * The folder of a workflow's claims. Whoever reads and decides and writes is
 * alone in it, by an exclusive flock of the folder itself, or on Windows of a
 * file in it, which goes when the folder goes.
 *
 * One claim is put in place by one rename. Several are written under other
 * names; then the journal that lists them is put in place, by one rename, and
 * from there on they count; then each is renamed, and the journal removed. A
 * process that is killed in between leaves the journal: readers take what it
 * lists for claims, and whoever enters next finishes it. What has been renamed
 * is not done again, so a claim that a hand removed meanwhile stays removed.
 *
 * Other programs may have files in the folder. Removed, or replaced by a rename,
 * are only claims (read as such a moment before, alone in the folder), files with
 * a random name of ours, and a journal whose content is one.
 */
export class ClaimsFolder {
  readonly path: string;
  readonly root: Root;

  constructor(path: string, root: Root) {
    this.path = path;
    this.root = root;
  }

  /**
   * Runs `body` alone in the folder, which is made if it is missing. Where the
   * folder was removed or replaced meanwhile, what `body` did may be anywhere:
   * `undo` takes it back, alone in the folder that is there now, and it runs
   * again. So it does where a file of its own is gone: whoever removes a folder
   * begins with what is in it.
   */
  async alone<R>(
    body: () => R,
    { signal, undo = () => {} }: { signal?: AbortSignal | undefined; undo?: (result: R) => void },
  ): Promise<R> {
    let done: { result: R } | null = null;
    let missing: unknown = null;
    for (let tries = 0; tries <= TRIES; tries++) {
      const lock = await this.#enter('exclusive', true, signal).catch((error) => {
        if (done !== null) undo(done.result);
        throw error;
      });
      try {
        this.#finish();
        if (done !== null) undo(done.result);
        done = null;
        done = { result: body() };
        if (lock.isCurrent()) return done.result;
      } catch (error) {
        const current = lock.isCurrent();
        if (current && !isMissing(error)) throw error;
        missing = current ? error : null;
      } finally {
        lock.releaseSync();
      }
    }
    if (done !== null) undo(done.result);
    throw missing ?? this.#vanishing();
  }

  /** The same in a folder that is there; `null` if there is none. */
  async aloneIfThere<R>(body: () => R): Promise<R | null> {
    return this.#ifThere('exclusive', undefined, () => {
      this.#finish();
      return body();
    });
  }

  /** Runs `body` while nobody else changes anything; `null` if there is no folder. */
  async beside<R>(body: () => R, signal?: AbortSignal): Promise<R | null> {
    return this.#ifThere('shared', signal, body);
  }

  async #ifThere<R>(
    mode: LockMode,
    signal: AbortSignal | undefined,
    body: () => R,
  ): Promise<R | null> {
    let lock: FileLock;
    try {
      lock = await this.#enter(mode, false, signal);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
    try {
      return body();
    } catch (error) {
      if (isMissing(error) && !lock.isCurrent()) return null;
      throw error;
    } finally {
      lock.releaseSync();
    }
  }

  async #enter(
    mode: LockMode,
    create: boolean,
    signal: AbortSignal | undefined,
  ): Promise<FileLock> {
    const timeout = SECTION_MILLISECONDS;
    const options = { mode, record: false, timeout, signal } as const;
    if (SECTION !== null) {
      if (!create && !existsSync(this.path)) throw systemError(MISSING, 'open', this.path);
      return FileLock.acquire(join(this.path, SECTION), { ...options, permissions: 0o666 });
    }
    for (let tries = 0; tries <= TRIES; tries++) {
      const request = checkRequest(this.path, options, timeout);
      // Not to be made as a file.
      request.permissions = -1;
      try {
        const lock = lockOf(request, await acquire(request));
        const { native, id } = internalsOf(lock);
        if ((native.traits(id) & IS_DIRECTORY) !== 0) return lock;
        lock.releaseSync();
        throw systemError(errnoOf('ENOTDIR'), 'open', this.path);
      } catch (error) {
        if (!isMissing(error) || !create) throw error;
        this.#make();
      }
    }
    throw this.#vanishing();
  }

  #make(): void {
    try {
      makeFolders(this.path);
    } catch (error) {
      // Made by somebody else, and removed again.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  #vanishing(): LockLostError {
    const message = `${this.path} is removed again and again while it is used`;
    return new LockLostError(this.path, message);
  }

  /** All claims, by the agents' names. */
  read(): Found[] {
    return [...this.each()];
  }

  /** The same one by one, for those who need not keep them all. */
  *each(): Generator<Found, void, undefined> {
    const locations = new Map<string, string>();
    const names = readdirSync(this.path);
    for (const name of names) {
      // As a shell's `*.lock`: what begins with a dot is some program's own.
      if (name.endsWith(CLAIM_SUFFIX) && !name.startsWith('.')) locations.set(name, name);
    }
    if (names.includes(JOURNAL)) {
      for (const { from, to } of this.#readJournal() ?? []) {
        if (names.includes(from)) locations.set(to, from);
      }
    }
    const now = Date.now();
    // By the names of the agents: with what follows them, 'a-b' would come before 'a'.
    const agents = [...locations.keys()].map((name) => name.slice(0, -CLAIM_SUFFIX.length)).sort();
    for (const agent of agents) {
      const name = `${agent}${CLAIM_SUFFIX}`;
      const found = this.#look(name, locations.get(name) as string, now);
      if (found !== null) yield found;
    }
  }

  fileOf(agent: string): string {
    return join(this.path, `${agent}${CLAIM_SUFFIX}`);
  }

  /** One agent's claim, or `null`. */
  find(agent: string): Found | null {
    const name = `${agent}${CLAIM_SUFFIX}`;
    return this.#look(name, name, Date.now());
  }

  #look(name: string, location: string, now: number): Found | null {
    const agent = name.slice(0, -CLAIM_SUFFIX.length);
    // Not by join(), which would take as long as the reading.
    const path = `${this.path}${sep}${location}`;
    const file = location === name ? path : `${this.path}${sep}${name}`;
    const found = { agent, file, location: path };
    let claim: ClaimFile | string;
    try {
      claim = parseClaim(readBounded(path, CLAIM_LIMIT + 1), agent, this.root);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Removed by hand since the folder was read.
      const unreadable = name.includes('\ufffd');
      if (code === 'ENOENT' && !unreadable) return null;
      claim = unreadable
        ? 'its name is not UTF-8'
        : code === 'ELOOP'
          ? 'it is a symbolic link'
          : `it cannot be read (${code})`;
    }
    if (typeof claim === 'string') {
      return { ...found, state: 'invalid', reason: claim, claim: null };
    }
    return { ...found, ...this.#stateOf(claim, path, now), claim };
  }

  #stateOf(claim: ClaimFile, path: string, now: number): Pick<Found, 'state' | 'reason'> {
    if (claim.bound !== null) {
      if (this.#isLocked(path)) return { state: 'active', reason: null };
      const reason = `bound to pid ${claim.bound.pid}, and no process has it any more`;
      return { state: 'orphaned', reason };
    }
    const expired = now >= claim.expiresAt.getTime() + GRACE_MILLISECONDS;
    return expired
      ? { state: 'expired', reason: `expired at ${claim.expiresAt.toISOString()}` }
      : { state: 'active', reason: null };
  }

  /** Shared, so that several who look do not take each other for the owner. */
  #isLocked(path: string): boolean {
    const { native } = checkRequest(path, { record: false }, 0);
    const id = native.open(path, -1);
    // What cannot be looked at may well be alive.
    if (id < 0) return -id !== MISSING;
    const errno = native.tryLock(id, SHARED);
    native.release(id);
    return errno !== 0;
  }

  /**
   * Puts claims in the place of what the agents had before: all, or none.
   * The locks of those that are bound, in the order of the drafts.
   */
  write(drafts: readonly Draft[]): (FileLock | null)[] {
    const locks: (FileLock | null)[] = [];
    const journal = join(this.path, JOURNAL);
    // Ours has been finished, so what is there is another program's.
    if (drafts.length > 1 && lstatSync(journal, { throwIfNoEntry: false }) !== undefined) {
      const reason = 'it has the name of the journal of several claims, and other content';
      throw new ClaimInvalidError(this.path, [{ file: journal, reason }]);
    }
    const moves = drafts.map(({ agent }) => ({
      from: temporaryName(),
      to: `${agent}${CLAIM_SUFFIX}`,
    }));
    try {
      drafts.forEach(({ text, bind }, index) => {
        const path = join(this.path, (moves[index] as Move).from);
        // Locked before anybody can see it.
        const lock = bind ? FileLock.tryAcquire(path, { record: false, permissions: 0o666 }) : null;
        locks.push(lock);
        // Of a bound one into the very file that is locked: no new one is made.
        const flag = bind ? constants.O_RDWR | constants.O_NOFOLLOW : 'wx';
        writeFileSync(path, text, { flag } as WriteFileOptions);
      });
      if (moves.length === 1) this.#move(moves[0] as Move);
      else this.#replace(journal, JSON.stringify(moves));
    } catch (error) {
      for (const lock of locks) lock?.releaseSync();
      for (const { from } of moves) this.remove(join(this.path, from));
      throw error;
    }
    // From here on they are claimed.
    if (moves.length > 1) this.#finish();
    return locks;
  }

  #move({ from, to }: Move): void {
    renameSync(join(this.path, from), join(this.path, to));
  }

  /** What a killed process left: its journal is carried out, the rest removed. */
  #finish(): void {
    const names = readdirSync(this.path);
    const moves = names.includes(JOURNAL) ? this.#readJournal() : null;
    if (moves !== null) {
      for (const move of moves) {
        try {
          this.#move(move);
        } catch (error) {
          const isDone = !existsSync(join(this.path, move.from));
          if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || !isDone) throw error;
        }
      }
      this.remove(join(this.path, JOURNAL));
    }
    for (const name of names) if (TEMPORARY.test(name)) this.remove(join(this.path, name));
  }

  /**
   * None where it cannot be understood, as after a power failure: what it
   * listed did not come to count. `null`: another program's file.
   */
  #readJournal(): Move[] | null {
    let text: string;
    try {
      const fd = openSync(join(this.path, JOURNAL), READ_ONLY);
      try {
        if (!fstatSync(fd).isFile()) return null;
        text = readBounded(fd, JOURNAL_LIMIT).toString();
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ELOOP') return null;
      if (isMissing(error)) return [];
      throw error;
    }
    if (!JOURNAL_CONTENT.test(text)) return null;
    try {
      const moves = JSON.parse(text) as unknown;
      return Array.isArray(moves) && moves.every(isMove) ? moves : [];
    } catch {
      return [];
    }
  }

  /** Puts a file in place by one rename. */
  #replace(file: string, text: string): void {
    const temporary = join(this.path, temporaryName());
    try {
      writeFileSync(temporary, text, { flag: 'wx' });
      renameSync(temporary, file);
    } catch (error) {
      this.remove(temporary);
      throw error;
    }
  }

  /**
   * Puts off an expiry. False: the claim is not there any more.
   *
   * Its file is not replaced but changed, by one write of 20 bytes: whoever
   * reads meanwhile sees the old time or the new one. So the descriptor of a
   * bound claim stays the locked one, and a file that a hand removes between
   * the look and the write stays removed.
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
        // A hand has written the time in another way.
        const text = formatFields({ ...found.fields, expires_at: time });
        writeSync(fd, text, 0);
        ftruncateSync(fd, Buffer.byteLength(text));
      }
      return fstatSync(fd).nlink > 0;
    } finally {
      closeSync(fd);
    }
  }

  /** A file of ours: see above. False: it is not there any more. */
  remove(path: string): boolean {
    try {
      unlinkSync(path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  }
}

/** Whether `location` leads to the very file that is locked. */
export function isFileOf(lock: FileLock, location: string): boolean {
  const { native, id } = internalsOf(lock);
  const other = native.open(location, -1);
  if (other === -MISSING) return false;
  if (other < 0) throw systemError(-other, 'open', location);
  const same = native.sameFile(id, other);
  native.release(other);
  return same;
}

/** EISDIR: it was a folder when it was to be opened for writing, and then it was gone. */
function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'EISDIR';
}

/** A file that is to be renamed, by names in the folder. */
interface Move {
  from: string;
  to: string;
}

/** Between two names in the folder, and to that of a claim. */
function isMove(value: unknown): value is Move {
  const { from, to } = Object(value) as Partial<Move>;
  if (typeof from !== 'string' || typeof to !== 'string') return false;
  return TEMPORARY.test(from) && to.endsWith(CLAIM_SUFFIX) && !/[/]|^\./.test(to);
}

function temporaryName(): string {
  return `${OURS}${randomBytes(8).toString('hex')}.tmp`;
}
