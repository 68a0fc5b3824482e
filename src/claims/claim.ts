import { acquireClaims } from './acquire-claims.js';
import { checkTtl } from './expiry.js';
import type { Place } from './grant.js';
import type { HeldClaim } from './held-claim.js';
import { type LocatedPath, Locator } from './locate.js';
import type { Wanted } from './model.js';
import { listsOf } from './parts.js';
import { checkRequests } from './request.js';
import { isCovered, patternsOf } from './scope.js';
import type { Claim, ClaimExtension, ClaimOptions } from './types.js';

/** What users have of a {@link HeldClaim}. */
export class ClaimHandle implements Claim {
  readonly agent: string;
  readonly lockedAt: Date;
  readonly #held: HeldClaim;
  readonly #place: Place;

  constructor(held: HeldClaim, place: Place) {
    const { agent, lockedAt } = held.granted;
    this.agent = agent;
    this.lockedAt = lockedAt;
    this.#held = held;
    this.#place = place;
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
    let wanted: LocatedPath | null;
    try {
      wanted = new Locator(root).path(path, 'path');
    } catch (error) {
      const isBadPath = (error as { code?: string }).code === 'ERR_INVALID_ARG_VALUE';
      if (typeof path === 'string' && isBadPath) return false;
      throw error;
    }
    return wanted !== null && isCovered(wanted.pattern, this.#held.granted, wanted.tree);
  }

  async renew(ttl?: number): Promise<void> {
    await this.#held.renew(ttl === undefined ? undefined : checkTtl(ttl, 'ttl'));
  }

  async extend(request: ClaimExtension, options?: ClaimOptions): Promise<void> {
    const held = this.#held;
    const { agent, id } = held.granted;
    const full = { ...request, ttl: request?.ttl ?? held.ttl, agent, extend: true };
    const { root } = held.folder;
    const [wanted] = checkRequests([full], root, 'claim', new Locator(root).patterns);
    if (!held.held) throw held.lost();
    await acquireClaims(this.#place, [{ ...(wanted as Wanted), only: id }], options);
  }

  async release(): Promise<boolean> {
    return this.#held.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}
