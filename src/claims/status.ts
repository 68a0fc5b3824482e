import { argumentError } from '../base/arguments.js';
import { LockHeldError } from '../base/errors.js';
import { printable } from '../base/holder.js';
import { isOwn, ownIdentity } from '../holders/process-identity.js';
import type { ClaimFile } from './claim-file.js';
import type { Claimed, ClaimPart, Found } from './model.js';
import { parsePatterns } from './parse-pattern.js';
import { formatParts, listsOf } from './parts.js';
import type { Entry } from './pattern.js';
import type { Root } from './root.js';
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

/** Whether another process holds it. */
export function isForeign({ state, claim }: Found): boolean {
  if (state !== 'active' || claim?.bound == null) return false;
  const { hostname, boot } = ownIdentity();
  return !isOwn({ ...claim.bound, hostname, boot });
}

export function heldByAnother({ agent, file, claim }: Found): LockHeldError {
  const pid = claim?.bound?.pid ?? null;
  const holder = {
    pid,
    self: false,
    source: 'record' as const,
    verified: false,
    inOtherContainer: false,
    since: claim?.lockedAt ?? null,
    command: null,
    hostname: null,
    data: null,
  };
  const message = `the claim of ${printable(agent)} is bound to pid ${pid}, which still holds it (or a child of it does); it ends with them, or with force`;
  return new LockHeldError(file, holder, message);
}
