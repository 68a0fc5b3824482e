import { isLockError, type LockLostError, LockStateError } from '../base/errors.js';
import { sleep } from '../base/timers.js';
import type { LeaveRequest } from './options.js';
import type { Seat, Seats } from './seats.js';
import { RETRY_MILLISECONDS, type Troubles } from './troubles.js';

export interface CandidacyOptions {
  seats: Seats;
  /** Aborted when the member leaves. */
  leaving: AbortSignal;
  troubles: Troubles;
  onPrimary: (term: number) => void;
  onLost: (error: LockLostError) => void;
  /** Resolves when the `lead` callbacks that run now have ended. */
  worksEnded: () => Promise<unknown>;
  /** Called for an error after which trying again would not help. */
  giveUp: (error: Error) => void;
  fail: (error: Error) => void;
}

/** One member's way to the seat, and back to it after a loss. */
export class Candidacy {
  readonly #options: CandidacyOptions;
  #seat: Seat | null = null;
  #unlisten = (): void => {};

  constructor(options: CandidacyOptions) {
    this.#options = options;
  }

  /** -1 if it has no seat. */
  get fd(): number {
    return this.#seat?.fd ?? -1;
  }

  /** False if the seat is known to be lost, even before that is reported. */
  get isCurrent(): boolean {
    return this.#seat?.isCurrent() !== false;
  }

  /** Throws if the seat cannot be left to a child. */
  checkRelease({ keepSeat }: LeaveRequest, place: string): void {
    if (!keepSeat || this.#seat?.canBeKept !== false) return;
    const message = `the seat of ${place} cannot stay with a child: its lock has no detach(); leave without keepSeat`;
    throw new LockStateError(place, message);
  }

  /** Joins the queue, until this member is primary or leaves. */
  start(): void {
    void this.#campaign();
  }

  async #campaign(): Promise<void> {
    const { seats, leaving, troubles, giveUp } = this.#options;
    for (;;) {
      let seat: Seat;
      try {
        seat = await seats.acquire(leaving);
      } catch (error) {
        if (leaving.aborted) return;
        if (!seats.canPass(error)) return giveUp(error as Error);
        troubles.report('seat', error as Error);
        await sleep(RETRY_MILLISECONDS, leaving).catch(() => {});
        if (leaving.aborted) return;
        continue;
      }
      troubles.over('seat');
      if (!leaving.aborted) return this.#begin(seat);
      await this.#giveBack(seat);
      return;
    }
  }

  #begin(seat: Seat): void {
    const { troubles, onPrimary } = this.#options;
    this.#seat = seat;
    this.#unlisten = seat.onLoss(() => {
      try {
        this.requeueIfLost();
      } catch (error) {
        // An error of a listener. The election's own check reports it in the same
        // way.
        troubles.report('check', error as Error);
      }
    });
    onPrimary(seat.term);
  }

  /** Queues again if the seat is no longer this member's. */
  requeueIfLost(): void {
    const seat = this.#seat;
    const loss = seat?.loss() ?? null;
    if (seat !== null && loss !== null) this.#lose(seat, loss);
  }

  #lose(seat: Seat, loss: LockLostError): void {
    const { onLost, worksEnded, fail } = this.#options;
    const ended = worksEnded();
    this.#seat = null;
    this.#unlisten();
    try {
      onLost(loss);
    } finally {
      void this.#queueAgain(seat, ended);
      fail(loss);
    }
  }

  async #queueAgain(old: Seat, worksEnded: Promise<unknown>): Promise<void> {
    const { seats, leaving } = this.#options;
    const next = seats.takeNext();
    this.#seat = next;
    void this.#giveBack(old);
    await worksEnded;
    if (leaving.aborted || this.#seat !== next) return;
    if (next === null) void this.#campaign();
    else this.#begin(next);
  }

  /** The loss of the seat was reported, or concerns nobody. */
  async #giveBack(seat: Seat): Promise<void> {
    try {
      await seat.release({ keepSeat: false });
    } catch (error) {
      if (!isLockError(error, 'ERR_LOCK_LOST')) this.#options.fail(error as Error);
    }
  }

  /** Without a seat, does nothing. */
  async release(options: LeaveRequest): Promise<void> {
    const seat = this.#seat;
    this.#seat = null;
    this.#unlisten();
    await seat?.release(options);
  }
}
