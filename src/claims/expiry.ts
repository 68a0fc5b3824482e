import { argumentError } from '../base/argument-errors.js';

/** How long other agents still respect a claim after its expiry. */
export const GRACE_MILLISECONDS = 2000;
/** How long before its expiry an owner counts its own claim as gone. */
export const MARGIN_MILLISECONDS = GRACE_MILLISECONDS;

export const DEFAULT_TTL = 3_600_000;
// The year of a time must have four digits.
const LONGEST_TTL = 1000 * 365 * 24 * 3_600_000;

/** In whole seconds, rounded up. */
export function expiryAfter(now: number, ttl: number): Date {
  return new Date(Math.ceil((now + ttl) / 1000) * 1000);
}

export function checkTtl(ttl: unknown, name: string): number {
  if (typeof ttl !== 'number') {
    throw argumentError('ERR_INVALID_ARG_TYPE', name, 'a number of milliseconds', ttl);
  }
  if (!(ttl > 0 && ttl <= LONGEST_TTL)) {
    const rule = 'above 0, in milliseconds, and at most 1000 years';
    throw argumentError('ERR_OUT_OF_RANGE', name, rule, ttl);
  }
  return ttl;
}
