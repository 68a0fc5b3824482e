import { isLockError } from '../base/errors.js';
import { printable } from '../base/holder.js';
import type { Claims } from '../claims/claims.js';
import { describeCircle, describeConflict } from '../claims/conflict-words.js';
import { ClaimConflictError } from '../claims/errors.js';
import type { ClaimOptions, ClaimRequest, Conflict } from '../claims/types.js';
import { ownCommand } from '../native/own-command.js';
import type { ClaimArguments } from './claim-options.js';
import { groupsOf, type PathGroup } from './claim-paths.js';
import { type Streams, say } from './streams.js';
import { clockTime } from './time.js';

/** What `add` and `run` claim in one repository. */
export function requestOf(
  { claims, places, words }: PathGroup,
  isOneOfSeveral: boolean,
  given: ClaimArguments,
): ClaimRequest {
  const { agent, task, ttl } = given;
  const entries = words.map((word) => places.entry(word));
  const texts = (kind: 'file' | 'directory'): string[] =>
    entries.filter((each) => each.kind === kind).map((each) => each.pattern);
  return {
    agent,
    files: texts('file'),
    directories: texts('directory'),
    except: exceptOf(claims ?? given.claims, given, isOneOfSeveral),
    taskDescription: task,
    ttl,
  };
}

/** Of several repositories, each gets what is excepted in it. */
function exceptOf(claims: Claims, given: ClaimArguments, isOneOfSeveral: boolean): string[] {
  const groups = groupsOf(given.except, given);
  const own = groups.filter((group) => {
    return !isOneOfSeveral || group.claims?.directory === claims.directory;
  });
  return own.flatMap(({ places, words }) => words.map((word) => places.except(word)));
}

/** How `add` and `run` wait, and say so. */
export function optionsOf(given: ClaimArguments, streams: Streams): ClaimOptions {
  const { timeout, ignoreInvalid, force, quiet } = given;
  const onWait = (conflicts: Conflict[]): void => {
    if (quiet) return;
    for (const each of conflicts) say(streams, `waiting: ${describeConflict(each, clockTime)}`);
  };
  return { timeout, ignoreInvalid, force, onWait };
}

export function isRefusal(error: unknown): boolean {
  return error instanceof ClaimConflictError || isLockError(error, 'ERR_LOCK_HELD');
}

/**
 * Reports a refusal; returns its exit status. Rethrows any other error.
 * `outcome`: what the call has claimed before, and what not; by default nothing.
 */
export function refusal(
  error: unknown,
  given: ClaimArguments,
  streams: Streams,
  outcome?: string,
): number {
  const { quiet, timeout, conflictCode } = given;
  if (error instanceof ClaimConflictError) {
    if (!quiet) refuse(error, timeout, streams, outcome ?? 'nothing claimed');
  } else if (isLockError(error, 'ERR_LOCK_HELD')) {
    if (!quiet) say(streams, error.message);
    if (!quiet && outcome !== undefined) say(streams, outcome);
  } else throw error;
  return conflictCode;
}

function refuse(
  error: ClaimConflictError,
  timeout: number,
  streams: Streams,
  outcome: string,
): void {
  const { conflicts, circle } = error;
  if (circle.length > 0) say(streams, describeCircle(circle));
  for (const conflict of conflicts) {
    say(streams, describeConflict(conflict, clockTime));
    for (const { kind, text } of conflict.resolutions) {
      say(streams, `  ${kind} - ${printable(text)}`);
    }
  }
  const advice = timeout > 0 || circle.length > 0 ? '' : 'use -w TIME to wait, or ';
  say(streams, `${outcome}; ${advice}see: ${ownCommand()} claim list`);
}
