import { argumentError } from '../base/arguments.js';
import { LockHeldError } from '../base/errors.js';
import { printable } from '../base/holder.js';
import { commandOf } from '../holders/ancestors.js';
import { isOwn, isRunning, ownIdentity } from '../holders/process-identity.js';
import type { ClaimFile } from './claim-file.js';
import type { Claimed, ClaimPart, Found } from './model.js';
import { parsePatterns } from './parse-pattern.js';
import { formatParts, listsOf } from './parts.js';
import type { Entry } from './pattern.js';
import type { Root } from './root.js';
import { isAlive, isInSession } from './session.js';
import { isLive } from './states.js';
import type { ClaimPartStatus, ClaimStatus } from './types.js';

/** A claim as users see it. */
export function statusOf({ agent, file, state, reason, claim }: Found): ClaimStatus {
  const { files, directories, except } = formatParts(claim?.parts ?? []);
  return {
    agent,
    file,
    state,
    reason,
    files,
    directories,
    except,
    parts: (claim?.parts ?? []).map(partStatusOf),
    task: claim?.task ?? null,
    lockedAt: claim?.lockedAt ?? null,
    expiresAt: claim?.expiresAt ?? null,
    bound: claim?.bound == null ? null : { pid: claim.bound.pid },
    waiters: [],
    session: claim?.session == null ? null : { pid: claim.session.pid },
    parent: claim?.parent ?? null,
  };
}

function partStatusOf({ patterns, except, tree, by, touched }: ClaimPart): ClaimPartStatus {
  return { ...listsOf(patterns), except: except.map((each) => each.pattern), tree, by, touched };
}

/** The scope of a valid claim. */
export function claimed({ agent, claim }: Found): Claimed {
  const { parts, task, expiresAt } = claim as ClaimFile;
  return { agent, parts, task, expiresAt };
}

/** Validates statuses that a caller passes back. */
export function checkStatuses(existing: unknown): ClaimStatus[] {
  const isStatus = (each: unknown): boolean => {
    const { agent, files, directories, except } = Object(each) as Partial<ClaimStatus>;
    return typeof agent === 'string' && [files, directories, except].every(Array.isArray);
  };
  if (!Array.isArray(existing) || !existing.every(isStatus)) {
    const what = 'an array of what list() gives';
    throw argumentError('ERR_INVALID_ARG_TYPE', 'options.existing', what, existing);
  }
  return existing as ClaimStatus[];
}

/** The scope of a status. Its patterns are checked: the caller may have made it up. */
export function claimedBy(status: ClaimStatus, root: Root): Claimed {
  const { agent, task, expiresAt } = status;
  const parse = (list: string[], kind: Entry['kind']) =>
    list.flatMap((each) => parsePatterns(each, kind, root, 'options.existing'));
  // One that was made up, or written to a file by 0.1.0, has no parts.
  const given: Partial<ClaimPartStatus>[] =
    Array.isArray(status.parts) && status.parts.length > 0 ? status.parts : [status];
  const parts = given.map(({ files, directories, except, tree = null, by = 'hand' }) => ({
    patterns: [...parse(files ?? [], 'file'), ...parse(directories ?? [], 'directory')],
    except: parse(except ?? [], 'file'),
    tree,
    by,
    touched: null,
  }));
  return { agent, parts, task, expiresAt };
}

/** Whether another process holds it, or another session. */
export function isForeign({ state, claim }: Found): boolean {
  if (claim === null || !isLive(state)) return false;
  if (claim.bound === null) return claim.session !== null && !isInSession(claim.session);
  const { hostname, boot } = ownIdentity();
  return !isOwn({ ...claim.bound, hostname, boot });
}

/** Whether the process that bound a claim still has its pid. A child of it may have the claim. */
function isItself(bound: { pid: number; start: string } | null): boolean {
  if (bound === null) return true;
  const { hostname, boot } = ownIdentity();
  return isRunning({ ...bound, hostname, boot }) === true;
}

/** The name is taken; or the claim is not this process's to release. */
export function heldByAnother({ agent, file, claim }: Found): LockHeldError {
  const { session = null, bound = null } = claim ?? {};
  const who = bound ?? session;
  // From another pid namespace its pid would mean another process.
  const isHere = bound !== null || (session !== null && isAlive(session) === true);
  const pid = isHere ? (who?.pid ?? null) : null;
  const command = pid === null || !isItself(bound) ? null : commandOf(pid);
  const holder = {
    pid,
    self: false,
    source: 'record' as const,
    verified: false,
    inOtherContainer: false,
    since: claim?.lockedAt ?? null,
    command,
    hostname: null,
    data: null,
  };
  const named = `pid ${who?.pid}${command === null ? '' : ` (${command})`}`;
  const end = 'use another name, or force to take it';
  const message =
    bound !== null
      ? `the claim of ${printable(agent)} is bound to ${named}, which still holds it (or a child of it does): it ends with them; ${end}`
      : isHere
        ? `the claim of ${printable(agent)} is of another session, ${named}, which still runs: it ends with that; ${end}`
        : `the claim of ${printable(agent)} is of another session, ${named} elsewhere, of which cannot be told here whether it still runs: it lives until it expires; ${end}`;
  return new LockHeldError(file, holder, message);
}
