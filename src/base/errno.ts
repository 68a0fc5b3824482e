import { constants } from 'node:os';

// The C library of Windows has no such error: src-native/windows/platform.h.
const WINDOWS_ESTALE = 4000;

/**
 * The platform's number for an errno name, positive; NaN if it has none. Call it
 * only after a failure: loading `node:os` takes half a millisecond.
 */
export function errnoOf(name: keyof typeof constants.errno): number {
  const number: number | undefined = constants.errno[name];
  return number ?? (name === 'ESTALE' ? WINDOWS_ESTALE : Number.NaN);
}
