import {
  errnoOf,
  LockHeldError,
  LockStateError,
  LockTimeoutError,
  openError,
} from '../base/errors.js';
import { makeFolders } from '../base/make-folders.js';
import { parentOf, pathText } from '../base/paths.js';
import { sleep, sleepSync } from '../base/timers.js';
import { holderInTurn, holderOf } from '../holders/who-holds.js';
import { IS_REMOTE } from '../native/binding.js';
import { type Held, settle } from './hold.js';
import { nativeMode, type Request } from './options.js';
import { watchForItself } from './self-wait.js';
import {
  attempt,
  attemptHere,
  attemptSync,
  Deadline,
  deadlineOf,
  type Outcome,
  type Wait,
  waitForLock,
  waitForLockSync,
} from './waiting.js';

const MISSING = errnoOf('ENOENT');

// Somebody's probe holds the lock for microseconds; it is to refuse nobody.
const SECOND_TRY_MILLISECONDS = 1;
// A file that is replaced at every look is not worth a busy loop.
const ROUNDS_WITHOUT_PAUSE = 3;
const LONGEST_PAUSE_MILLISECONDS = 50;
const FOLDER_TRIES = 10;

/** Waits without taking this thread. */
export async function acquire(request: Request): Promise<Held> {
  const deadline = new Deadline(request.timeout);
  let announced = false;
  for (let round = 0; ; round++) {
    // Again in each round: while a wait is being ended, nobody listens.
    throwIfAborted(request);
    const wait = openFor(request, deadline);
    let outcome = wait.remote ? await attempt(wait) : attemptHere(wait);
    if (outcome === 'refused' && request.timeout === 0) {
      await sleep(SECOND_TRY_MILLISECONDS, undefined);
      throwIfAborted(request, wait);
      outcome = await attempt(wait);
    }
    if (outcome === 'refused') {
      announced = prepareToWait(request, wait, announced, holderInTurn);
      const unwatch = watchForItself(wait);
      outcome = await waitForLock(wait).finally(unwatch);
    }
    const held = outcome === 'granted' ? settle(request, wait.id) : null;
    if (held !== null) return held;
    const pause = beforeNextRound(request, deadline, outcome, round, holderInTurn);
    if (pause > 0) await sleep(pause, request.signal);
  }
}

/** The same, taking this thread for as long as it waits. */
export function acquireSync(request: Request): Held {
  throwIfAborted(request);
  const deadline = new Deadline(request.timeout);
  let announced = false;
  for (let round = 0; ; round++) {
    const wait = openFor(request, deadline);
    let outcome = attemptSync(wait);
    if (outcome === 'refused' && request.timeout === 0) {
      sleepSync(SECOND_TRY_MILLISECONDS);
      outcome = attemptSync(wait);
    }
    if (outcome === 'refused') {
      refuseToWaitForItself(request, wait);
      announced = prepareToWait(request, wait, announced, holderOf);
      // onWait may have started a wait of its own.
      refuseToWaitForItself(request, wait);
      outcome = waitForLockSync(wait);
    }
    const held = outcome === 'granted' ? settle(request, wait.id) : null;
    if (held !== null) return held;
    const pause = beforeNextRound(request, deadline, outcome, round, holderOf);
    if (pause > 0) sleepSync(pause);
  }
}

/** Without waiting, and without the search for the holder: `null` if refused. */
export function tryAcquire(request: Request): Held | null {
  const deadline = new Deadline(0);
  for (let round = 0; round <= ROUNDS_WITHOUT_PAUSE; round++) {
    const wait = openFor(request, deadline);
    let outcome = attemptSync(wait);
    if (outcome === 'refused') {
      sleepSync(SECOND_TRY_MILLISECONDS);
      outcome = attemptSync(wait);
    }
    if (outcome === 'refused') request.native.release(wait.id);
    if (outcome === 'refused' || outcome === 'timeout') return null;
    const held = outcome === 'granted' ? settle(request, wait.id) : null;
    if (held !== null) return held;
  }
  return null;
}

function throwIfAborted({ signal, native }: Request, wait?: Wait): void {
  if (signal?.aborted !== true) return;
  if (wait !== undefined) native.release(wait.id);
  throw signal.reason;
}

function openFor(request: Request, deadline: Deadline): Wait {
  const { native, path, mode, signal, pollInterval } = request;
  const id = openLockFile(request);
  const remote = (native.traits(id) & IS_REMOTE) !== 0;
  const until = deadline.remaining === 0 ? deadlineOf(0, remote) : deadline;
  return {
    native,
    id,
    mode: nativeMode(mode),
    path: pathText(path),
    remote,
    deadline: until,
    signal,
    pollInterval,
  };
}

/** Missing folders are made; somebody may remove them again in between. */
function openLockFile({ native, path, permissions, create }: Request): number {
  for (let tries = 0; ; tries++) {
    const id = native.open(path, create ? permissions : -1);
    if (id > 0) return id;
    const final = tries === FOLDER_TRIES || !create || permissions < 0;
    if (id !== -MISSING || final) throw openError(-id, path);
    makeFolders(parentOf(path));
  }
}

/** Throws the refusal of a call that is not to wait. */
function prepareToWait(
  request: Request,
  wait: Wait,
  announced: boolean,
  lookUp: typeof holderOf,
): true {
  const { native, path, onWait, timeout } = request;
  if (timeout === 0) {
    native.release(wait.id);
    throw new LockHeldError(path, lookUp(path));
  }
  if (!announced && onWait !== undefined) {
    try {
      onWait(lookUp(path));
    } catch (error) {
      native.release(wait.id);
      throw error;
    }
  }
  return true;
}

/**
 * A synchronous wait for what only this thread can bring about would never
 * end. With a wait of its own pending, it is the kernel that would wait for
 * it: it grants the earlier wait, whose JavaScript cannot run any more.
 */
function refuseToWaitForItself(request: Request, wait: Wait): void {
  if (request.timeout === 0 || !request.native.blockedByItself(wait.id, wait.mode)) return;
  request.native.release(wait.id);
  throw new LockStateError(
    request.path,
    `${pathText(request.path)} is held or waited for by this very thread, so a synchronous wait for it would never end; use acquire(), or release it first`,
  );
}

/** How long to pause before the next round; throws where there is to be none. */
function beforeNextRound(
  request: Request,
  deadline: Deadline,
  outcome: Outcome | 'refused',
  round: number,
  lookUp: typeof holderOf,
): number {
  const { path, timeout } = request;
  const pause =
    round < ROUNDS_WITHOUT_PAUSE
      ? 0
      : Math.min(2 ** (round - ROUNDS_WITHOUT_PAUSE), LONGEST_PAUSE_MILLISECONDS);
  if (timeout === 0) {
    if (outcome === 'timeout' || pause > 0) throw new LockHeldError(path, lookUp(path));
    return 0;
  }
  if (outcome === 'timeout' || deadline.remaining === 0) {
    throw new LockTimeoutError(path, lookUp(path), timeout);
  }
  return Math.min(pause, deadline.remaining);
}
