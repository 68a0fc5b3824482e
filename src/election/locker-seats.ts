import { onAbort } from '../base/abort.js';
import { isLockError, LockLostError } from '../base/errors.js';
import type { HeldLock, Locker } from '../base/locker.js';
import type { LeaveRequest } from './options.js';
import type { Seat, Seats } from './seats.js';

/** The seat is the lock of a name. */
export class LockerSeats implements Seats {
  readonly #locker: Locker;
  readonly #name: string;

  constructor(locker: Locker, name: string) {
    this.#locker = locker;
    this.#name = name;
  }

  /** The server says so when it is asked for the lock. */
  check(): void {}

  async acquire(leaving: AbortSignal): Promise<Seat> {
    // Without end, even if the locker has another default.
    const options = { timeout: Number.POSITIVE_INFINITY, signal: leaving };
    const seat = new LockerSeat(await this.#locker.acquire(this.#name, options), this.#name);
    const loss = seat.loss();
    if (loss === null) return seat;
    await seat.release({ keepSeat: false }).catch(() => {});
    throw loss;
  }

  takeNext(): null {
    return null;
  }

  canPass(error: unknown): boolean {
    return canPassOnServer(error);
  }
}

// SQLSTATE classes: the user, the database, the statement or the right to it.
const STAYS = /^(28|3D|42)[0-9A-Z]{3}$/;
// The codes of etcd for the same: a wrong password, and a missing right. Not
// UNAUTHENTICATED, which a server also reports when it has forgotten a token.
const REFUSALS: readonly unknown[] = ['INVALID_ARGUMENT', 'PERMISSION_DENIED'];

/**
 * A server may come back, so errors of the server and of the network can pass. A
 * wrong argument, a server without locks, or one that refuses this user cannot.
 */
export function canPassOnServer(error: unknown): boolean {
  if (isLockError(error)) return isLoss(error) || isRefusal(error);
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  if (REFUSALS.includes(code)) return false;
  if (typeof code === 'string' && (STAYS.test(code) || code.startsWith('ERR_'))) return false;
  // Mistakes in a program, which have no code.
  return !(error instanceof TypeError) && !(error instanceof RangeError);
}

function isLoss(error: unknown): boolean {
  return isLockError(error, 'ERR_LOCK_LOST');
}

/** A locker may try without waiting. */
function isRefusal(error: unknown): boolean {
  return isLockError(error, 'ERR_LOCK_HELD') || isLockError(error, 'ERR_LOCK_TIMEOUT');
}

class LockerSeat implements Seat {
  readonly #lock: HeldLock;
  readonly #name: string;

  constructor(lock: HeldLock, name: string) {
    this.#lock = lock;
    this.#name = name;
  }

  get term(): number {
    return this.#lock.token;
  }

  get fd(): number {
    return this.#lock.fd ?? -1;
  }

  get canBeKept(): boolean {
    return typeof this.#lock.detach === 'function';
  }

  isCurrent(): boolean {
    return this.#lock.isCurrent?.() !== false;
  }

  loss(): LockLostError | null {
    const { signal } = this.#lock;
    if (signal?.aborted !== true && this.isCurrent()) return null;
    const reason: unknown = signal?.reason;
    if (isLockError(reason, 'ERR_LOCK_LOST')) return reason;
    const message = `${this.#name} was lost: another member may be primary`;
    return new LockLostError(this.#name, message, reason);
  }

  onLoss(callback: () => void): () => void {
    return onAbort(this.#lock.signal, callback);
  }

  async release({ keepSeat }: LeaveRequest): Promise<void> {
    if (keepSeat && this.#lock.detach !== undefined) this.#lock.detach();
    else await this.#lock.release();
  }
}
