import { checkTtl } from './expiry.js';
import type { HeldClaim } from './held-claim.js';
import { parsePattern } from './parse-pattern.js';
import { listsOf } from './parts.js';
import type { Pattern } from './pattern.js';
import { treeOf } from './root.js';
import { isCovered, patternsOf } from './scope.js';
import type { Claim, ClaimExtension, ClaimOptions } from './types.js';

/** Changes a claim that is held. */
export type Extend = (
  held: HeldClaim,
  request: ClaimExtension,
  options: ClaimOptions | undefined,
) => Promise<unknown>;

/** What users have of a {@link HeldClaim}. */
export class ClaimHandle implements Claim {
  readonly agent: string;
  readonly lockedAt: Date;
  readonly #held: HeldClaim;
  readonly #extend: Extend;

  constructor(held: HeldClaim, extend: Extend) {
    const { agent, lockedAt } = held.granted;
    this.agent = agent;
    this.lockedAt = lockedAt;
    this.#held = held;
    this.#extend = extend;
  }

  get files(): readonly string[] {
    return listsOf(patternsOf(this.#held.granted)).files;
  }

  get directories(): readonly string[] {
    return listsOf(patternsOf(this.#held.granted)).directories;
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
    return isCovered(wanted, this.#held.granted, treeOf(root));
  }

  async renew(ttl?: number): Promise<void> {
    await this.#held.renew(ttl === undefined ? undefined : checkTtl(ttl, 'ttl'));
  }

  async extend(request: ClaimExtension, options?: ClaimOptions): Promise<void> {
    await this.#extend(this.#held, request, options);
  }

  async release(): Promise<boolean> {
    return this.#held.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}
