import { AsyncLocalStorage } from 'node:async_hooks';
import { clearTimeout, setTimeout } from 'node:timers';
import type { Callers } from '../base/callers.js';
import { formatTimeout, LockStateError } from '../base/errors.js';
import { type FilePath, pathText } from '../base/paths.js';
import { emitHoldfastWarning } from '../base/warning.js';
import { holderOf } from '../holders/who-holds.js';
import type { NativeBinding } from '../native/binding.js';
import type { Request } from './options.js';
import type { Listener, Wait } from './wait.js';

/** A lock that is held around the running code. */
export interface Around {
  native: NativeBinding;
  id: number;
  /** The path to its file. */
  file: FilePath;
}

const WARN_MILLISECONDS = 1000;
// Long enough for calls that take turns.
const WARN_OF_OWN_MILLISECONDS = 10_000;

// The locks around the running code. Created only with the first such lock, so
// that other programs do not pay for it.
let around: AsyncLocalStorage<readonly Around[]> | undefined;
let running = 0;

/** Runs `body`, and the promises it starts, with these locks held around it. */
export async function runInside<R>(
  locks: readonly Around[],
  body: () => R | Promise<R>,
): Promise<R> {
  around ??= new AsyncLocalStorage();
  // A context may live on and become the context of the next lock, and so on.
  // It keeps only the locks that are still held.
  const held = (around.getStore() ?? []).filter((each) => isOf(each, each.id));
  running++;
  try {
    return await around.run(
      [...held, ...locks.map(({ native, id, file }) => ({ native, id, file }))],
      body,
    );
  } finally {
    // While it is enabled, every promise of the program costs four times as
    // much on Node before 24. Not on Bun: 1.3.14 crashes when a wait ends that
    // began before the call.
    if (--running === 0 && process.versions['bun'] === undefined) around.disable();
  }
}

/** False for an id that is dead. */
function isOf({ native, id }: Around, other: number): boolean {
  return native.sameFile(id, other);
}

/**
 * A synchronous wait for a lock that only this thread can release would never
 * end. If the thread has an asynchronous wait pending, the kernel grants that one
 * first, and its JavaScript cannot run any more.
 */
export function refuseToWaitForItself({ file, mode }: Wait): void {
  if (!file.native.blockedByItself(file.id, mode)) return;
  throw new LockStateError(
    file.path,
    `${pathText(file.path)} is held or waited for by this thread, so a synchronous wait for it would never end; use acquire(), or release it first`,
  );
}

/**
 * Warns after a second where code waits for a lock that is held around it: if the
 * holder waits for this code in turn, neither ends. Call it when the wait starts,
 * in the callers' async context; the wait must report its result to the returned
 * listener.
 */
export function watchForItself<R>(
  request: Request,
  wait: Wait,
  callers: Callers,
  listener: Listener<R>,
): Listener<R> {
  const { file } = wait;
  const holder = around?.getStore()?.find((each) => isOf(each, file.id));
  const stop =
    holder === undefined
      ? watchForOwn(request, wait, callers)
      : warnLater(file.path, callers, () => isOf(holder, file.id));
  if (stop === null) return listener;
  return {
    ended(result, status) {
      stop();
      listener.ended(result, status);
    },
    failed(error) {
      stop();
      listener.failed(error);
    },
  };
}

// Of each path one wait is watched, and it is warned of once.
const watchedPaths = new Set<string>();

/**
 * Warns after ten seconds of a wait that nothing ends, for a lock that this process
 * has held all the time: perhaps the code that holds it awaits this wait, which no
 * async context shows without `withLock`. A hold in another thread is noticed only
 * if several calls of this thread wait, since the addon counts these too. Calls
 * that take turns, and those that set `timeout`, `signal` or `onWait`, are not
 * watched. `null`: not watched.
 */
export function watchForOwn(
  { timeout, signal, onWait }: Pick<Request, 'timeout' | 'signal' | 'onWait'>,
  { file, mode }: Pick<Wait, 'file' | 'mode'>,
  callers: Callers,
  milliseconds = WARN_OF_OWN_MILLISECONDS,
): (() => void) | null {
  const path = pathText(file.path);
  const canEnd = timeout !== Number.POSITIVE_INFINITY || signal !== undefined;
  if (canEnd || onWait !== undefined || watchedPaths.has(path)) return null;
  watchedPaths.add(path);
  const began = Date.now();
  let isWarned = false;
  const timer = setTimeout(() => {
    if (!file.native.blockedByItself(file.id, mode)) return;
    // The record tells whether it is still the same hold; without one there is no warning.
    const holder = holderOf(file.path);
    if (holder?.self !== true || holder.since === null || holder.since.getTime() > began) return;
    isWarned = true;
    emitHoldfastWarning(
      'HOLDFAST_WAITS_FOR_ITSELF',
      `this process holds ${path} and has waited for it for ${formatTimeout(milliseconds)}: if the code that holds it awaits this call, neither ever ends; if both may take so long, pass a timeout or a signal`,
      ['The call that waits:', ...callers.lines].join('\n'),
    );
  }, milliseconds).unref();
  return () => {
    clearTimeout(timer);
    if (!isWarned) watchedPaths.delete(path);
  };
}

/**
 * The same for a wait for any of the locks at `paths`, which stand for `path`: it
 * waits for itself only if all of them are held around it. The returned function
 * ends the watch.
 */
export function watchAllForItself(
  paths: readonly FilePath[],
  path: FilePath,
  callers: Callers,
): () => void {
  const isForItself = (): boolean => paths.every(isHeldAround);
  return isForItself() ? warnLater(path, callers, isForItself) : () => {};
}

function isHeldAround(path: FilePath): boolean {
  const text = pathText(path);
  return (
    around?.getStore()?.some((each) => pathText(each.file) === text && isOf(each, each.id)) === true
  );
}

function warnLater(path: FilePath, callers: Callers, isForItself: () => boolean): () => void {
  const timer = setTimeout(() => {
    if (isForItself()) warn(pathText(path), callers.lines);
  }, WARN_MILLISECONDS).unref();
  return () => clearTimeout(timer);
}

function warn(path: string, callers: string[]): void {
  emitHoldfastWarning(
    'HOLDFAST_WAITS_FOR_ITSELF',
    `${path} is waited for inside a call that holds it, such as withLock(): if that one waits for this, neither ever ends`,
    ['The inner call, and below it the outer:', ...callers].join('\n'),
  );
}
