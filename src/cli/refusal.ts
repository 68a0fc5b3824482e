import { resolve } from 'node:path';
import { formatTimeout, isLockError, type LockError } from '../base/errors.js';
import { describeHolder, type Holder } from '../base/holder.js';
import { monotonicTime } from '../base/timers.js';
import { Exit, exitCodeOf, messageOf } from './exit-codes.js';
import { isLockUrl } from './is-lock-url.js';
import type { RunOptions } from './run-options.js';
import { type Streams, say } from './streams.js';

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
    if (holder !== null) say(streams, `${typed} is held by ${describeHolder(holder)}`);
    return options.conflictCode;
  }
  const late =
    error.code === 'ERR_LOCK_TIMEOUT' ? `gave up after ${formatTimeout(options.timeout)}: ` : '';
  say(streams, `${late}${typed} is held by ${describeHolder(holder)}`);
  if (typeof options.target === 'string') advise(error, typed, streams);
  return options.conflictCode;
}

/** What to do after a refusal. */
export function advise({ code }: LockError, typed: string, streams: Streams): void {
  const advice = code === 'ERR_LOCK_TIMEOUT' ? '' : 'use -w SECONDS to wait, or ';
  say(streams, `command not run; ${advice}see: holdfast status ${quoted(typed)}`);
}

export function reportDuration(began: number, streams: Streams): void {
  const seconds = ((monotonicTime() - began) / 1000).toFixed(6);
  say(streams, `getting lock took ${seconds} seconds`);
}

/** A URL in quotes, where a shell would take it apart. */
function quoted(typed: string): string {
  const isPlain = !isLockUrl(typed) || /^[\w@%+=:,./#~[\]-]+$/.test(typed);
  return isPlain ? typed : `'${typed.replaceAll("'", "'\\''")}'`;
}

/** The message with the path as it was typed. */
function shorten(error: unknown, typed: string): string {
  const message = messageOf(error);
  const { path, syscall } = error as { path?: string; syscall?: unknown };
  // Which folder could not be created, the word that was typed does not say.
  if (path === undefined || (syscall === 'mkdir' && resolve(typed) !== path)) return message;
  return message.replaceAll(path, typed);
}
