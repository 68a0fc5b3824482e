import { clearInterval, clearTimeout, setInterval, setTimeout } from 'node:timers';
import { onAbort } from '../base/abort.js';
import { errnoOf, flockError } from '../base/errors.js';
import { LONGEST_TIMER, sleep, sleepSync } from '../base/timers.js';
import type { NativeBinding, NativeMode } from '../native/binding.js';

/** A point in time that a wait must not pass. */
export class Deadline {
  readonly #end: number;

  constructor(timeout: number) {
    // Of the two most common, the clock need not be asked.
    const timed = timeout > 0 && timeout < Number.POSITIVE_INFINITY;
    this.#end = timed ? performance.now() + timeout : timeout;
  }

  /** Milliseconds, 0 once it has passed, up to Infinity. */
  get remaining(): number {
    if (this.#end === 0 || this.#end === Number.POSITIVE_INFINITY) return this.#end;
    return Math.max(0, this.#end - performance.now());
  }
}

/** What is waited for, and for how long. */
export interface Wait {
  native: NativeBinding;
  id: number;
  mode: NativeMode;
  path: string;
  deadline: Deadline;
  signal: AbortSignal | undefined;
  /** On a file system where even an attempt may hang. */
  remote: boolean;
  /** What is at the path does not matter: the descriptor is what is meant. */
  anyFile?: boolean;
  /** Poll at most this often (ms) instead of waiting in the kernel. */
  pollInterval: number | undefined;
}

/**
 * `granted`: `id` holds the lock, of a file that may have been replaced in
 * the meantime. `replaced`: the path leads elsewhere, start again. In all but
 * the first case `id` is dead and its descriptor closed; so it is when the
 * wait throws.
 */
export type Outcome = 'granted' | 'replaced' | 'timeout';

// A cancelled thread takes a tenth of a millisecond to give back what it may
// have been granted; one that hangs in a network file system is not waited for.
const CANCEL_MILLISECONDS = 20;
const PATH_CHECK_MILLISECONDS = 1000;
const FALLBACK_POLL_MILLISECONDS = 50;
// How long a thread may be blocked before JavaScript gets a say again, which
// is what lets worker.terminate() through.
const SLICE_MILLISECONDS = 50;
const REMOTE_GRACE_MILLISECONDS = 5000;

const WOULD_BLOCK = errnoOf('EWOULDBLOCK');
const STALE = errnoOf('ESTALE');

/** Waits without taking this thread. Throws `signal.reason` and system errors. */
export function waitForLock(wait: Wait): Promise<Outcome> {
  if (wait.signal?.aborted === true) {
    wait.native.release(wait.id);
    return Promise.reject(wait.signal.reason);
  }
  if (wait.pollInterval === undefined && !wait.remote) {
    const waiting = waitInKernel<Outcome>(wait);
    if (waiting !== null) return waiting;
  }
  return poll(wait);
}

/** Without waiting: here, or where even that may hang, on a thread of its own. */
export async function attempt(wait: Wait): Promise<Outcome | 'refused'> {
  const elsewhere = wait.remote ? waitInKernel(wait, 'refused' as const) : null;
  return elsewhere ?? attemptHere(wait);
}

/** The same, taking this thread. */
export function attemptSync(wait: Wait): Outcome | 'refused' {
  if (!wait.remote) return attemptHere(wait);
  const { native, id, mode, path, deadline } = wait;
  for (;;) {
    const slice = Math.ceil(Math.min(SLICE_MILLISECONDS, deadline.remaining));
    const errno = native.waitHere(id, mode, true, slice);
    if (errno === 0) return 'granted';
    if (errno === WOULD_BLOCK) return 'refused';
    if (errno > 0) {
      native.release(id);
      throw flockError(errno, path);
    }
    if (deadline.remaining === 0) {
      native.cancelWaiting(id);
      return 'timeout';
    }
  }
}

export function attemptHere(wait: Wait): 'granted' | 'refused' {
  const errno = wait.native.tryLock(wait.id, wait.mode);
  if (errno === 0) return 'granted';
  if (errno === WOULD_BLOCK) return 'refused';
  wait.native.release(wait.id);
  throw flockError(errno, wait.path);
}

/** A server may take a while to answer even a call that is not to wait. */
export function deadlineOf(timeout: number, remote: boolean): Deadline {
  return new Deadline(timeout === 0 && remote ? REMOTE_GRACE_MILLISECONDS : timeout);
}

/**
 * `null`: the system lends no thread for it. With `refused`, a single attempt
 * that resolves to that.
 */
function waitInKernel<R extends string>(wait: Wait, refused?: R): Promise<Outcome | R> | null {
  const { native, id, mode, path, deadline, signal } = wait;
  const singleAttempt = refused !== undefined;
  const pending = pendingWaits(native);
  if (native.startWaiting(id, mode, singleAttempt) !== 0) return null;
  return new Promise<Outcome | R>((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    let group: Group | undefined;
    let forgetSignal = (): void => {};
    const stop = (): void => {
      pending.delete(id);
      if (timer !== undefined) clearTimeout(timer);
      forgetSignal();
      group?.members.delete(id);
    };
    // The order of every ending: the wait cannot end a second time, what the
    // kernel may have granted is given back, then the caller hears.
    const end = (tell: () => void): void => {
      stop();
      if (!native.cancelWaiting(id)) {
        tell();
        return;
      }
      const told = (): void => {
        pending.delete(id);
        clearTimeout(timer);
        tell();
      };
      pending.set(id, told);
      timer = setTimeout(told, CANCEL_MILLISECONDS);
    };
    const onTimer = (): void => {
      // Timers may fire early by a fraction, and are cut at 2^31-1.
      if (deadline.remaining > 0) setTimer();
      else end(() => resolve('timeout'));
    };
    const setTimer = (): void => {
      const { remaining } = deadline;
      if (remaining !== Number.POSITIVE_INFINITY) {
        timer = setTimeout(onTimer, Math.min(Math.ceil(remaining), LONGEST_TIMER));
      }
    };
    pending.set(id, () => {
      stop();
      const errno = native.finishWaiting(id, mode);
      if (errno === 0) return resolve('granted');
      if (singleAttempt && errno === WOULD_BLOCK) return resolve(refused);
      native.release(id);
      reject(flockError(errno, path));
    });
    try {
      forgetSignal = onAbort(signal, () => end(() => reject(signal?.reason)));
      setTimer();
      if (!singleAttempt && wait.anyFile !== true) {
        group = joinGroup(native, path, id, () => end(() => resolve('replaced')));
      }
    } catch (error) {
      // The wait has begun, and nobody else would ever end it.
      end(() => reject(error));
    }
  });
}

const pendingOf = new WeakMap<NativeBinding, Map<number, () => void>>();
const PENDING = Symbol.for('holdfast.pendingWaits');

/** What to call when the wait with an id has settled. */
function pendingWaits(native: NativeBinding): Map<number, () => void> {
  let pending = pendingOf.get(native);
  if (pending === undefined) {
    // Kept with the addon itself: a second instance of this module on the same
    // thread shares the one callback that the addon takes.
    const shared = native as { [PENDING]?: Map<number, () => void> };
    pending = shared[PENDING] ?? new Map<number, () => void>();
    shared[PENDING] = pending;
    const settled = pending;
    native.onSettled((id) => settled.get(id)?.());
    pendingOf.set(native, pending);
  }
  return pending;
}

// A waiter blocked on a file that is meanwhile replaced at the path waits for
// the wrong lock, perhaps for ever, and the kernel has no reason to tell it.
// So all waits together look about once a second, once per file.
interface Group {
  native: NativeBinding;
  path: string;
  members: Map<number, () => void>;
}
const groups = new Map<string, Group[]>();
let checking: NodeJS.Timeout | undefined;

function joinGroup(native: NativeBinding, path: string, id: number, onReplaced: () => void): Group {
  let atPath = groups.get(path);
  if (atPath === undefined) {
    atPath = [];
    groups.set(path, atPath);
  }
  // Two waits on one path have different files if it was replaced in between.
  let group = atPath.find((each) => each.native === native && sameFile(each, id));
  if (group === undefined) {
    group = { native, path, members: new Map() };
    atPath.push(group);
  }
  group.members.set(id, onReplaced);
  checking ??= setInterval(checkPaths, PATH_CHECK_MILLISECONDS).unref();
  return group;
}

/** An abandoned group takes anybody. */
function sameFile(group: Group, id: number): boolean {
  const [member] = group.members.keys();
  return member === undefined || group.native.sameFile(member, id);
}

/** Also drops what nobody waits for any more: a grant has no time for that. */
function checkPaths(): void {
  for (const [path, atPath] of groups) {
    const waitedFor = atPath.filter(({ members }) => members.size > 0);
    if (waitedFor.length === 0) groups.delete(path);
    else groups.set(path, waitedFor);
    for (const group of waitedFor) {
      const [member] = group.members.keys();
      if (member === undefined || group.native.compare(member) !== -STALE) continue;
      for (const onReplaced of [...group.members.values()]) onReplaced();
    }
  }
  if (groups.size > 0) return;
  clearInterval(checking);
  checking = undefined;
}

function isReplaced({ native, id, anyFile }: Wait): boolean {
  return anyFile !== true && native.compare(id) === -STALE;
}

/** The pause before each poll: doubling up to the longest, jittered. */
function pauseOf({ pollInterval, deadline }: Wait, poll: number): number {
  const longest = pollInterval ?? FALLBACK_POLL_MILLISECONDS;
  const pause = Math.min(2 ** Math.min(poll, 30), longest) * (0.5 + Math.random() / 2);
  return Math.min(pause, deadline.remaining);
}

async function poll(wait: Wait): Promise<Outcome> {
  const { native, id, deadline, signal } = wait;
  for (let round = 0; ; round++) {
    try {
      await sleep(pauseOf(wait, round), signal);
    } catch (error) {
      native.release(id);
      throw error;
    }
    const outcome = await attempt(wait);
    if (outcome !== 'refused') return outcome;
    const ended = deadline.remaining === 0 ? 'timeout' : isReplaced(wait);
    if (ended !== false) {
      native.release(id);
      return ended === true ? 'replaced' : ended;
    }
  }
}

/** Waits and takes this thread, giving JavaScript a say every 50 ms. */
export function waitForLockSync(wait: Wait): Outcome {
  const { native, id, mode, deadline, pollInterval } = wait;
  if (pollInterval !== undefined || wait.remote) return pollSync(wait);
  let nextCheck = performance.now() + PATH_CHECK_MILLISECONDS;
  for (;;) {
    const slice = Math.ceil(Math.min(SLICE_MILLISECONDS, deadline.remaining));
    const errno = native.waitHere(id, mode, false, slice);
    if (errno === 0) return 'granted';
    if (errno > 0) return pollSync(wait);
    const now = performance.now();
    const replaced = now >= nextCheck && isReplaced(wait);
    if (now >= nextCheck) nextCheck = now + PATH_CHECK_MILLISECONDS;
    if (deadline.remaining === 0 || replaced) {
      native.cancelWaiting(id);
      return replaced ? 'replaced' : 'timeout';
    }
  }
}

function pollSync(wait: Wait): Outcome {
  const { native, id, deadline } = wait;
  for (let round = 0; ; round++) {
    sleepSync(pauseOf(wait, round));
    const outcome = attemptSync(wait);
    if (outcome !== 'refused') return outcome;
    const timedOut = deadline.remaining === 0;
    if (timedOut || isReplaced(wait)) {
      native.release(id);
      return timedOut ? 'timeout' : 'replaced';
    }
  }
}
