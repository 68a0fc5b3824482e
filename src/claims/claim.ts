import { statSync } from 'node:fs';
import { clearTimeout, setTimeout } from 'node:timers';
import { argumentError } from '../base/arguments.js';
import { LockLostError } from '../base/errors.js';
import { LONGEST_TIMER } from '../base/timers.js';
import type { FileLock } from '../lock/file-lock.js';
import type { ClaimFile } from './claim-file.js';
import { type ClaimsFolder, type Found, GRACE_MILLISECONDS, isFileOf } from './folder.js';
import { parsePattern } from './pattern.js';
import { isCovered, type Scope } from './scope.js';

/** How long before its expiry an owner counts its claim as gone. */
const MARGIN_MILLISECONDS = GRACE_MILLISECONDS;

/** What a claim is made of, by {@link Claims}. */
export interface ClaimParts {
  folder: ClaimsFolder;
  file: string;
  claim: Omit<ClaimFile, 'fields'>;
  lock: FileLock | null;
  ttl: number;
  keepAlive: boolean;
  /** Called once, when it is released or lost. */
  ended: (claim: Claim) => void;
}

// For Claims, not for users.
export let inside: (claim: Claim) => {
  /** Looks whether it is still there. */
  look: () => void;
  lose: (reason: string) => void;
  owns: (found: Found) => boolean;
  /** By its id alone, whatever is locked. */
  wrote: (found: Found) => boolean;
  forget: () => void;
};
export let claimOf: (parts: ClaimParts) => Claim;

/**
 * What an agent may change until it is released. It exists only as long as it
 * is held: `signal` tells when it is not any more.
 */
export class Claim implements AsyncDisposable {
  readonly agent: string;
  /** Normalised: relative to the root. */
  readonly files: readonly string[];
  readonly directories: readonly string[];
  readonly lockedAt: Date;
  readonly #parts: ClaimParts;
  readonly #controller = new AbortController();
  #expiresAt: Date;
  #held = true;
  #expiry: NodeJS.Timeout | undefined;
  #renewal: NodeJS.Timeout | undefined;
  #seen = '';

  static {
    claimOf = (parts) => new Claim(parts);
    inside = (claim) => ({
      look: () => claim.#look(),
      lose: (reason) => claim.#lose(reason),
      owns: (found) => claim.#owns(found),
      wrote: (found) => found.claim?.id === claim.#parts.claim.id,
      forget: () => claim.#end(),
    });
  }

  /** Only from within: use `Claims.claim`. */
  private constructor(parts: ClaimParts) {
    const { agent, patterns, lockedAt, expiresAt } = parts.claim;
    this.agent = agent;
    this.files = patterns.filter((each) => each.kind === 'file').map((each) => each.pattern);
    this.directories = patterns
      .filter((each) => each.kind === 'directory')
      .map((each) => each.pattern);
    this.lockedAt = lockedAt;
    this.#parts = parts;
    this.#expiresAt = expiresAt;
    this.#watchExpiry();
    this.#scheduleRenewal();
  }

  /** When it ends unless it is renewed. The owner counts it as gone 2 s earlier. */
  get expiresAt(): Date {
    return this.#expiresAt;
  }

  /**
   * Aborted with a `LockLostError` when the claim has expired, was removed or
   * was overwritten: within about a second, at once where the system reports
   * changes. Not by `release`.
   */
  get signal(): AbortSignal {
    this.#checkClock();
    return this.#controller.signal;
  }

  /**
   * Of a bound claim the locked descriptor, for the `stdio` of the agent's
   * process: the claim then lives until that has ended as well. Otherwise, and
   * once it is not held any more, -1.
   */
  get fd(): number {
    return this.#parts.lock?.fd ?? -1;
  }

  /**
   * Whether the claim is held and has this path (no pattern), relative to the
   * root or absolute below it. What lies outside of the root is never covered.
   */
  covers(path: string): boolean {
    this.#checkClock();
    if (!this.#held) return false;
    const { folder, claim } = this.#parts;
    let wanted: ReturnType<typeof parsePattern>;
    try {
      wanted = parsePattern(path, 'file', folder.root, 'path', 'path');
    } catch (error) {
      if (
        typeof path === 'string' &&
        (error as { code?: string }).code === 'ERR_INVALID_ARG_VALUE'
      ) {
        return false;
      }
      throw error;
    }
    return isCovered(wanted, claim);
  }

  /**
   * Puts the expiry `ttl` milliseconds from now (default: as it was claimed).
   * Throws `ERR_LOCK_LOST` if the claim is no longer this one: expired,
   * removed, overwritten, or taken anew under the same name.
   */
  async renew(ttl?: number): Promise<void> {
    const { folder } = this.#parts;
    const expiresAt = expiryAfter(
      Date.now(),
      ttl === undefined ? this.#parts.ttl : checkTtl(ttl, 'ttl'),
    );
    const renewed = await folder.aloneIfThere(() => {
      this.#checkClock();
      const found = this.#held ? folder.find(this.agent) : null;
      if (found === null || !this.#owns(found)) return false;
      return folder.renew(found, expiresAt);
    });
    if (renewed !== true) {
      this.#lose('it was removed or overwritten');
      throw this.#lost();
    }
    this.#expiresAt = expiresAt;
    this.#watchExpiry();
  }

  /**
   * Removes the claim. False: it was no longer this one, and nothing has been
   * removed; or it had expired. A second call does nothing and says `false`.
   */
  async release(): Promise<boolean> {
    this.#checkClock();
    const wasHeld = this.#held;
    const { folder, file } = this.#parts;
    const removed = await folder.aloneIfThere(() => {
      const found = folder.find(this.agent);
      return found !== null && this.#owns(found) && folder.remove(file);
    });
    this.#end();
    return wasHeld && removed === true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  /** By its id; a bound one also by the very file that is locked. */
  #owns({ location, claim }: Found): boolean {
    const { lock, claim: own } = this.#parts;
    if (claim === null || claim.id !== own.id) return false;
    if (lock === null) return true;
    if (!lock.held) return false;
    return isFileOf(lock, location);
  }

  #look(): void {
    if (!this.#held) return;
    const { folder, file } = this.#parts;
    let found: Found | null;
    try {
      const { ino, size, mtimeMs } = statSync(file);
      const seen = `${ino} ${size} ${mtimeMs}`;
      if (seen === this.#seen) return;
      found = folder.find(this.agent);
      if (found !== null && !this.#owns(found)) found = null;
      this.#seen = seen;
    } catch (error) {
      // Whatever cannot be looked at may still be there.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return;
      found = null;
    }
    if (found === null) {
      this.#lose('it was removed or overwritten');
      return;
    }
    const { expiresAt, ...scope } = found.claim as ClaimFile;
    if (textOf(scope) !== textOf(this.#parts.claim)) {
      this.#lose('its scope was changed by hand');
      return;
    }
    // Renewed by its agent's name.
    if (expiresAt.getTime() === this.#expiresAt.getTime()) return;
    this.#expiresAt = expiresAt;
    this.#watchExpiry();
  }

  #watchExpiry(): void {
    // While it is bound and held, it does not expire.
    if (this.#parts.lock !== null || !this.#held) return;
    clearTimeout(this.#expiry);
    const check = (): void => {
      this.#checkClock();
      if (this.#held) this.#watchExpiry();
    };
    const pause = Math.min(Math.max(this.#remaining(), 0), LONGEST_TIMER);
    this.#expiry = setTimeout(check, pause).unref();
  }

  /** Until this owner counts its claim as gone. */
  #remaining(): number {
    return this.#expiresAt.getTime() - MARGIN_MILLISECONDS - Date.now();
  }

  /** A timer comes late where the process was stopped, or busy. */
  #checkClock(): void {
    if (this.#parts.lock === null && this.#remaining() <= 0) this.#lose('it has expired');
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
        // Lost: `signal` tells. Anything else: there is time for two more.
      }
      if (this.#held) this.#scheduleRenewal();
    }, pause).unref();
  }

  #lost(): LockLostError {
    const { file } = this.#parts;
    const reason = this.#controller.signal.reason;
    return reason instanceof LockLostError
      ? reason
      : new LockLostError(file, `the claim of ${this.agent} is not held any more`);
  }

  #lose(reason: string): void {
    if (!this.#held) return;
    this.#end();
    const message = `the claim of ${this.agent} (${this.#parts.file}) is lost: ${reason}`;
    this.#controller.abort(new LockLostError(this.#parts.file, message));
  }

  #end(): void {
    if (!this.#held) return;
    this.#held = false;
    clearTimeout(this.#expiry);
    clearTimeout(this.#renewal);
    this.#parts.lock?.releaseSync();
    this.#parts.ended(this);
  }
}

function textOf({ patterns, except }: Scope): string {
  return JSON.stringify([patterns, except].map((list) => list.map((each) => each.pattern)));
}

/** In whole seconds, rounded up. */
export function expiryAfter(now: number, ttl: number): Date {
  return new Date(Math.ceil((now + ttl) / 1000) * 1000);
}

// A time must have a year of four digits.
const LONGEST_TTL = 1000 * 365 * 24 * 3_600_000;

export function checkTtl(ttl: unknown, name: string): number {
  if (typeof ttl !== 'number') {
    throw argumentError('ERR_INVALID_ARG_TYPE', name, 'a number of milliseconds', ttl);
  }
  if (!(ttl > 0 && ttl <= LONGEST_TTL)) {
    throw argumentError(
      'ERR_OUT_OF_RANGE',
      name,
      'above 0, in milliseconds, and at most 1000 years',
      ttl,
    );
  }
  return ttl;
}
