import { statSync } from 'node:fs';
import { clearTimeout, setTimeout } from 'node:timers';
import { LockLostError } from '../base/errors.js';
import { LONGEST_TIMER, monotonicTime } from '../base/timers.js';
import type { FileLock } from '../lock/file-lock.js';
import type { ClaimFile } from './claim-file.js';
import { expiryAfter, MARGIN_MILLISECONDS } from './expiry.js';
import { type ClaimsFolder, isFileOf } from './folder.js';
import { heldByAnother, isForeign } from './foreign.js';
import { endClaim } from './hand-over.js';
import type { Found } from './model.js';
import { isAlive } from './session.js';

/** How this process holds a claim. */
export interface Holding {
  /** As it was written. */
  claim: Omit<ClaimFile, 'fields'>;
  /** Of a claim that this process has bound; otherwise `null`. */
  lock: FileLock | null;
  ttl: number;
  keepAlive: boolean;
}

export interface HeldClaimParts extends Holding {
  folder: ClaimsFolder;
  /** Called once, when it is released or lost. */
  ended: (claim: HeldClaim) => void;
}

// The longest tick of a file system's clock. A second change within one tick
// leaves the time as it is, and if made in place, the size as well.
const TICK_MILLISECONDS = 50;
// Editors may write in place, too: for this long a file may be half written.
const TORN_MILLISECONDS = 500;

/**
 * A claim that this process was granted, until it is released or lost. Users
 * have a `Claim` of it; the other modules of this folder watch and end it.
 */
export class HeldClaim {
  readonly #folder: ClaimsFolder;
  readonly #onEnd: (claim: HeldClaim) => void;
  #holding: Holding;
  readonly #controller = new AbortController();
  readonly #file: string;
  #held = true;
  #expiry: NodeJS.Timeout | undefined;
  #renewal: NodeJS.Timeout | undefined;
  /** What {@link check} saw last. */
  #seen = '';
  #tornSince: number | null = null;

  constructor({ folder, ended, ...holding }: HeldClaimParts) {
    this.#folder = folder;
    this.#onEnd = ended;
    this.#holding = holding;
    this.#file = folder.fileOf(holding.claim.agent);
    this.#watchExpiry();
    this.#scheduleRenewal();
  }

  /** As it was granted, or has been changed since. */
  get granted(): Omit<ClaimFile, 'fields'> {
    return this.#holding.claim;
  }

  get folder(): ClaimsFolder {
    return this.#folder;
  }

  get ttl(): number {
    return this.#holding.ttl;
  }

  get expiresAt(): Date {
    return this.granted.expiresAt;
  }

  get signal(): AbortSignal {
    this.#checkClock();
    return this.#controller.signal;
  }

  get fd(): number {
    return this.#holding.lock?.fd ?? -1;
  }

  get held(): boolean {
    this.#checkClock();
    return this.#held;
  }

  async renew(ttl: number = this.ttl): Promise<void> {
    const expiresAt = expiryAfter(Date.now(), ttl);
    const renewed = await this.#folder.exclusivelyIfThere(() => {
      const found = this.held ? this.#folder.find(this.granted.agent) : null;
      if (found === null || !this.owns(found)) return false;
      return this.#folder.renew(found, expiresAt);
    });
    if (renewed !== true) {
      this.lose('it was removed or overwritten');
      throw this.lost();
    }
    this.#adopt({ ...this.granted, expiresAt });
  }

  async release(): Promise<boolean> {
    const wasHeld = this.held;
    const removed = await this.#folder.exclusivelyIfThere(() => {
      const found = this.#folder.find(this.granted.agent);
      if (found === null || !this.owns(found)) return false;
      const isBoundElsewhere = this.#holding.lock === null && this.granted.bound !== null;
      if (isBoundElsewhere && isForeign(found)) throw heldByAnother(found);
      return endClaim(this.#folder, found);
    });
    this.end();
    return wasHeld && removed === true;
  }

  /** It has been extended or shrunk, and may have been bound. */
  goOn({ claim, lock, ttl, keepAlive }: Holding): void {
    const held = this.#holding;
    this.#holding = {
      ...held,
      ttl,
      lock: lock ?? held.lock,
      keepAlive: keepAlive || held.keepAlive,
    };
    this.#adopt(claim);
    clearTimeout(this.#renewal);
    this.#scheduleRenewal();
  }

  /** Whether this claim wrote the file: by its id alone, whatever is locked. */
  wrote({ claim }: Found): boolean {
    return claim?.id === this.granted.id;
  }

  /** Whether the file is still this claim. A bound one must be the locked file. */
  owns(found: Found): boolean {
    const { lock } = this.#holding;
    if (found.claim === null || !this.wrote(found)) return false;
    if (lock === null) return true;
    if (!lock.held) return false;
    return isFileOf(lock, found.location);
  }

  /** Whether there may be something for {@link check} to find out. */
  hasChanged(): boolean {
    if (!this.held) return false;
    // The end of the processes that hold it leaves no trace in the file.
    if (this.#holding.lock === null && this.granted.bound !== null) return true;
    try {
      return this.#seen === '' || this.#stamp() !== this.#seen;
    } catch {
      return true;
    }
  }

  /**
   * Finds out whether it is lost, or was renewed or changed by another process
   * or a person. Call it under the section's shared lock: without it, a file
   * that is being changed in place may be read half written.
   */
  check(): void {
    if (!this.#held) return;
    let seen = '';
    let found: Found | null;
    let isOwn = false;
    try {
      found = this.#folder.look(this.granted.agent);
      if (found !== null) {
        seen = this.#stamp();
        isOwn = this.owns(found);
      }
    } catch (error) {
      // A claim whose file cannot be read may still exist.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return;
      found = null;
    }
    if (found?.state === 'invalid') {
      this.#tornSince ??= monotonicTime();
      if (monotonicTime() - this.#tornSince < TORN_MILLISECONDS) return;
    }
    this.#tornSince = null;
    if (found === null || found.claim === null || !isOwn) {
      this.lose('it was removed or overwritten');
    } else if (found.state === 'orphaned') {
      this.lose('no process holds it any more');
    } else {
      this.#seen = seen;
      this.#adopt(found.claim);
    }
  }

  /** Changes whenever the file does; not reliable for a file that has just changed. */
  #stamp(): string {
    const { ino, size, mtimeMs } = statSync(this.#file);
    const isNew = Math.abs(Date.now() - mtimeMs) < TICK_MILLISECONDS;
    return isNew ? '' : `${ino} ${size} ${mtimeMs}`;
  }

  #adopt(claim: Omit<ClaimFile, 'fields'>): void {
    const wasBound = this.granted.bound !== null;
    const before = this.expiresAt.getTime();
    this.#holding = { ...this.#holding, claim };
    const isAsBefore = claim.expiresAt.getTime() === before && wasBound === (claim.bound !== null);
    if (!isAsBefore) this.#watchExpiry();
  }

  /** Ends it, and tells the owner by the signal. */
  lose(reason: string): void {
    if (!this.#held) return;
    this.end();
    const message = `the claim of ${this.granted.agent} (${this.#file}) is lost: ${reason}`;
    this.#controller.abort(new LockLostError(this.#file, message));
  }

  /** Stops its timers and lets go of its descriptor. The file is not touched. */
  end(): void {
    if (!this.#held) return;
    this.#held = false;
    clearTimeout(this.#expiry);
    clearTimeout(this.#renewal);
    this.#holding.lock?.releaseSync();
    this.#onEnd(this);
  }

  /** Why it is no longer held. */
  lost(): LockLostError {
    const reason = this.#controller.signal.reason;
    return reason instanceof LockLostError
      ? reason
      : new LockLostError(this.#file, `the claim of ${this.granted.agent} is no longer held`);
  }

  /** False while a process is known to have it. */
  get #endsByClock(): boolean {
    const { bound, session } = this.granted;
    return bound === null && (session === null || isAlive(session) === null);
  }

  #watchExpiry(): void {
    // A bound claim does not expire while it is held.
    clearTimeout(this.#expiry);
    if (!this.#endsByClock || !this.#held) return;
    const check = (): void => {
      if (this.held) this.#watchExpiry();
    };
    const pause = Math.min(Math.max(this.#remaining(), 0), LONGEST_TIMER);
    this.#expiry = setTimeout(check, pause).unref();
  }

  /** How long until this owner counts its claim as gone. */
  #remaining(): number {
    return this.expiresAt.getTime() - MARGIN_MILLISECONDS - Date.now();
  }

  /** A timer is late if the process was stopped, or busy. A session's end has none. */
  #checkClock(): void {
    const { bound, session } = this.granted;
    if (bound !== null) return;
    const alive = session === null ? null : isAlive(session);
    if (alive === false) this.lose(`its session, pid ${session?.pid}, has ended`);
    else if (alive === null && this.#remaining() <= 0) this.lose('it has expired');
  }

  #scheduleRenewal(): void {
    if (!this.#holding.keepAlive || !this.#held) return;
    // With a short ttl a third of it may be too late.
    const half = this.#endsByClock ? Math.max(this.#remaining(), 0) / 2 : Number.POSITIVE_INFINITY;
    const pause = Math.min(this.ttl / 3, half, LONGEST_TIMER);
    this.#renewal = setTimeout(async () => {
      try {
        await this.renew();
      } catch {
        // A loss aborts `signal`. After any other error there is time for two more tries.
      }
      if (this.#held) this.#scheduleRenewal();
    }, pause).unref();
  }
}
