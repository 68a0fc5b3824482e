import { isOtherNamespace, namespaceOf } from '../holders/process-identity.js';
import type { ClaimFile } from './claim-file.js';
import type { Claimed, ClaimPart, Found } from './model.js';
import { entriesOf, listsOf } from './parts.js';
import type { ClaimPartStatus, ClaimStatus } from './types.js';

type Ending = Pick<ClaimStatus, 'state'> & Partial<Pick<ClaimStatus, 'bound' | 'session'>>;

/** A claim as users see it. */
export function statusOf({ agent, file, state, reason, claim }: Found): ClaimStatus {
  const { files, directories, except } = entriesOf(claim?.parts ?? []);
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
    bound: boundOf(claim),
    waiters: [],
    session: sessionOf(claim),
    parent: claim?.parent ?? null,
  };
}

function partStatusOf({ patterns, except, tree, by, touched }: ClaimPart): ClaimPartStatus {
  return { ...listsOf(patterns), except: except.map((each) => each.pattern), tree, by, touched };
}

/** The scope of a valid claim. */
export function claimed({ agent, state, claim }: Found): Claimed {
  const { parts, task, expiresAt } = claim as ClaimFile;
  const ending = { state, bound: boundOf(claim), session: sessionOf(claim) };
  return { agent, parts, task, expiresAt, ...endOf(ending) };
}

/** With which process a claim ends, if it does. */
export function endOf(ending: Ending): { pid: number | null; inOtherContainer: boolean } {
  return { pid: holdingPid(ending), inOtherContainer: isHeldElsewhere(ending) };
}

function boundOf(claim: ClaimFile | null): ClaimStatus['bound'] {
  if (claim === null || claim.bound === null) return null;
  const { pid, start } = claim.bound;
  return { pid: isOtherNamespace(namespaceOf(start)) ? null : pid };
}

function sessionOf(claim: ClaimFile | null): ClaimStatus['session'] {
  if (claim === null || claim.session === null) return null;
  const { pid, namespace } = claim.session;
  return { pid: isOtherNamespace(namespace) ? null : pid };
}

/** Whether it ends with a process that has another pid here. That of a session is not followed from here. */
export function isHeldElsewhere({ state, bound }: Ending): boolean {
  return isHeld(state) && bound != null && bound.pid === null;
}

/** The process with which a claim ends; `null`: it has ended, lives by its expiry, or is held elsewhere. */
export function holdingPid({ state, bound, session }: Ending): number | null {
  return isHeld(state) ? ((bound ?? session)?.pid ?? null) : null;
}

function isHeld(state: ClaimStatus['state']): boolean {
  return state === 'active' || state === 'conflicting';
}
