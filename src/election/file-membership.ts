import { isLockError, LockHeldError, LockStateError } from '../base/errors.js';
import { describeHolder, printable } from '../base/holder.js';
import { makeFolders } from '../base/make-folders.js';
import { sleep } from '../base/timers.js';
import { readContent } from '../holders/lock-file.js';
import { acquire } from '../lock/acquire.js';
import { type FileLock, lockOf } from '../lock/file-lock.js';
import { checkRequest } from '../lock/options.js';
import {
  fileOf,
  isMembers,
  type Member,
  readIfAlive,
  readMembers,
  sweepMembers,
} from './member-files.js';
import type { Membership } from './membership.js';
import { canPass, RETRY_MILLISECONDS, type Troubles } from './troubles.js';

// Another member's sweep holds the file of a dead member for a moment.
const TRY_MILLISECONDS = 100;
const TRIES = 10;

export interface FileMembershipOptions {
  directory: string;
  id: string;
  data: object | undefined;
  /** Aborted when the member leaves. */
  leaving: AbortSignal;
  troubles: Troubles;
  /** Called when the file can no longer be locked, and a retry would not help. */
  giveUp: (error: Error) => void;
}

/** The file of one member, locked as long as the member lives. */
export class FileMembership<T extends object> implements Membership<T> {
  readonly lookMilliseconds = 250;
  readonly #options: FileMembershipOptions;
  readonly #path: string;
  #lock: FileLock | null = null;
  #since = 0;
  #isRenewing = false;

  constructor(options: FileMembershipOptions) {
    this.#options = options;
    this.#path = fileOf(options.directory, options.id);
  }

  get id(): string {
    return this.#options.id;
  }

  /** When the file was last locked, in milliseconds since 1970. */
  get since(): number {
    return this.#since;
  }

  get isRenewing(): boolean {
    return this.#isRenewing;
  }

  /**
   * Rejects if a living member has the id, or if the file belongs to another
   * program.
   */
  async enter(signal: AbortSignal | undefined): Promise<void> {
    this.remove();
    makeFolders(this.#options.directory);
    for (let tries = 0; ; tries++) {
      // Before the lock: under it, a bare pid would count as a record of ours.
      const found = readContent(this.#path);
      if (found?.ours === true && !isMembers(found)) throw this.#foreign();
      try {
        await this.#acquire(signal);
        return;
      } catch (error) {
        if (isLockError(error, 'ERR_LOCK_STATE')) throw this.#foreign(error);
        if (!isLockError(error, 'ERR_LOCK_TIMEOUT')) throw error;
        if (readContent(this.#path)?.ours === false) throw this.#foreign(error);
        if (tries < TRIES && readIfAlive(this.#path) === null) continue;
        const message = `another member ${printable(this.#options.id)} is running: ${describeHolder(error.holder)}`;
        throw new LockHeldError(this.#path, error.holder, message);
      }
    }
  }

  async #acquire(signal: AbortSignal | undefined): Promise<void> {
    const options = {
      timeout: TRY_MILLISECONDS,
      keepFile: false,
      record: 'json',
      // All users who may create files in the folder sweep for each other.
      permissions: 0o666,
      data: this.#options.data,
      signal,
    } as const;
    const request = checkRequest(this.#path, options, TRY_MILLISECONDS, { member: true });
    this.#lock = lockOf(request, await acquire(request));
    this.#since = Date.now();
  }

  #foreign(cause?: unknown): LockStateError {
    const message = `${printable(this.#options.id)} cannot be the id of a member: ${this.#path} is a file of another program, which is left alone; use another id, or another folder`;
    return new LockStateError(this.#path, message, cause);
  }

  /** Enters again if the file was removed or replaced. */
  renewIfReplaced(): void {
    if (this.#lock?.isCurrent() !== true) void this.#renew();
  }

  async #renew(): Promise<void> {
    const { leaving, troubles, giveUp } = this.#options;
    this.#isRenewing = true;
    try {
      await this.enter(leaving);
      troubles.over('membership');
    } catch (error) {
      if (leaving.aborted) return;
      // Another member may have taken the id in the meantime.
      if (!canPass(error)) return giveUp(error as Error);
      troubles.report('membership', error as Error);
      await sleep(RETRY_MILLISECONDS, leaving).catch(() => {});
    } finally {
      this.#isRenewing = false;
    }
    if (leaving.aborted) this.remove();
  }

  async members(): Promise<Member<T>[]> {
    return readMembers<T>(this.#options.directory);
  }

  sweep(): void {
    sweepMembers(this.#options.directory);
  }

  async leave(): Promise<void> {
    this.remove();
  }

  /** Removes the file and unlocks it. Without a lock, does nothing. */
  remove(): void {
    const lock = this.#lock;
    this.#lock = null;
    lock?.releaseSync();
  }
}
