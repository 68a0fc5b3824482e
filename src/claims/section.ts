import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { clearTimeout, setTimeout } from 'node:timers';
import { errnoOf, isLockError, LockLostError, systemError } from '../base/errors.js';
import type { LockMode } from '../base/locker.js';
import { makeFolders } from '../base/make-folders.js';
import { monotonicTime } from '../base/timers.js';
import { acquire } from '../lock/acquire.js';
import { FileLock, internalsOf, lockOf } from '../lock/file-lock.js';
import { checkRequest } from '../lock/options.js';
import { IS_DIRECTORY } from '../native/binding.js';
import { ClaimsBusyError } from './errors.js';
import { isMissing } from './missing.js';
import { type Glance, glanceAt, hasMovedOn } from './standstill.js';
import { type Turn, Turns } from './turns.js';

const MISSING = errnoOf('ENOENT');
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
  lock: FileLock;
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
      const { lock, leave } = await this.#createAndEnter(signal).catch((error) => {
        if (done !== null) undo(done.result);
        throw error;
      });
      try {
        this.#repair();
        if (done !== null) undo(done.result);
        done = null;
        done = { result: body() };
        if (lock.isCurrent()) return done.result;
      } catch (error) {
        const current = lock.isCurrent();
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
      if (isMissing(error) && !entered.lock.isCurrent()) return null;
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

  /** In the caller's turn. ENOENT if there is no folder. */
  async #enter(mode: LockMode, signal: AbortSignal | undefined): Promise<Entered> {
    const turns = Turns.of(this.path);
    const turn = await turns.take(signal);
    try {
      const lock = await this.#lock(mode, signal, turn);
      turns.entered();
      const leave = (): void => {
        try {
          lock.releaseSync();
        } finally {
          turns.end();
        }
      };
      return { lock, leave };
    } catch (error) {
      if (error instanceof ClaimsBusyError) {
        turns.refuse(TIMEOUT_MILLISECONDS, (inFront) => error.behind(inFront));
      }
      turns.end();
      throw error;
    }
  }

  /** Waits for as long as those in front move on. */
  async #lock(mode: LockMode, signal: AbortSignal | undefined, turn: Turn): Promise<FileLock> {
    const began = monotonicTime();
    let { since } = turn;
    let before: Glance | null = null;
    for (;;) {
      const timer = setTimeout(() => {
        before ??= glanceAt(this.path);
      }, LOOK_MILLISECONDS);
      const left = since + TIMEOUT_MILLISECONDS - monotonicTime();
      try {
        return await this.#lockWithin(Math.max(1, Math.ceil(left)), mode, signal);
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

  /** In so many milliseconds. */
  async #lockWithin(
    timeout: number,
    mode: LockMode,
    signal: AbortSignal | undefined,
  ): Promise<FileLock> {
    const options = { mode, record: false, timeout, signal } as const;
    if (STAND_IN !== null) {
      if (!existsSync(this.path)) throw systemError(MISSING, 'open', this.path);
      return FileLock.acquire(join(this.path, STAND_IN), { ...options, permissions: 0o666 });
    }
    // Not as a file: `#create` makes a folder.
    const request = checkRequest(this.path, options, timeout, { create: false });
    const lock = lockOf(request, await acquire(request));
    const { native, id } = internalsOf(lock);
    if ((native.traits(id) & IS_DIRECTORY) !== 0) return lock;
    lock.releaseSync();
    throw systemError(errnoOf('ENOTDIR'), 'open', this.path);
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
    const message = `${this.path} is removed again and again while it is used`;
    return new LockLostError(this.path, message);
  }
}
