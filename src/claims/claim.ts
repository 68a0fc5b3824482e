import { checkTtl } from './expiry.js';
import type { HeldClaim } from './held-claim.js';
import { parsePattern } from './parse-pattern.js';
import type { Pattern } from './pattern.js';
import { isCovered } from './scope.js';

/**
 * What an agent may change until it is released. It exists only as long as it
 * is held; `signal` tells when that ends.
 */
export class Claim implements AsyncDisposable {
  readonly agent: string;
  /** Normalised: relative to the root. */
  readonly files: readonly string[];
  readonly directories: readonly string[];
  readonly lockedAt: Date;
  readonly #held: HeldClaim;

  /** Internal: use `Claims.claim`. */
  constructor(held: HeldClaim) {
    const { agent, patterns, lockedAt } = held.granted;
    const texts = (kind: Pattern['kind']): string[] =>
      patterns.filter((each) => each.kind === kind).map((each) => each.pattern);
    this.agent = agent;
    this.files = texts('file');
    this.directories = texts('directory');
    this.lockedAt = lockedAt;
    this.#held = held;
  }

  /** When it ends unless it is renewed. The owner counts it as gone 2 s earlier. */
  get expiresAt(): Date {
    return this.#held.expiresAt;
  }

  /**
   * Aborted with a `LockLostError` when the claim has expired, was removed or
   * was overwritten: within about a second, at once where the system reports
   * changes. Not by `release`.
   */
  get signal(): AbortSignal {
    return this.#held.signal;
  }

  /**
   * The locked descriptor of a bound claim, for the `stdio` of the agent's
   * process: the claim then lives until that process has ended as well. -1 if
   * the claim is not bound, or not held any more.
   */
  get fd(): number {
    return this.#held.fd;
  }

  /**
   * Whether the claim is held and has this path (not a pattern), relative to
   * the root or absolute below it. A path outside of the root is never covered.
   */
  covers(path: string): boolean {
    if (!this.#held.held) return false;
    const { root } = this.#held.folder;
    let wanted: Pattern;
    try {
      wanted = parsePattern(path, 'file', root, 'path', 'path');
    } catch (error) {
      const isBadPath = (error as { code?: string }).code === 'ERR_INVALID_ARG_VALUE';
      if (typeof path === 'string' && isBadPath) return false;
      throw error;
    }
    return isCovered(wanted, this.#held.granted);
  }

  /**
   * Puts the expiry `ttl` milliseconds from now (default: the ttl it was claimed
   * with). Rejects with `ERR_LOCK_LOST` if the claim is no longer this one:
   * expired, removed, overwritten, or claimed anew under the same name.
   */
  async renew(ttl?: number): Promise<void> {
    await this.#held.renew(ttl === undefined ? undefined : checkTtl(ttl, 'ttl'));
  }

  /**
   * Removes the claim. False: it was no longer this one, and nothing has been
   * removed; or it had expired. A second call does nothing and returns `false`.
   */
  async release(): Promise<boolean> {
    return this.#held.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}
