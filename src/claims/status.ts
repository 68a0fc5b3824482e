import type { ClaimFile } from './claim-file.js';
import type { Claimed, ClaimPart, Found } from './model.js';
import { formatParts, listsOf } from './parts.js';
import type { ClaimPartStatus, ClaimStatus } from './types.js';

type Ending = Pick<ClaimStatus, 'state'> & Partial<Pick<ClaimStatus, 'bound' | 'session'>>;

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
export function claimed({ agent, state, claim }: Found): Claimed {
  const { parts, task, expiresAt, bound, session } = claim as ClaimFile;
  return { agent, parts, task, expiresAt, pid: holdingPid({ state, bound, session }) };
}

/** The process with which a claim ends; `null`: it has ended, or lives by its expiry. */
export function holdingPid({ state, bound, session }: Ending): number | null {
  const isHeld = state === 'active' || state === 'conflicting';
  return isHeld ? ((bound ?? session)?.pid ?? null) : null;
}
