import { uptime } from 'node:os';
import { monotonicTime } from '../../base/timers.js';

/** A moment on two clocks. Only the second counts the time in suspend. */
export interface Moment {
  readonly monotonic: number;
  readonly uptime: number;
}

export function moment(): Moment {
  return { monotonic: monotonicTime(), uptime: secondClock() };
}

/**
 * Milliseconds since then, on the clock that says more: CLOCK_MONOTONIC stands
 * still while the machine is suspended, and the lease goes on.
 */
export function elapsedSince(then: Moment): number {
  const elapsed = monotonicTime() - then.monotonic;
  const withSuspend = secondClock() - then.uptime;
  return withSuspend > elapsed ? withSuspend : elapsed;
}

function secondClock(): number {
  try {
    return uptime() * 1000;
  } catch {
    // A sandbox without /proc: use the other clock alone.
    return Number.NaN;
  }
}
