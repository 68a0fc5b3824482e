import { randomBytes } from 'node:crypto';

/** Names of Holdfast's own temporary files begin with it. */
export const OWN_PREFIX = '.holdfast-';

const RANDOM_BYTES = 8;

/**
 * A new name for a temporary file. The next process that enters a folder removes
 * its `.tmp` files, so use that ending only in Holdfast's own folders.
 */
export function temporaryName(ending: '.tmp' | '.new'): string {
  return `${OWN_PREFIX}${randomBytes(RANDOM_BYTES).toString('hex')}${ending}`;
}
