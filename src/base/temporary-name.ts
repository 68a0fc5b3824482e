import { randomBytes } from 'node:crypto';

/** Names of Holdfast's own temporary files begin with it. */
export const OWN_PREFIX = '.holdfast-';

const RANDOM_BYTES = 8;

/**
 * A new name for a temporary file. Files with `.tmp` are removed by whoever enters
 * their folder next, so this ending is for folders that are Holdfast's own.
 */
export function temporaryName(ending: '.tmp' | '.new'): string {
  return `${OWN_PREFIX}${randomBytes(RANDOM_BYTES).toString('hex')}${ending}`;
}
