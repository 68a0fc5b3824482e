import { LockLostError } from '../base/errors.js';
import { sleep } from '../base/timers.js';
import type { FileLock } from '../lock/file-lock.js';
import type { LeaveRequest } from './options.js';
import { acquireSeat, tryAcquireSeat } from './seat.js';
import { settleBefore } from './settle.js';
import { canPass, RETRY_MILLISECONDS, type Troubles } from './troubles.js';

export interface CandidacyOptions {
  directory: string;
  id: string;
  settle: number;
  /** When the member joined, in milliseconds since 1970. */
  since: () => number;
  /** Aborted when the member leaves. */
  leaving: AbortSignal;
  troubles: Troubles;
  onPrimary: (seat: FileLock<object>) => void;
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
  #seat: FileLock<object> | null = null;

  constructor(options: CandidacyOptions) {
    this.#options = options;
  }

  /** -1 without a seat. */
  get fd(): number {
    return this.#seat?.fd ?? -1;
  }

  /** Starts to stand in the queue, until this member is primary or leaves. */
  start(): void {
    void this.#campaign();
  }

  async #campaign(): Promise<void> {
    const { directory, id, settle, leaving, troubles, giveUp } = this.#options;
    for (;;) {
      let seat: FileLock<object>;
      try {
        const since = this.#options.since();
        await settleBefore({ directory, id, since, settle, signal: leaving });
        seat = await acquireSeat(directory, id, leaving);
      } catch (error) {
        if (leaving.aborted) return;
        if (!canPass(error)) return giveUp(error as Error);
        troubles.report('seat', error as Error);
        await sleep(RETRY_MILLISECONDS, leaving).catch(() => {});
        if (leaving.aborted) return;
        continue;
      }
      troubles.over('seat');
      if (!leaving.aborted) return this.#begin(seat);
      seat.releaseSync();
      return;
    }
  }

  #begin(seat: FileLock<object>): void {
    this.#seat = seat;
    this.#options.onPrimary(seat);
  }

  /** Queues again if `.primary` was removed or replaced. */
  requeueIfReplaced(): void {
    if (this.#seat?.isCurrent() === false) this.#lose(this.#seat);
  }

  #lose(seat: FileLock<object>): void {
    const { onLost, worksEnded, fail } = this.#options;
    const message = `${seat.path} was removed or replaced: another member may be primary`;
    const error = new LockLostError(seat.path, message);
    const ended = worksEnded();
    this.#seat = null;
    try {
      onLost(error);
    } finally {
      void this.#queueAgain(seat, ended);
      fail(error);
    }
  }

  /**
   * Takes the new seat, if it is free, before the old one is released. Otherwise
   * a standby that the release wakes would be primary beside the work, whose
   * signal has only just been aborted.
   */
  async #queueAgain(old: FileLock<object>, worksEnded: Promise<unknown>): Promise<void> {
    const { directory, id, leaving, fail } = this.#options;
    let next: FileLock<object> | null = null;
    try {
      next = tryAcquireSeat(directory, id);
      this.#seat = next;
    } catch {
      // `#campaign` gets the same error, and decides whether it can pass.
    }
    try {
      old.releaseSync();
    } catch (error) {
      fail(error as Error);
    }
    await worksEnded;
    if (leaving.aborted || this.#seat !== next) return;
    if (next === null) void this.#campaign();
    else this.#begin(next);
  }

  /** Without a seat, nothing happens. */
  release({ keepSeat }: LeaveRequest): void {
    const seat = this.#seat;
    this.#seat = null;
    if (keepSeat) seat?.detach();
    else seat?.releaseSync();
  }
}
