// Answers of the tools. Each says the same twice, as text and as fields, because
// some hosts show their model only the one and some only the other.
import { printable } from '../base/holder.js';
import type { ClaimStatus, Conflict, PathVerdict, Plan } from '../claims/types.js';
import { type Own, type PartOfScope, scopeOf } from './own.js';

// Nobody reads more, and a model pays for each word.
const MOST_CONFLICTS = 20;
const MOST_CLAIMS = 100;
const MOST_ENTRIES = 20;

export interface Answer {
  [key: string]: unknown;
  content: { type: 'text'; text: string }[];
  structuredContent?: Record<string, unknown>;
  isError?: boolean;
}

/** Why a claim was refused: a `ClaimConflictError`. */
interface Refusal {
  readonly conflicts: readonly Conflict[];
  /** Agents of which each waits for the next, and the last for the first. */
  readonly circle: readonly string[];
}

function answer(lines: readonly string[], facts: Record<string, unknown>): Answer {
  return { content: [{ type: 'text', text: lines.join('\n') }], structuredContent: facts };
}

/** For what is neither granted nor refused: the call itself was wrong, or failed. */
export function failure(text: string): Answer {
  return { content: [{ type: 'text', text }], isError: true };
}

export function granted({ agent, root, scope, except, parts }: Own, waited: number): Answer {
  const after = waited > 0 ? ` after ${waited}s` : '';
  const lines = [
    `Granted${after}. You (${printable(agent)}) have in ${root}: ${written(parts)}`,
    'Others cannot claim these paths until you call "release" or your session ends.',
  ];
  return answer(lines, {
    granted: true,
    agent,
    root,
    scope: shortened(scope),
    except: shortened(except),
    conflicts: [],
    more_conflicts: 0,
    circle: [],
  });
}

export function refused(own: Own, { conflicts, circle }: Refusal, waited: number): Answer {
  const { agent, root, scope, except, parts } = own;
  const shown = conflicts.slice(0, MOST_CONFLICTS);
  const more = conflicts.length - shown.length;
  const lines = [
    `Not granted${waited > 0 ? ` within ${waited}s` : ''}: others have some of these paths. Nothing was claimed.`,
    ...shown.flatMap(conflictLines),
    ...(more > 0 ? [`and ${more} more conflicts`] : []),
    ...(circle.length > 0 ? [circleLine(circle)] : []),
    'Do not change these paths. Claim other paths, leave theirs out with "except", or call "claim" again with "wait_seconds".',
    `You have: ${written(parts)}`,
  ];
  return answer(lines, {
    granted: false,
    agent,
    root,
    scope: shortened(scope),
    except: shortened(except),
    conflicts: shown.map(({ agents, entries, witness, task, resolutions }) => ({
      with: agents[1],
      path: witness,
      theirs: entries[1].pattern,
      task,
      resolutions: resolutions.map(({ kind, text }) => ({ kind, text })),
    })),
    more_conflicts: more,
    circle: shortened(circle),
  });
}

function circleLine(circle: readonly string[]): string {
  const names = [...circle, circle[0] ?? ''].map(printable).join(' waits for ');
  return `Waiting would never end: ${names}. Release something that you have first.`;
}

function conflictLines({ agents, entries, witness, task, resolutions }: Conflict): string[] {
  const [own, theirs] = entries.map(({ pattern }) => printable(pattern));
  const doing = task === null ? '' : `, for "${printable(task)}"`;
  const both = witness === '' ? '' : ` (both match ${printable(witness)})`;
  return [
    `- ${own}: ${printable(agents[1])} has ${theirs}${both}${doing}`,
    ...resolutions.map(({ kind, text }) => `  ${kind}: ${printable(text)}`),
  ];
}

/** What is said while a claim waits. */
export function waitingFor(conflicts: readonly Conflict[]): string {
  const holders = [...new Set(conflicts.map(({ agents }) => printable(agents[1])))];
  return `waiting for ${shortened(holders).join(', ')}`;
}

export function released(gone: readonly string[], { scope, except, parts }: Own): Answer {
  const said =
    gone.length === 0
      ? 'You had none of these: nothing was released.'
      : `Released: ${listOf(gone)}`;
  const lines = [said, `You have: ${written(parts)}`];
  return answer(lines, {
    released: shortened(gone),
    scope: shortened(scope),
    except: shortened(except),
  });
}

const ADVICE = {
  mine: 'yours',
  unclaimed: 'nobody has it; claim it before you change it',
  outside: 'not in a repository that claims are kept for',
};

export function checked(verdicts: readonly PathVerdict[]): Answer {
  const lines = verdicts.map(({ path, verdict, owner, matchedBy, notice }) => {
    const care = notice === null ? '' : `; ${printable(notice)}`;
    if (verdict !== 'other') return `${printable(path)}: ${ADVICE[verdict]}${care}`;
    const doing = owner?.task == null ? '' : `, for "${printable(owner.task)}"`;
    const entry = printable(matchedBy ?? '');
    return `${printable(path)}: do not change it; ${printable(owner?.agent ?? '')} has ${entry}${doing}`;
  });
  return answer(lines, {
    verdicts: verdicts.map(({ path, verdict, owner, matchedBy, notice }) => ({
      path,
      verdict,
      owner: owner?.agent ?? null,
      entry: matchedBy,
      task: owner?.task ?? null,
      notice,
    })),
  });
}

export function listed(
  agent: string | null,
  root: string,
  statuses: readonly ClaimStatus[],
): Answer {
  const shown = statuses.slice(0, MOST_CLAIMS);
  const more = statuses.length - shown.length;
  const lines = shown.map((status) => claimLine(status, status.agent === agent));
  if (more > 0) lines.push(`and ${more} more claims`);
  if (lines.length === 0) lines.push('Nobody has claimed anything.');
  const you = agent === null ? '' : `You are ${printable(agent)}; `;
  return answer([...lines, `${you}paths are relative to ${root}`], {
    agent,
    root,
    claims: shown.map(claimFacts),
    more_claims: more,
  });
}

/** A claim as the resource `holdfast://claims` and the tool `list` show it. */
export function claimFacts(status: ClaimStatus): Record<string, unknown> {
  const { agent, state, reason, task, lockedAt, expiresAt, waiters } = status;
  const { scope, except } = scopeOf(status.parts);
  return {
    agent,
    state,
    reason,
    scope: shortened(scope),
    except: shortened(except),
    task,
    since: lockedAt?.toISOString() ?? null,
    until: expiresAt?.toISOString() ?? null,
    waiters: shortened(waiters),
  };
}

function claimLine(status: ClaimStatus, isOwn: boolean): string {
  const { agent, state, reason, task, waiters } = status;
  const name = `${printable(agent)}${isOwn ? ' (you)' : ''}`;
  if (state === 'invalid') return `${name}: not a valid claim, ${printable(reason ?? '')}`;
  const doing = task === null ? '' : `, for "${printable(task)}"`;
  const why = reason === null ? '' : `: ${printable(reason)}`;
  const odd = state === 'active' ? '' : ` [${state}${why}]`;
  const wanted = waiters.length === 0 ? '' : `; waiting for it: ${listOf(waiters)}`;
  return `${name}: ${written(scopeOf(status.parts).parts)}${doing}${odd}${wanted}`;
}

export function planned({ waves, conflicts }: Plan): Answer {
  const shown = conflicts.slice(0, MOST_CONFLICTS);
  const more = conflicts.length - shown.length;
  const lines = waves.map((wave, at) => `wave ${at + 1}: ${wave.map(printable).join(', ')}`);
  for (const conflict of shown) {
    const [one, other] = conflict.agents.map(printable);
    const [own, theirs] = conflict.entries.map(({ pattern }) => printable(pattern));
    lines.push(`- ${one} wants ${own}, ${other} ${theirs}`);
    for (const { kind, text } of conflict.resolutions) lines.push(`  ${kind}: ${printable(text)}`);
  }
  if (more > 0) lines.push(`and ${more} more conflicts`);
  lines.push(
    conflicts.length === 0 ? 'No conflicts.' : 'Start a wave when the one before it has ended.',
  );
  return answer(lines, {
    waves,
    conflicts: shown.map(({ agents, entries, witness, resolutions }) => ({
      agents,
      path: witness,
      entries: entries.map(({ pattern }) => pattern),
      resolutions: resolutions.map(({ kind, text }) => ({ kind, text })),
    })),
    more_conflicts: more,
  });
}

/** `src/ except src/gen/; src/gen/a.ts`. */
function written(parts: readonly PartOfScope[]): string {
  const texts = parts.map(({ scope, except }) => {
    const without = except.length === 0 ? '' : ` except ${listOf(except)}`;
    return `${listOf(scope)}${without}`;
  });
  return texts.length === 0 ? 'nothing' : shortened(texts).join('; ');
}

function listOf(texts: readonly string[]): string {
  return shortened(texts).map(printable).join(', ');
}

function shortened(list: readonly string[]): string[] {
  const more = list.length - MOST_ENTRIES;
  return more > 1 ? [...list.slice(0, MOST_ENTRIES), `… and ${more} more`] : [...list];
}
