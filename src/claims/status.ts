import { argumentError } from '../base/arguments.js';
import { LockHeldError } from '../base/errors.js';
import { printable } from '../base/holder.js';
import { isOwn, ownIdentity } from '../holders/process-identity.js';
import type { ClaimFile } from './claim-file.js';
import type { Claimed, Found } from './model.js';
import { parsePattern } from './parse-pattern.js';
import { formatParts } from './parts.js';
import type { Entry } from './pattern.js';
import type { Root } from './root.js';
import type { ClaimStatus } from './types.js';

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
    task: claim?.task ?? null,
    lockedAt: claim?.lockedAt ?? null,
    expiresAt: claim?.expiresAt ?? null,
    bound: claim?.bound == null ? null : { pid: claim.bound.pid },
  };
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
  const { agent, files, directories, except, task, expiresAt } = status;
  const parse = (list: string[], kind: Entry['kind']) =>
    list.map((each) => parsePattern(each, kind, root, 'options.existing'));
  return {
    agent,
    parts: [
      {
        patterns: [...parse(files, 'file'), ...parse(directories, 'directory')],
        except: parse(except, 'file'),
        tree: null,
        by: 'hand',
        touched: null,
      },
    ],
    task,
    expiresAt,
  };
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
