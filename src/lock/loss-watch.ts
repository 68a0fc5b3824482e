import { clearInterval, setInterval } from 'node:timers';
import { isLockError, LockLostError } from '../base/errors.js';
import { pathText } from '../base/paths.js';
import type { LockFile } from '../holders/lock-file.js';

// Well below the promised second.
const CHECK_MILLISECONDS = 250;
const MOST_FAILED_CHECKS = 3;

// Keyed by the file and not by the lock, so that a held lock that is dropped is
// still collected, with a warning.
const controllers = new WeakMap<LockFile, AbortController>();
/** The held files whose signal was read, and how many checks in a row have failed. */
const watched = new Map<LockFile, number>();
let checking: NodeJS.Timeout | undefined;

/**
 * The signal of a lock's loss, created on first use. From then on the path is
 * watched until the lock ends, by one timer for all locks.
 */
export function lossSignal(file: LockFile, isHeld: boolean): AbortSignal {
  const known = controllers.get(file);
  if (known !== undefined) return known.signal;
  const { signal } = controllerOf(file);
  if (isHeld) {
    watched.set(file, 0);
    check(file, 0);
    checking ??= setInterval(checkAll, CHECK_MILLISECONDS).unref();
  }
  return signal;
}

/** Aborts the signal, even one that is first read later. `cause` may be the loss itself. */
export function tellLoss(file: LockFile, cause: unknown): void {
  endLossWatch(file);
  const message = `${pathText(file.path)} was lost: the mode of its lock could not be changed`;
  const isLoss = isLockError(cause, 'ERR_LOCK_LOST');
  controllerOf(file).abort(isLoss ? cause : new LockLostError(file.path, message, cause));
}

/** Call when the lock is no longer held. */
export function endLossWatch(file: LockFile): void {
  if (watched.size > 0) watched.delete(file);
}

function controllerOf(file: LockFile): AbortController {
  let controller = controllers.get(file);
  if (controller === undefined) {
    controller = new AbortController();
    controllers.set(file, controller);
  }
  return controller;
}

function checkAll(): void {
  for (const [file, failed] of watched) check(file, failed);
  if (watched.size > 0) return;
  clearInterval(checking);
  checking = undefined;
}

/** Whatever makes a check fail, the lock counts as lost if the next checks fail, too. */
function check(file: LockFile, failed: number): void {
  try {
    if (file.size() >= 0) {
      if (failed > 0) watched.set(file, 0);
      return;
    }
  } catch {
    if (failed + 1 < MOST_FAILED_CHECKS) {
      watched.set(file, failed + 1);
      return;
    }
  }
  tellLoss(file, file.lost());
}
