import { resolve } from 'node:path';
import { formatTimeout, isLockError, type LockError } from '../base/errors.js';
import { type Holder, printable } from '../base/holder.js';
import { monotonicTime } from '../base/timers.js';
import { ownCommand } from '../native/own-command.js';
import { Exit, exitCodeOf, messageOf, messageWith } from './exit-codes.js';
import type { RunOptions } from './run-options.js';
import { shellOperand } from './shell-operand.js';
import { type Streams, say } from './streams.js';
import { describeWhoRefuses } from './who-refuses.js';

export function isRefusal(error: unknown): error is LockError & { holder: Holder | null } {
  return isLockError(error, 'ERR_LOCK_HELD') || isLockError(error, 'ERR_LOCK_TIMEOUT');
}

/**
 * A wait whose time is over while the server gives no answer has that as its
 * cause: whether the lock is held is then not known, so it is no refusal.
 */
export function silenceBehind(error: unknown): unknown {
  return isRefusal(error) ? error.cause : undefined;
}

/**
 * Of `run`: reports a refusal and who holds the lock; returns the exit status.
 * Rethrows any other error as an {@link Exit}.
 */
export function reportRefusal(
  error: unknown,
  typed: string,
  options: RunOptions,
  streams: Streams,
): number {
  if (error instanceof Exit) throw error;
  if (!isRefusal(error)) throw new Exit(exitCodeOf(error), shorten(error, typed));
  if (options.quiet) return options.conflictCode;
  const { holder, message } = error;
  if (options.instance !== null) {
    say(streams, message);
    if (holder !== null)
      say(streams, `${printable(typed)} is held by ${describeWhoRefuses(holder)}`);
    return options.conflictCode;
  }
  const late =
    error.code === 'ERR_LOCK_TIMEOUT' ? `gave up after ${formatTimeout(options.timeout)}: ` : '';
  say(streams, `${late}${printable(typed)} is held by ${describeWhoRefuses(holder)}`);
  if (typeof options.target === 'string') advise(error, typed, streams);
  return options.conflictCode;
}

/** What to do after a refusal. */
export function advise(error: LockError, typed: string, streams: Streams): void {
  const { code, holder } = error as LockError & { holder?: Holder | null };
  const advice =
    holder?.self === true
      ? 'close that descriptor for it, as with 9>&-, or '
      : code === 'ERR_LOCK_TIMEOUT'
        ? ''
        : 'use -w SECONDS to wait, or ';
  say(streams, `command not run; ${advice}see: ${ownCommand()} status ${shellOperand(typed)}`);
}

export function reportDuration(began: number, streams: Streams): void {
  const seconds = ((monotonicTime() - began) / 1000).toFixed(6);
  say(streams, `getting lock took ${seconds} seconds`);
}

/** The message with the path as it was typed. */
function shorten(error: unknown, typed: string): string {
  const { path, syscall } = error as { path?: string; syscall?: unknown };
  // Which folder could not be created, the word that was typed does not say.
  const isOther = syscall === 'mkdir' && resolve(typed) !== path;
  return isOther ? messageOf(error) : messageWith(error, typed);
}
