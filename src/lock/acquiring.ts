// What follows a first attempt that did not get the lock. Most do, and then none
// of this is loaded.
import { throwIfAborted } from '../base/abort.js';
import { inBurst } from '../base/bursts.js';
import { Callers } from '../base/callers.js';
import { LockHeldError, LockStateError, LockTimeoutError } from '../base/errors.js';
import type { Holder } from '../base/holder.js';
import { type FilePath, pathText } from '../base/paths.js';
import { sleep, sleepSync } from '../base/timers.js';
import type { LockFile } from '../holders/lock-file.js';
import { holderInBurst, holderOf, looksSoFar } from '../holders/who-holds.js';
import { beginHold, type Hold, holdOf, isHold, takeFree } from './hold.js';
import { nativeMode, type Request } from './options.js';
import { refuseToWaitForItself, watchForItself } from './self-wait.js';
import { type Deadline, deadlineOf, type Listener, type Outcome, type Wait } from './wait.js';
import { attempt, attemptSync, waitForLock, waitForLockSync } from './waiting.js';

// A probe holds the lock for microseconds; it must not cause a refusal.
const SECOND_TRY_MILLISECONDS = 1;
// A file that is replaced again and again must not cause a busy loop.
const ROUNDS_WITHOUT_PAUSE = 3;
const LONGEST_PAUSE_MILLISECONDS = 50;

export function holdOrThrow(request: Request, result: Result): Hold {
  if (typeof result === 'object') return result;
  throw refusal(request, result, holderOf);
}

function refusal(
  { path, timeout }: Request,
  result: 'refused' | 'timeout',
  lookUp: LookUp,
): LockHeldError | LockTimeoutError {
  const holder = lookUp(path);
  if (result === 'refused') return new LockHeldError(path, holder);
  return new LockTimeoutError(path, holder, timeout);
}

type LookUp = typeof holderOf;
type Result = Hold | 'refused' | 'timeout';
type Answer = Outcome | 'refused' | undefined;
/** A grant either became a hold, or the path leads elsewhere by now. */
type Ungranted = Exclude<Answer, 'granted'>;

/** What the loop asks for; one of two callers performs it. */
type Step =
  | { what: 'attempt' | 'wait'; wait: Wait }
  | { what: 'pause'; milliseconds: number; signal: AbortSignal | undefined };

/**
 * Runs the loop. Between a grant and the caller there is no promise but the
 * caller's. Everything else follows a promise, so that it runs in the caller's
 * async context: `onWait`, and the search for locks held around the call.
 */
export function goOnAsync<L>(
  request: Request,
  start: Start & { callee: (...args: never[]) => unknown },
  make: (hold: Hold) => L,
  listener: Listener<L> & { refused?: () => void },
): void {
  const began = looksSoFar();
  const lookUp = <T extends object>(path: FilePath): Holder<T> | null => holderInBurst(path, began);
  const rounds = acquiring(request, start, { takesThread: false, lookUp });
  const callers = new Callers(start.callee);
  const goOn = (answer: Ungranted): void => {
    const next = rounds.next(answer);
    if (next.done !== true) perform(next.value).then(goOn).catch(listener.failed);
    else if (typeof next.value === 'object') listener.ended(make(next.value));
    else if (listener.refused !== undefined) listener.refused();
    else refuse(next.value);
  };
  // Thousands can be refused together, and each looks for the holder.
  const refuse = (result: 'refused' | 'timeout'): void =>
    inBurst(() => {
      try {
        listener.failed(callers.putInto(refusal(request, result, lookUp)));
      } catch (error) {
        listener.failed(error);
      }
    });
  const perform = (step: Step): Promise<Ungranted> => {
    if (step.what === 'pause') return sleep(step.milliseconds, step.signal) as Promise<undefined>;
    const hold = holdOf(request, step.wait.file);
    const lock = make(hold);
    return new Promise((goesOn, failed) => {
      const ended = (answer: Answer, status?: number): void => {
        try {
          if (answer !== 'granted') goesOn(answer);
          else if (beginHold(request, hold, status)) listener.ended(lock);
          else goesOn('replaced');
        } catch (error) {
          failed(error);
        }
      };
      if (step.what === 'attempt') attempt(step.wait, { ended, failed });
      else if (request.oneOfMany) waitForLock(step.wait, { ended, failed });
      else waitForLock(step.wait, watchForItself(request, step.wait, callers, { ended, failed }));
    });
  };
  goOn(undefined);
}

export function goOnSync(request: Request, start: Start): Result {
  const rounds = acquiring(request, start, { takesThread: true, lookUp: holderOf });
  let answer: Ungranted;
  for (;;) {
    const { done, value } = rounds.next(answer);
    if (done === true) return value;
    if (value.what === 'pause') {
      sleepSync(value.milliseconds);
      answer = undefined;
      continue;
    }
    const outcome =
      value.what === 'attempt' ? attemptSync(value.wait) : waitForLockSync(value.wait);
    const hold = outcome === 'granted' ? holdOf(request, value.wait.file) : null;
    if (hold !== null && beginHold(request, hold)) return hold;
    answer = outcome === 'granted' ? 'replaced' : outcome;
  }
}

/** The result of the first attempt. */
interface Start {
  first: LockFile | null;
  deadline: Deadline;
}

interface Way {
  /** It blocks the thread, and checks the signal only once, before the first attempt. */
  takesThread: boolean;
  lookUp: LookUp;
}

/**
 * Goes on after the first attempt: waits, and starts again if the file was
 * replaced at its path. A step that throws has closed the file.
 */
function* acquiring(request: Request, start: Start, way: Way): Generator<Step, Result, Ungranted> {
  const { timeout } = request;
  const { deadline } = start;
  const signal = way.takesThread ? undefined : request.signal;
  let file = start.first;
  let announced = false;
  for (let round = 0; ; round++) {
    let outcome: Ungranted = 'replaced';
    if (file !== null) {
      const wait = waitFor(request, file, deadline);
      outcome = file.isRemote ? yield { what: 'attempt', wait } : 'refused';
      if (outcome === 'refused') refuseSameFile(request.beside, file);
      if (outcome === 'refused' && timeout === 0) {
        if (request.oneOfMany) {
          file.close();
          return 'refused';
        }
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
    }
    const pause = pauseAfter(round);
    if (timeout === 0) {
      if (outcome === 'timeout' || pause > 0) return 'refused';
    } else {
      const { remaining } = deadline;
      if (outcome === 'timeout' || remaining === 0) return 'timeout';
      if (pause > 0) yield { what: 'pause', milliseconds: Math.min(pause, remaining), signal };
    }
    // Check in each round: nobody listens while a wait is ending.
    throwIfAborted(signal);
    const taken = takeFree(request);
    if (isHold(taken)) return taken;
    file = taken;
  }
}

function waitFor(request: Request, file: LockFile, deadline: Deadline): Wait {
  const { mode, wish, dataText, signal, pollInterval } = request;
  const until = deadline.remaining === 0 ? deadlineOf(0, file.isRemote) : deadline;
  return {
    file,
    mode: nativeMode(mode),
    deadline: until,
    signal,
    followPath: true,
    wish,
    data: dataText === '' ? undefined : dataText,
    pollInterval,
  };
}

function closeIfAborted(signal: AbortSignal | undefined, { file }: Wait): void {
  if (signal?.aborted !== true) return;
  file.close();
  throw signal.reason;
}

/** Calls `onWait`, since the caller has to wait. */
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
 * One file under two names, such as a hard link: the call would wait for itself.
 * Check before each wait, since the path may lead to another file by now.
 */
function refuseSameFile(beside: Request['beside'], file: LockFile): void {
  const same = beside?.find((each) => each.isSame(file));
  if (same === undefined) return;
  file.close();
  const message = `${pathText(file.path)} is the same file as ${pathText(same.path)}, which this call holds already; pass one of the two`;
  throw new LockStateError(file.path, message);
}

/** In milliseconds. */
function pauseAfter(round: number): number {
  if (round < ROUNDS_WITHOUT_PAUSE) return 0;
  return Math.min(2 ** (round - ROUNDS_WITHOUT_PAUSE), LONGEST_PAUSE_MILLISECONDS);
}
