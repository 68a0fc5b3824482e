import { LockStateError } from '../base/errors.js';
import { type FilePath, pathText } from '../base/paths.js';

let clockOrigin: number | undefined;

/** The wall clock in microseconds; follows changes of the clock. */
function wallClock(): number {
  const now = Date.now();
  clockOrigin ??= performance.timeOrigin;
  const fine = clockOrigin + performance.now();
  if (Math.abs(fine - now) > 2) {
    clockOrigin += now - fine;
    return now * 1000;
  }
  return Math.floor(fine * 1000);
}

/**
 * Larger than every earlier token of the file; without a stored one, as good as
 * the clock. A token that cannot grow is an error: any other would be smaller,
 * and receivers would refuse this holder.
 */
export function nextToken(stored: number, path: FilePath): number {
  if (stored < Number.MAX_SAFE_INTEGER) return Math.max(stored + 1, wallClock());
  const file = pathText(path);
  throw new LockStateError(
    path,
    `the token in ${file} is ${stored} and cannot grow: remove the file while nobody holds the lock`,
  );
}
