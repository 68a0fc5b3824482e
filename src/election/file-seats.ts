import { LockLostError } from '../base/errors.js';
import type { FileLock } from '../lock/file-lock.js';
import type { LeaveRequest } from './options.js';
import { acquireSeat, checkSeat, tryAcquireSeat } from './seat.js';
import type { Seat, Seats } from './seats.js';
import { settleBefore } from './settle.js';
import { canPass } from './troubles.js';

export interface FileSeatsOptions {
  directory: string;
  id: string;
  settle: number;
  /** When the member joined, in milliseconds since 1970. */
  since: () => number;
}

/** The seat is the lock of `.primary`. */
export class FileSeats implements Seats {
  readonly #options: FileSeatsOptions;

  constructor(options: FileSeatsOptions) {
    this.#options = options;
  }

  check(): void {
    checkSeat(this.#options.directory);
  }

  async acquire(leaving: AbortSignal): Promise<Seat> {
    const { directory, id, settle, since } = this.#options;
    await settleBefore({ directory, id, since: since(), settle, signal: leaving });
    return new FileSeat(await acquireSeat(directory, id, leaving));
  }

  /**
   * Takes the new seat, if it is free, before the old one is released. Otherwise
   * a standby that the release wakes would be primary beside the work, whose
   * signal has only just been aborted.
   */
  takeNext(): Seat | null {
    const { directory, id } = this.#options;
    try {
      const next = tryAcquireSeat(directory, id);
      return next === null ? null : new FileSeat(next);
    } catch {
      // `acquire` gets the same error, and the caller decides whether it can pass.
      return null;
    }
  }

  canPass(error: unknown): boolean {
    return canPass(error);
  }
}

class FileSeat implements Seat {
  readonly canBeKept = true;
  readonly #lock: FileLock<object>;

  constructor(lock: FileLock<object>) {
    this.#lock = lock;
  }

  get term(): number {
    return this.#lock.token;
  }

  get fd(): number {
    return this.#lock.fd;
  }

  isCurrent(): boolean {
    return true;
  }

  /** `.primary` was removed or replaced. */
  loss(): LockLostError | null {
    if (this.#lock.isCurrent()) return null;
    const { path } = this.#lock;
    const message = `${path} was removed or replaced: another member may be primary`;
    return new LockLostError(path, message);
  }

  /** The election checks this itself. */
  onLoss(): () => void {
    return () => {};
  }

  async release({ keepSeat }: LeaveRequest): Promise<void> {
    if (keepSeat) this.#lock.detach();
    else this.#lock.releaseSync();
  }
}
