import { errnoOf } from '../base/errno.js';
import { flockError } from '../base/errors.js';
import { monotonicTime, sleep, sleepSync } from '../base/timers.js';
import type { LockFile } from '../holders/lock-file.js';
import type { NativeMode } from '../native/binding.js';
import { attemptInKernel, waitInKernel } from './kernel-wait.js';
import { PATH_CHECK_MILLISECONDS } from './path-watch.js';
import { type Listener, type Outcome, sliceOf, type Wait } from './wait.js';

const WOULD_BLOCK = errnoOf('EWOULDBLOCK');
const FALLBACK_POLL_MILLISECONDS = 50;

/** Waits without blocking this thread. Fails with `signal.reason` and system errors. */
export function waitForLock(wait: Wait, listener: Listener<Outcome>): void {
  const { file, signal, pollInterval } = wait;
  if (signal?.aborted === true) {
    file.close();
    listener.failed(signal.reason);
    return;
  }
  if (pollInterval === undefined && !file.isRemote && waitInKernel(wait, listener)) return;
  poll(wait).then(listener.ended, listener.failed);
}

/** Tries once: on this thread, or on its own thread where even an attempt may hang. */
export function attempt(wait: Wait, listener: Listener<Outcome | 'refused'>): void {
  if (wait.file.isRemote && attemptInKernel(wait, listener)) return;
  listener.ended(attemptHere(wait.file, wait.mode));
}

/** The same, blocking this thread. */
export function attemptSync(wait: Wait): Outcome | 'refused' {
  const { file, mode, deadline } = wait;
  if (!file.isRemote) return attemptHere(file, mode);
  for (;;) {
    const errno = file.native.waitHere(file.id, mode, true, sliceOf(wait));
    if (errno === 0) return 'granted';
    if (errno === WOULD_BLOCK) return 'refused';
    if (errno > 0) {
      file.close();
      throw flockError(errno, file.path);
    }
    if (deadline.remaining === 0) {
      file.native.cancelWaiting(file.id);
      return 'timeout';
    }
  }
}

function attemptHere(file: LockFile, mode: NativeMode): 'granted' | 'refused' {
  try {
    return file.tryLock(mode) ? 'granted' : 'refused';
  } catch (error) {
    file.close();
    throw error;
  }
}

function isReplaced({ file, followPath }: Wait): boolean {
  return followPath && file.isReplaced();
}

/** The pause before each poll: doubling up to the longest, jittered. */
function pauseOf({ pollInterval, deadline }: Wait, round: number): number {
  const longest = pollInterval ?? FALLBACK_POLL_MILLISECONDS;
  const pause = Math.min(2 ** Math.min(round, 30), longest) * (0.5 + Math.random() / 2);
  return Math.min(pause, deadline.remaining);
}

/** Between two polls: `null` goes on. */
function endOfPolling(wait: Wait): 'timeout' | 'replaced' | null {
  const end = wait.deadline.remaining === 0 ? 'timeout' : isReplaced(wait) ? 'replaced' : null;
  if (end !== null) wait.file.close();
  return end;
}

async function poll(wait: Wait): Promise<Outcome> {
  for (let round = 0; ; round++) {
    try {
      await sleep(pauseOf(wait, round), wait.signal);
    } catch (error) {
      wait.file.close();
      throw error;
    }
    const outcome = await new Promise<Outcome | 'refused'>((ended, failed) =>
      attempt(wait, { ended, failed }),
    );
    const end = outcome === 'refused' ? endOfPolling(wait) : outcome;
    if (end !== null) return end;
  }
}

function pollSync(wait: Wait): Outcome {
  for (let round = 0; ; round++) {
    sleepSync(pauseOf(wait, round));
    const outcome = attemptSync(wait);
    const end = outcome === 'refused' ? endOfPolling(wait) : outcome;
    if (end !== null) return end;
  }
}

/** Blocks this thread while it waits, but returns to JavaScript every 50 ms. */
export function waitForLockSync(wait: Wait): Outcome {
  const { file, mode, deadline, pollInterval } = wait;
  if (pollInterval !== undefined || file.isRemote) return pollSync(wait);
  let nextCheck = monotonicTime() + PATH_CHECK_MILLISECONDS;
  for (;;) {
    const errno = file.native.waitHere(file.id, mode, false, sliceOf(wait));
    if (errno === 0) return 'granted';
    if (errno > 0) return pollSync(wait);
    const now = monotonicTime();
    const replaced = now >= nextCheck && isReplaced(wait);
    if (now >= nextCheck) nextCheck = now + PATH_CHECK_MILLISECONDS;
    if (deadline.remaining === 0 || replaced) {
      file.native.cancelWaiting(file.id);
      return replaced ? 'replaced' : 'timeout';
    }
  }
}
