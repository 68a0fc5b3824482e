import { throwIfAborted } from '../base/abort.js';
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
import { LockFile } from '../holders/lock-file.js';
import { holderInTurn, holderOf } from '../holders/who-holds.js';
import { beginHold, type Hold } from './hold.js';
import { nativeMode, type Request } from './options.js';
import { watchForItself } from './self-wait.js';
import { Deadline, deadlineOf, type Outcome, type Wait } from './wait.js';
import { attempt, attemptHere, attemptSync, waitForLock, waitForLockSync } from './waiting.js';

const MISSING = errnoOf('ENOENT');

// A probe holds the lock for microseconds; it must not cause a refusal.
const SECOND_TRY_MILLISECONDS = 1;
// A file that is replaced at every look is not worth a busy loop.
const ROUNDS_WITHOUT_PAUSE = 3;
const LONGEST_PAUSE_MILLISECONDS = 50;
const FOLDER_TRIES = 10;

/** Waits without taking this thread. */
export async function acquire(request: Request): Promise<Hold> {
  throwIfAborted(request.signal);
  const deadline = new Deadline(request.timeout);
  const file = openLockFile(request);
  const first = tryOnce(request, file);
  if (typeof first === 'object') return first;
  const start = { file, outcome: first, deadline };
  const rounds = acquiring(request, start, { takesThread: false, lookUp: holderInTurn });
  let step = rounds.next();
  while (step.done !== true) {
    const answer = take(step.value);
    step = rounds.next(answer instanceof Promise ? await answer : answer);
  }
  return holdOrThrow(request, step.value, holderInTurn);
}

/** The same, taking this thread for as long as it waits. */
export function acquireSync(request: Request): Hold {
  throwIfAborted(request.signal);
  const deadline = new Deadline(request.timeout);
  const file = openLockFile(request);
  const first = tryOnce(request, file);
  if (typeof first === 'object') return first;
  return holdOrThrow(request, goOnSync(request, { file, outcome: first, deadline }), holderOf);
}

/** Without waiting, and without the search for the holder: `null` if refused. */
export function tryAcquire(request: Request): Hold | null {
  const file = openLockFile(request);
  const first = tryOnce(request, file);
  if (typeof first === 'object') return first;
  const start = { file, outcome: first, deadline: new Deadline(0) };
  const result = goOnSync({ ...request, timeout: 0 }, start);
  return typeof result === 'object' ? result : null;
}

/** Most locks are free: then this is all. `undefined`: not tried, it might hang. */
function tryOnce(request: Request, file: LockFile): Hold | 'refused' | 'replaced' | undefined {
  if (file.isRemote) return undefined;
  const outcome = attemptHere(file, nativeMode(request.mode));
  return outcome === 'granted' ? (beginHold(request, file) ?? 'replaced') : outcome;
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

/** What the loop needs to have done, in one of two ways. */
type Step =
  | { what: 'attempt' | 'wait'; wait: Wait }
  | { what: 'pause'; milliseconds: number; signal: AbortSignal | undefined };

function take(step: Step): Answer | Promise<Answer> {
  if (step.what === 'pause') return sleep(step.milliseconds, step.signal) as Promise<undefined>;
  if (step.what === 'attempt') return attempt(step.wait);
  const unwatch = watchForItself(step.wait);
  const waiting = waitForLock(step.wait);
  return unwatch === undefined ? waiting : waiting.finally(unwatch);
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
  file: LockFile;
  outcome: 'refused' | 'replaced' | undefined;
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
function* acquiring(request: Request, start: Start, way: Way): Generator<Step, Result, Answer> {
  const { timeout } = request;
  const { deadline } = start;
  const signal = way.takesThread ? undefined : request.signal;
  let wait = waitFor(request, start.file, deadline);
  let outcome: Answer = start.outcome ?? (yield { what: 'attempt', wait });
  let announced = false;
  for (let round = 0; ; round++) {
    if (outcome === 'refused' && timeout === 0) {
      yield { what: 'pause', milliseconds: SECOND_TRY_MILLISECONDS, signal: undefined };
      closeIfAborted(signal, wait);
      outcome = yield { what: 'attempt', wait };
      if (outcome === 'refused') {
        wait.file.close();
        return 'refused';
      }
    } else if (outcome === 'refused') {
      prepareToWait(announced ? undefined : request.onWait, wait, way);
      announced = true;
      outcome = yield { what: 'wait', wait };
    }
    const hold = outcome === 'granted' ? beginHold(request, wait.file) : null;
    if (hold !== null) return hold;
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
    wait = waitFor(request, openLockFile(request), deadline);
    outcome = yield { what: 'attempt', wait };
  }
}

function waitFor(request: Request, file: LockFile, deadline: Deadline): Wait {
  const { mode, signal, pollInterval } = request;
  const until = deadline.remaining === 0 ? deadlineOf(0, file.isRemote) : deadline;
  return { file, mode: nativeMode(mode), deadline: until, signal, followPath: true, pollInterval };
}

/** Creates missing folders; others may remove them before the next try. */
function openLockFile({ native, path, permissions, create }: Request): LockFile {
  for (let tries = 0; ; tries++) {
    const id = native.open(path, create ? permissions : -1);
    if (id > 0) return new LockFile(native, id, path);
    if (id !== -MISSING || tries === FOLDER_TRIES || !create) throw openError(-id, path);
    makeFolders(parentOf(path));
  }
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
