import { checkTtl } from './expiry.js';
import type { HeldClaim } from './held-claim.js';
import { parsePattern } from './parse-pattern.js';
import type { Pattern } from './pattern.js';
import { isCovered } from './scope.js';
import type { Claim } from './types.js';

/** What users have of a {@link HeldClaim}. */
export class ClaimHandle implements Claim {
  readonly agent: string;
  readonly files: readonly string[];
  readonly directories: readonly string[];
  readonly lockedAt: Date;
  readonly #held: HeldClaim;

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

  get expiresAt(): Date {
    return this.#held.expiresAt;
  }

  get signal(): AbortSignal {
    return this.#held.signal;
  }

  get fd(): number {
    return this.#held.fd;
  }

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

  async renew(ttl?: number): Promise<void> {
    await this.#held.renew(ttl === undefined ? undefined : checkTtl(ttl, 'ttl'));
  }

  async release(): Promise<boolean> {
    return this.#held.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}
