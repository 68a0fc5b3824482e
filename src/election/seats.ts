import type { LockLostError } from '../base/errors.js';
import type { LeaveRequest } from './options.js';

/** The seat of the primary, as long as this member has it. */
export interface Seat {
  readonly term: number;
  /** The locked descriptor; -1: it has none. */
  readonly fd: number;
  /** Whether `release` can leave it to a child. */
  readonly canBeKept: boolean;
  /** Cheap and local; false if in doubt. */
  isCurrent(): boolean;
  /** Checks whether it is lost; `null`: it is not. */
  loss(): LockLostError | null;
  /**
   * Calls back when it may be lost, if the seat reports that itself; the returned
   * function stops it.
   */
  onLoss(callback: () => void): () => void;
  release(options: LeaveRequest): Promise<void>;
}

/** The source of seats. */
export interface Seats {
  /** Throws if the seat could never be this member's. */
  check(): void;
  /** Waits in the queue. */
  acquire(leaving: AbortSignal): Promise<Seat>;
  /** The next seat after one that was lost and is not yet released; `null`: queue for it. */
  takeNext(): Seat | null;
  /** Whether a call that failed may succeed later, although nobody changes anything. */
  canPass(error: unknown): boolean;
}
