import { checkTtl } from './expiry.js';
import type { HeldClaim } from './held-claim.js';
import { parsePattern } from './parse-pattern.js';
import { listsOf } from './parts.js';
import type { Pattern } from './pattern.js';
import { isCovered, patternsOf } from './scope.js';
import type { Claim } from './types.js';

/** What users have of a {@link HeldClaim}. */
export class ClaimHandle implements Claim {
  readonly agent: string;
  readonly files: readonly string[];
  readonly directories: readonly string[];
  readonly lockedAt: Date;
  readonly #held: HeldClaim;

  constructor(held: HeldClaim) {
    const { agent, lockedAt } = held.granted;
    const { files, directories } = listsOf(patternsOf(held.granted));
    this.agent = agent;
    this.files = files;
    this.directories = directories;
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
    return isCovered(wanted, this.#held.granted, null);
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
