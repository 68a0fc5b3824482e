import { createHash } from 'node:crypto';
import { argumentError, NOT_EMPTY } from '../../base/argument-errors.js';

/** The key of an advisory lock. */
export interface Key {
  /** The bigint, signed, in decimal. */
  readonly text: string;
  /** The halves as pg_locks shows them: `classid` and `objid`, unsigned. */
  readonly high: number;
  readonly low: number;
}

/**
 * The first 8 bytes of SHA-256 of the name, big-endian. Others take the same
 * lock by it, so it must never change. Two names with one key only wait for
 * each other.
 */
export function keyOf(name: string): Key {
  // Most programs take one lock over and over.
  if (last?.name !== name) last = { name, key: computeKey(name) };
  return last.key;
}

let last: { name: string; key: Key } | undefined;

function computeKey(name: string): Key {
  const digest = createHash('sha256').update(name, 'utf8').digest();
  return {
    text: String(digest.readBigInt64BE(0)),
    high: digest.readUInt32BE(0),
    low: digest.readUInt32BE(4),
  };
}

export function checkName(name: unknown): string {
  if (typeof name !== 'string') {
    throw argumentError('ERR_INVALID_ARG_TYPE', 'name', 'a string', name);
  }
  if (name === '') throw argumentError('ERR_INVALID_ARG_VALUE', 'name', NOT_EMPTY, name);
  if (name.includes('\0')) {
    throw argumentError(
      'ERR_INVALID_ARG_VALUE',
      'name',
      'without NUL characters',
      'a string with NUL',
    );
  }
  return name;
}
