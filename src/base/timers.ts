import { clearTimeout, setTimeout } from 'node:timers';
import { onAbort } from './abort.js';

/** The longest delay of a timer: a signed 32-bit number of milliseconds. */
export const LONGEST_TIMER = 2 ** 31 - 1;

/** Rejects with `signal.reason`. Keeps the process alive, as a wait does. */
export function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason);
    const timer = setTimeout(() => {
      unlisten();
      resolve();
    }, milliseconds);
    const unlisten = onAbort(signal, () => {
      clearTimeout(timer);
      reject(signal?.reason);
    });
  });
}

const never = new Int32Array(new SharedArrayBuffer(4));

export function sleepSync(milliseconds: number): void {
  Atomics.wait(never, 0, 0, milliseconds);
}

/**
 * Milliseconds on a monotonic clock. The first use of `performance` would load
 * node:perf_hooks, which takes a millisecond.
 */
export function monotonicTime(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
