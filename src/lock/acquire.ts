import { throwIfAborted } from '../base/abort.js';
import { LockHeldError, LockStateError, LockTimeoutError } from '../base/errors.js';
import { pathText } from '../base/paths.js';
import { sleep, sleepSync } from '../base/timers.js';
import { LockFile } from '../holders/lock-file.js';
import { holderInTurn, holderOf } from '../holders/who-holds.js';
import { beginHold, type Hold, takeFree } from './hold.js';
import { nativeMode, type Request } from './options.js';
import { watchForItself } from './self-wait.js';
import { Deadline, deadlineOf, type Listener, type Outcome, type Wait } from './wait.js';
import { attempt, attemptSync, waitForLock, waitForLockSync } from './waiting.js';

// A probe holds the lock for microseconds; it must not cause a refusal.
const SECOND_TRY_MILLISECONDS = 1;
// A file that is replaced at every look is not worth a busy loop.
const ROUNDS_WITHOUT_PAUSE = 3;
const LONGEST_PAUSE_MILLISECONDS = 50;

/** Waits without taking this thread. */
export async function acquire(request: Request): Promise<Hold> {
  throwIfAborted(request.signal);
  const deadline = new Deadline(request.timeout);
  const first = takeFree(request);
  if (isHold(first)) return first;
  const way = { takesThread: false, lookUp: holderInTurn };
  // A single promise between the grant and the caller. An error is made behind
  // it, so that its stack shows who has awaited this call.
  const result = await new Promise<Result>((ended, failed) =>
    goOn(acquiring(request, { first, deadline }, way), { ended, failed }),
  );
  return holdOrThrow(request, result, holderInTurn);
}

/** The same, taking this thread for as long as it waits. */
export function acquireSync(request: Request): Hold {
  throwIfAborted(request.signal);
  const deadline = new Deadline(request.timeout);
  const first = takeFree(request);
  if (isHold(first)) return first;
  return holdOrThrow(request, goOnSync(request, { first, deadline }), holderOf);
}

/** Without waiting, and without the search for the holder: `null` if refused. */
export function tryAcquire(request: Request): Hold | null {
  const first = takeFree(request);
  if (isHold(first)) return first;
  const start = { first, deadline: new Deadline(0) };
  const result = goOnSync({ ...request, timeout: 0 }, start);
  return typeof result === 'object' ? result : null;
}

function isHold(taken: Hold | LockFile | null): taken is Hold {
  return taken !== null && !(taken instanceof LockFile);
}

function holdOrThrow({ path, timeout }: Request, result: Result, lookUp: LookUp): Hold {
  if (typeof result === 'object') return result;
  const holder = lookUp(path);
  if (result === 'refused') throw new LockHeldError(path, holder);
  throw new LockTimeoutError(path, holder, timeout);
}

type LookUp = typeof holderOf;
type Result = Hold | 'refused' | 'timeout';
type Answer = Outcome | 'refused' | undefined;
type Rounds = Generator<Step, Result, Answer>;

/** What the loop needs to have done, in one of two ways. */
type Step =
  | { what: 'attempt' | 'wait'; wait: Wait }
  | { what: 'pause'; milliseconds: number; signal: AbortSignal | undefined };

/** Runs the loop, from one answer to the next, without a promise in between. */
function goOn(rounds: Rounds, listener: Listener<Result>, answer?: Answer): void {
  try {
    for (let step = rounds.next(answer); ; step = rounds.next(answer)) {
      if (step.done === true) {
        listener.ended(step.value);
        return;
      }
      const later = {
        ended: (outcome: Answer) => goOn(rounds, listener, outcome),
        failed: listener.failed,
      };
      const now = take(step.value, later);
      if (now === 'later') return;
      answer = now;
    }
  } catch (error) {
    listener.failed(error);
  }
}

function take(step: Step, later: Listener<Answer>): Answer | 'later' {
  if (step.what === 'pause') {
    sleep(step.milliseconds, step.signal).then(() => later.ended(undefined), later.failed);
    return 'later';
  }
  if (step.what === 'attempt') {
    const outcome = attempt(step.wait);
    if (!(outcome instanceof Promise)) return outcome;
    outcome.then(later.ended, later.failed);
    return 'later';
  }
  waitForLock(step.wait, watchForItself(step.wait, later));
  return 'later';
}

function takeSync(step: Step): Answer {
  if (step.what === 'pause') sleepSync(step.milliseconds);
  else return step.what === 'attempt' ? attemptSync(step.wait) : waitForLockSync(step.wait);
  return undefined;
}

function goOnSync(request: Request, start: Start): Result {
  const rounds = acquiring(request, start, { takesThread: true, lookUp: holderOf });
  let step = rounds.next();
  while (step.done !== true) step = rounds.next(takeSync(step.value));
  return step.value;
}

/** What came of the first attempt. */
interface Start {
  first: LockFile | null;
  deadline: Deadline;
}

interface Way {
  /** Then it checks the signal once, before the first attempt. */
  takesThread: boolean;
  lookUp: LookUp;
}

/**
 * Goes on after the first attempt: waits, and starts again where the file was
 * replaced at its path. A step that throws has closed the file.
 */
function* acquiring(request: Request, start: Start, way: Way): Rounds {
  const { timeout } = request;
  const { deadline } = start;
  const signal = way.takesThread ? undefined : request.signal;
  let file = start.first;
  let announced = false;
  for (let round = 0; ; round++) {
    let outcome: Answer = 'replaced';
    if (file !== null) {
      const wait = waitFor(request, file, deadline);
      outcome = file.isRemote ? yield { what: 'attempt', wait } : 'refused';
      if (outcome === 'refused' && timeout === 0) {
        yield { what: 'pause', milliseconds: SECOND_TRY_MILLISECONDS, signal: undefined };
        closeIfAborted(signal, wait);
        outcome = yield { what: 'attempt', wait };
        if (outcome === 'refused') {
          file.close();
          return 'refused';
        }
      } else if (outcome === 'refused') {
        prepareToWait(announced ? undefined : request.onWait, wait, way);
        announced = true;
        outcome = yield { what: 'wait', wait };
      }
      const hold = outcome === 'granted' ? beginHold(request, file) : null;
      if (hold !== null) return hold;
    }
    const pause = pauseAfter(round);
    if (timeout === 0) {
      if (outcome === 'timeout' || pause > 0) return 'refused';
    } else {
      const { remaining } = deadline;
      if (outcome === 'timeout' || remaining === 0) return 'timeout';
      if (pause > 0) yield { what: 'pause', milliseconds: Math.min(pause, remaining), signal };
    }
    // Again in each round: while a wait is being ended, nobody listens.
    throwIfAborted(signal);
    const taken = takeFree(request);
    if (isHold(taken)) return taken;
    file = taken;
  }
}

function waitFor(request: Request, file: LockFile, deadline: Deadline): Wait {
  const { mode, signal, pollInterval } = request;
  const until = deadline.remaining === 0 ? deadlineOf(0, file.isRemote) : deadline;
  return { file, mode: nativeMode(mode), deadline: until, signal, followPath: true, pollInterval };
}
function closeIfAborted(signal: AbortSignal | undefined, { file }: Wait): void {
  if (signal?.aborted !== true) return;
  file.close();
  throw signal.reason;
}

/** Tells the caller, with `onWait`, that it has to wait. */
function prepareToWait(onWait: Request['onWait'], wait: Wait, { takesThread, lookUp }: Way): void {
  try {
    if (takesThread) refuseToWaitForItself(wait);
    onWait?.(lookUp(wait.file.path));
    // onWait may have started a wait of its own.
    if (takesThread) refuseToWaitForItself(wait);
  } catch (error) {
    wait.file.close();
    throw error;
  }
}

/**
 * A synchronous wait for what only this thread can do would never end. If the
 * thread has a wait of its own pending, the kernel grants that one first, and
 * its JavaScript cannot run any more.
 */
function refuseToWaitForItself({ file, mode }: Wait): void {
  if (!file.native.blockedByItself(file.id, mode)) return;
  throw new LockStateError(
    file.path,
    `${pathText(file.path)} is held or waited for by this very thread, so a synchronous wait for it would never end; use acquire(), or release it first`,
  );
}

/** In milliseconds. */
function pauseAfter(round: number): number {
  if (round < ROUNDS_WITHOUT_PAUSE) return 0;
  return Math.min(2 ** (round - ROUNDS_WITHOUT_PAUSE), LONGEST_PAUSE_MILLISECONDS);
}
