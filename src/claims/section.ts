import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { clearTimeout, setTimeout } from 'node:timers';
import { errnoOf } from '../base/errno.js';
import { isLockError, LockLostError, systemError } from '../base/errors.js';
import type { LockMode } from '../base/locker.js';
import { makeFolders } from '../base/make-folders.js';
import { monotonicTime } from '../base/timers.js';
import type { LockFile } from '../holders/lock-file.js';
import { acquire } from '../lock/acquire.js';
import type { Hold } from '../lock/hold.js';
import { checkRequest, type Request } from '../lock/options.js';
import { takeOnce } from '../lock/take-once.js';
import { ClaimsBusyError } from './errors.js';
import { isMissing } from './missing.js';
import { type Glance, glanceAt, hasMovedOn } from './standstill.js';
import { type Turn, Turns } from './turns.js';

// Nobody stays inside for longer, unless it was stopped there. Many may be in
// front, though: it counts anew as long as they move on.
const TIMEOUT_MILLISECONDS = 10_000;
// Until the first look at who is in front.
const LOOK_MILLISECONDS = 1000;
const TRIES = 10;
// Windows cannot lock a folder. There a file in it is locked, which goes when
// the folder goes.
const STAND_IN = process.platform === 'win32' ? '.holdfast-section' : null;

interface Entered {
  /** Whether its lock is still that of the folder at the path. */
  isCurrent: () => boolean;
  leave: () => void;
}

export interface SectionOptions<R> {
  signal?: AbortSignal | undefined;
  /** Takes back what `body` did, before it runs again. */
  undo?: (result: R) => void;
}

/**
 * A critical section of all processes that use a folder: an flock of the folder
 * itself. `body` is synchronous, so the section is held only for a moment.
 */
export class Section {
  readonly path: string;
  readonly #repair: () => void;

  /** `repair` runs first in each exclusive section: it ends what a killed process began. */
  constructor(path: string, repair: () => void = () => {}) {
    this.path = path;
    this.#repair = repair;
  }

  /**
   * Runs `body` while no other process is inside. A missing folder is created.
   *
   * The folder may be removed or replaced meanwhile. What `body` did may then
   * be in either folder: `undo` takes it back in the folder that exists now,
   * and `body` runs again. The same happens if a file of its own is missing,
   * because removing a folder begins with what is in it.
   */
  async exclusively<R>(
    body: () => R,
    { signal, undo = () => {} }: SectionOptions<R> = {},
  ): Promise<R> {
    let done: { result: R } | null = null;
    let missing: unknown = null;
    for (let tries = 0; tries <= TRIES; tries++) {
      const { isCurrent, leave } = await this.#createAndEnter(signal).catch((error) => {
        if (done !== null) undo(done.result);
        throw error;
      });
      try {
        this.#repair();
        if (done !== null) undo(done.result);
        done = null;
        done = { result: body() };
        if (isCurrent()) return done.result;
      } catch (error) {
        const current = isCurrent();
        if (current && !isMissing(error)) throw error;
        missing = current ? error : null;
      } finally {
        leave();
      }
    }
    if (done !== null) undo(done.result);
    throw missing ?? this.#vanishing();
  }

  /** The same, but `null` if there is no folder. */
  exclusivelyIfThere<R>(body: () => R): Promise<R | null> {
    return this.#ifThere('exclusive', () => {
      this.#repair();
      return body();
    });
  }

  /** Runs `body` while no other process changes anything; `null` if there is no folder. */
  shared<R>(body: () => R): Promise<R | null> {
    return this.#ifThere('shared', body);
  }

  async #ifThere<R>(mode: LockMode, body: () => R): Promise<R | null> {
    let entered: Entered;
    try {
      entered = await this.#enter(mode, undefined);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
    try {
      return body();
    } catch (error) {
      if (isMissing(error) && !entered.isCurrent()) return null;
      throw error;
    } finally {
      entered.leave();
    }
  }

  async #createAndEnter(signal: AbortSignal | undefined): Promise<Entered> {
    for (let tries = 0; tries <= TRIES; tries++) {
      try {
        return await this.#enter('exclusive', signal);
      } catch (error) {
        if (!isMissing(error)) throw error;
        this.#create();
      }
    }
    throw this.#vanishing();
  }

  /** Call it in the caller's turn. ENOENT if there is no folder. */
  async #enter(mode: LockMode, signal: AbortSignal | undefined): Promise<Entered> {
    const turns = Turns.of(this.path);
    const turn = await turns.take(signal);
    try {
      const folder = await this.#lock(mode, signal, turn);
      turns.entered();
      const leave = (): void => {
        try {
          folder.release();
        } finally {
          turns.end();
        }
      };
      return { isCurrent: () => folder.size() >= 0, leave };
    } catch (error) {
      // Not by its class: that would load the class for each missing folder.
      if (isLockError(error, 'ERR_LOCK_TIMEOUT')) {
        const busy = error as ClaimsBusyError;
        turns.refuse(TIMEOUT_MILLISECONDS, (inFront) => busy.behind(inFront));
      }
      turns.end();
      throw (error as NodeJS.ErrnoException).code === 'EISDIR' ? this.#unreadable(error) : error;
    }
  }

  /**
   * A folder that may not be read was then opened for writing, which fails for
   * any folder: report that reading it was refused.
   */
  #unreadable(error: unknown): unknown {
    try {
      accessSync(this.path, constants.R_OK);
      return error;
    } catch (refusal) {
      return refusal;
    }
  }

  /** Waits for as long as those in front move on. */
  async #lock(mode: LockMode, signal: AbortSignal | undefined, turn: Turn): Promise<LockFile> {
    const began = monotonicTime();
    // Mostly nobody is inside, and the first timer of a process takes Node a millisecond.
    const free = await this.#lockIfFree(mode, signal);
    if (free !== null) return free;
    let { since } = turn;
    let before: Glance | null = null;
    for (;;) {
      const timer = setTimeout(() => {
        before ??= glanceAt(this.path);
      }, LOOK_MILLISECONDS);
      const left = since + TIMEOUT_MILLISECONDS - monotonicTime();
      try {
        const request = this.#request(mode, Math.max(1, Math.ceil(left)), signal);
        return checked(await acquire(request));
      } catch (error) {
        if (!isLockError(error, 'ERR_LOCK_TIMEOUT')) throw error;
        const now = monotonicTime();
        const after = glanceAt(this.path);
        if (before === null || !hasMovedOn(before, after, error.holder)) {
          const waited = now - Math.min(began, turn.since);
          throw new ClaimsBusyError(this.path, error.holder, waited, after.waiting);
        }
        before = after;
        since = now;
      } finally {
        clearTimeout(timer);
      }
    }
  }

  async #lockIfFree(mode: LockMode, signal: AbortSignal | undefined): Promise<LockFile | null> {
    const taken = takeOnce(this.#request(mode, 0, signal));
    const hold = taken instanceof Promise ? await taken : taken;
    return hold === null ? null : checked(hold);
  }

  #request(mode: LockMode, timeout: number, signal: AbortSignal | undefined): Request {
    const options = { mode, record: false, timeout, signal } as const;
    if (STAND_IN === null) {
      // Not as a file: `#create` makes a folder.
      return checkRequest(this.path, options, timeout, { create: false });
    }
    if (!existsSync(this.path)) throw systemError(errnoOf('ENOENT'), 'open', this.path);
    return checkRequest(join(this.path, STAND_IN), { ...options, permissions: 0o666 }, timeout);
  }

  #create(): void {
    try {
      makeFolders(this.path);
    } catch (error) {
      // Somebody else created it, and it was removed again.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  #vanishing(): LockLostError {
    const message = `${this.path} keeps being removed while it is in use`;
    return new LockLostError(this.path, message);
  }
}

/** The lock of the folder, and not of a file in its place. */
function checked({ file }: Hold): LockFile {
  if (STAND_IN !== null || file.isDirectory) return file;
  file.close();
  throw systemError(errnoOf('ENOTDIR'), 'open', file.path);
}
