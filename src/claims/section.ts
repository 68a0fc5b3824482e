import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, LockLostError, systemError } from '../base/errors.js';
import type { LockMode } from '../base/locker.js';
import { makeFolders } from '../base/make-folders.js';
import { acquire } from '../lock/acquire.js';
import { FileLock, internalsOf, lockOf } from '../lock/file-lock.js';
import { checkRequest } from '../lock/options.js';
import { IS_DIRECTORY } from '../native/binding.js';
import { isMissing } from './missing.js';

const MISSING = errnoOf('ENOENT');
// Nobody stays inside for longer, unless it was stopped there.
const TIMEOUT_MILLISECONDS = 10_000;
const TRIES = 10;
// Windows cannot lock a folder. There a file in it is locked, which goes when
// the folder goes.
const STAND_IN = process.platform === 'win32' ? '.holdfast-section' : null;

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
      const lock = await this.#createAndEnter(signal).catch((error) => {
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
        lock.releaseSync();
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
    let lock: FileLock;
    try {
      lock = await this.#enter(mode, undefined);
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

  async #createAndEnter(signal: AbortSignal | undefined): Promise<FileLock> {
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

  /** ENOENT if there is no folder. */
  async #enter(mode: LockMode, signal: AbortSignal | undefined): Promise<FileLock> {
    const timeout = TIMEOUT_MILLISECONDS;
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
