import { isLockError, LockHeldError, LockStateError } from '../base/errors.js';
import { describeHolder, printable } from '../base/holder.js';
import { makeFolders } from '../base/make-folders.js';
import { readContent } from '../holders/who-holds.js';
import { acquire } from '../lock/acquire.js';
import { type FileLock, lockOf } from '../lock/file-lock.js';
import { checkRequest } from '../lock/options.js';
import { fileOf, isMembers, livingContent } from './member-files.js';

// A sweep has the file of a dead member for a moment.
const TRY_MILLISECONDS = 100;
const TRIES = 10;

/** The file of one member, locked as long as it lives. */
export class OwnFile {
  readonly #directory: string;
  readonly #id: string;
  readonly #path: string;
  readonly #data: object | undefined;
  #lock: FileLock | null = null;
  #since = 0;

  constructor(directory: string, id: string, data: object | undefined) {
    this.#directory = directory;
    this.#id = id;
    this.#path = fileOf(directory, id);
    this.#data = data;
  }

  /** When it was last locked, in milliseconds since 1970. */
  get since(): number {
    return this.#since;
  }

  isCurrent(): boolean {
    return this.#lock?.isCurrent() === true;
  }

  /** Rejects where somebody lives by the id, or the file is another program's. */
  async lock(signal: AbortSignal | undefined): Promise<void> {
    this.remove();
    makeFolders(this.#directory);
    for (let tries = 0; ; tries++) {
      // Under the lock a bare pid would count as a record of ours.
      const found = readContent(this.#path);
      if (found?.ours === true && !isMembers(found)) throw this.#foreign();
      try {
        await this.#acquire(signal);
        return;
      } catch (error) {
        if (isLockError(error, 'ERR_LOCK_STATE')) throw this.#foreign(error);
        if (!isLockError(error, 'ERR_LOCK_TIMEOUT')) throw error;
        if (readContent(this.#path)?.ours === false) throw this.#foreign(error);
        if (tries < TRIES && livingContent(this.#path) === null) continue;
        const message = `there is a living member ${printable(this.#id)}: ${describeHolder(error.holder)}`;
        throw new LockHeldError(this.#path, error.holder, message);
      }
    }
  }

  async #acquire(signal: AbortSignal | undefined): Promise<void> {
    const options = {
      timeout: TRY_MILLISECONDS,
      keepFile: false,
      record: 'json',
      // For all who may make files in the folder: they sweep for each other.
      permissions: 0o666,
      data: this.#data,
      signal,
    } as const;
    const request = checkRequest(this.#path, options, TRY_MILLISECONDS);
    request.member = true;
    this.#lock = lockOf(request, await acquire(request));
    this.#since = Date.now();
  }

  #foreign(cause?: unknown): LockStateError {
    const message = `${printable(this.#id)} cannot be the id of a member: ${this.#path} is a file of another program, which is left alone; use another id, or another folder`;
    return new LockStateError(this.#path, message, cause);
  }

  /** With its lock. Where there is none, nothing happens. */
  remove(): void {
    const lock = this.#lock;
    this.#lock = null;
    lock?.releaseSync();
  }
}
