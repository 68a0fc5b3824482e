import { statSync } from 'node:fs';
import { clearTimeout, setTimeout } from 'node:timers';
import { LockLostError } from '../base/errors.js';
import { LONGEST_TIMER } from '../base/timers.js';
import type { FileLock } from '../lock/file-lock.js';
import type { ClaimFile } from './claim-file.js';
import { expiryAfter, MARGIN_MILLISECONDS } from './expiry.js';
import { type ClaimsFolder, isFileOf } from './folder.js';
import type { Found } from './model.js';
import type { Entry } from './pattern.js';
import type { Scope } from './scope.js';

export interface HeldClaimParts {
  folder: ClaimsFolder;
  /** As it was written. */
  claim: Omit<ClaimFile, 'fields'>;
  /** Of a bound claim; otherwise `null`. */
  lock: FileLock | null;
  ttl: number;
  keepAlive: boolean;
  /** Called once, when it is released or lost. */
  ended: (claim: HeldClaim) => void;
}

/**
 * A claim that this process was granted, until it is released or lost. Users
 * have a `Claim` of it; the other modules of this folder watch and end it.
 */
export class HeldClaim {
  readonly #parts: HeldClaimParts;
  readonly #controller = new AbortController();
  readonly #file: string;
  #expiresAt: Date;
  #held = true;
  #expiry: NodeJS.Timeout | undefined;
  #renewal: NodeJS.Timeout | undefined;
  /** What {@link check} saw last. */
  #seen = '';

  constructor(parts: HeldClaimParts) {
    this.#parts = parts;
    this.#file = parts.folder.fileOf(parts.claim.agent);
    this.#expiresAt = parts.claim.expiresAt;
    this.#watchExpiry();
    this.#scheduleRenewal();
  }

  /** As it was granted. */
  get granted(): Omit<ClaimFile, 'fields'> {
    return this.#parts.claim;
  }

  get folder(): ClaimsFolder {
    return this.#parts.folder;
  }

  get expiresAt(): Date {
    return this.#expiresAt;
  }

  get signal(): AbortSignal {
    this.#checkClock();
    return this.#controller.signal;
  }

  get fd(): number {
    return this.#parts.lock?.fd ?? -1;
  }

  get held(): boolean {
    this.#checkClock();
    return this.#held;
  }

  async renew(ttl: number = this.#parts.ttl): Promise<void> {
    const { folder, claim } = this.#parts;
    const expiresAt = expiryAfter(Date.now(), ttl);
    const renewed = await folder.exclusivelyIfThere(() => {
      const found = this.held ? folder.find(claim.agent) : null;
      if (found === null || !this.owns(found)) return false;
      return folder.renew(found, expiresAt);
    });
    if (renewed !== true) {
      this.lose('it was removed or overwritten');
      throw this.#lost();
    }
    this.#expiresAt = expiresAt;
    this.#watchExpiry();
  }

  async release(): Promise<boolean> {
    const wasHeld = this.held;
    const { folder, claim } = this.#parts;
    const removed = await folder.exclusivelyIfThere(() => {
      const found = folder.find(claim.agent);
      return found !== null && this.owns(found) && folder.remove(found);
    });
    this.end();
    return wasHeld && removed === true;
  }

  /** Whether this claim wrote the file: by its id alone, whatever is locked. */
  wrote({ claim }: Found): boolean {
    return claim?.id === this.#parts.claim.id;
  }

  /** Whether the file is still this claim. A bound one must be the locked file. */
  owns(found: Found): boolean {
    const { lock } = this.#parts;
    if (found.claim === null || !this.wrote(found)) return false;
    if (lock === null) return true;
    if (!lock.held) return false;
    return isFileOf(lock, found.location);
  }

  /** Finds out whether it is lost, or was renewed by its agent's name. */
  check(): void {
    if (!this.#held) return;
    const { folder, claim } = this.#parts;
    let found: Found | null;
    try {
      const { ino, size, mtimeMs } = statSync(this.#file);
      const seen = `${ino} ${size} ${mtimeMs}`;
      if (seen === this.#seen) return;
      found = folder.find(claim.agent);
      if (found !== null && !this.owns(found)) found = null;
      this.#seen = seen;
    } catch (error) {
      // A claim whose file cannot be read may still exist.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return;
      found = null;
    }
    if (found === null) {
      this.lose('it was removed or overwritten');
      return;
    }
    const { expiresAt, ...scope } = found.claim as ClaimFile;
    if (textOf(scope) !== textOf(claim)) {
      this.lose('its scope was edited');
      return;
    }
    if (expiresAt.getTime() === this.#expiresAt.getTime()) return;
    this.#expiresAt = expiresAt;
    this.#watchExpiry();
  }

  /** Ends it, and tells the owner by the signal. */
  lose(reason: string): void {
    if (!this.#held) return;
    this.end();
    const message = `the claim of ${this.#parts.claim.agent} (${this.#file}) is lost: ${reason}`;
    this.#controller.abort(new LockLostError(this.#file, message));
  }

  /** Stops its timers and lets go of its descriptor. The file is not touched. */
  end(): void {
    if (!this.#held) return;
    this.#held = false;
    clearTimeout(this.#expiry);
    clearTimeout(this.#renewal);
    this.#parts.lock?.releaseSync();
    this.#parts.ended(this);
  }

  #lost(): LockLostError {
    const reason = this.#controller.signal.reason;
    return reason instanceof LockLostError
      ? reason
      : new LockLostError(
          this.#file,
          `the claim of ${this.#parts.claim.agent} is not held any more`,
        );
  }

  #watchExpiry(): void {
    // A bound claim does not expire while it is held.
    if (this.#parts.lock !== null || !this.#held) return;
    clearTimeout(this.#expiry);
    const check = (): void => {
      if (this.held) this.#watchExpiry();
    };
    const pause = Math.min(Math.max(this.#remaining(), 0), LONGEST_TIMER);
    this.#expiry = setTimeout(check, pause).unref();
  }

  /** How long until this owner counts its claim as gone. */
  #remaining(): number {
    return this.#expiresAt.getTime() - MARGIN_MILLISECONDS - Date.now();
  }

  /** A timer is late if the process was stopped, or busy. */
  #checkClock(): void {
    if (this.#parts.lock === null && this.#remaining() <= 0) this.lose('it has expired');
  }

  #scheduleRenewal(): void {
    if (!this.#parts.keepAlive) return;
    // With a short ttl a third of it may be too late.
    const half =
      this.#parts.lock === null ? Math.max(this.#remaining(), 0) / 2 : Number.POSITIVE_INFINITY;
    const pause = Math.min(this.#parts.ttl / 3, half, LONGEST_TIMER);
    this.#renewal = setTimeout(async () => {
      try {
        await this.renew();
      } catch {
        // If it is lost, `signal` tells. For any other error there is time for two more tries.
      }
      if (this.#held) this.#scheduleRenewal();
    }, pause).unref();
  }
}

function textOf({ parts }: Scope): string {
  const texts = (list: readonly Entry[]): string[] => list.map((each) => each.pattern);
  return JSON.stringify(
    parts.map(({ patterns, except, tree }) => [texts(patterns), texts(except), tree]),
  );
}
