import { existsSync } from 'node:fs';
import { printable } from '../base/holder.js';
import type { Claims } from '../claims/claims.js';
import { describeEnd, describeWitness } from '../claims/conflict-words.js';
import { endOf } from '../claims/status.js';
import type { ClaimStatus, ClaimWait, Conflict, PathVerdict, Plan } from '../claims/types.js';
import { type Streams, say } from './streams.js';
import { tableLines } from './table.js';
import { age, clockTime } from './time.js';

// A wider matrix is hard to read.
const MOST_COLUMNS = 16;
const LEAST_DETAILS = 30;

type Shown = Pick<ClaimStatus, 'files' | 'directories'> & Partial<Pick<ClaimStatus, 'except'>>;

export function scopeOf({ files, directories, except = [] }: Shown): string {
  const [first = '-', ...more] = [...directories, ...files];
  const others = more.length > 0 ? ` (+${more.length})` : '';
  return `${printable(first)}${others}${except.length > 0 ? ` except ${except.length}` : ''}`;
}

/** `tests waits for api: app/api/x.ts (2m)`, a line for each that waits. */
export function waitLines(waits: readonly ClaimWait[]): string[] {
  const now = Date.now();
  return waits.map((wait) => {
    const who = wait.agents.map(printable).join(', ');
    const whom = wait.blockedBy.map(printable).join(', ');
    const words = `${wait.agents.length > 1 ? 'wait' : 'waits'}${whom === '' ? '' : ` for ${whom}`}`;
    return `${who} ${words}: ${scopeOf(wait)} (${age(now - wait.since.getTime())})`;
  });
}

/** `holdfast claim check`. */
export function verdictLines(verdicts: readonly PathVerdict[], width?: number): string[] {
  return tableLines(
    verdicts.map(({ path, verdict, owner, matchedBy, notice }) => {
      if (owner === null) return [printable(path), '-', verdict];
      const { expiresAt } = owner;
      const until = expiresAt === null ? '' : describeEnd(expiresAt, endOf(owner), clockTime);
      const task = owner.task === null ? '' : `"${printable(owner.task)}"`;
      const match = `matched by ${printable(matchedBy ?? '')}`;
      return [printable(path), printable(owner.agent), until, task, match, printable(notice ?? '')];
    }),
    width,
  );
}

/** `app/api/ x app/**   both match app/api/b`. */
function overlap({ entries, witness }: Conflict): string {
  const [one, other] = entries.map(({ pattern }) => printable(pattern));
  return `${one} x ${other}   ${describeWitness(witness)}`;
}

/** One line for each conflict, with the names of the agents. */
export function conflictLines(conflicts: readonly Conflict[]): string[] {
  return conflicts.map((conflict) => {
    const [one, other] = conflict.agents.map(printable);
    return `${one} and ${other}: ${overlap(conflict)}`;
  });
}

/** `holdfast claim plan`. */
export function planLines(
  { waves, conflicts }: Plan,
  agents: readonly string[],
  width?: number,
): string[] {
  const asMatrix =
    agents.length <= MOST_COLUMNS && matrixWidth(agents) <= (width ?? Number.POSITIVE_INFINITY);
  const lines = asMatrix ? matrix(conflicts, agents, width) : conflictLines(conflicts);
  const asked = new Set(agents);
  if (asMatrix) {
    const withOthers = conflicts.filter(({ agents: [, other] }) => !asked.has(other));
    lines.push(...conflictLines(withOthers).map((line) => `claimed already: ${line}`));
  }
  const named = waves.map((wave, at) => `wave ${at + 1}: ${wave.map(printable).join(', ')}`);
  const inOneLine = named.join('      ');
  lines.push(...(inOneLine.length <= Math.min(100, width ?? 100) ? [inOneLine] : named));
  if (conflicts.length > 0) lines.push(...advice(conflicts));
  return lines;
}

/** Leaves room for the details; a wider matrix is replaced by a list. */
function matrixWidth(agents: readonly string[]): number {
  const lengths = agents.map((agent) => printable(agent).length);
  return Math.max(0, ...lengths) + lengths.reduce((sum, each) => sum + each + 2, 2) + LEAST_DETAILS;
}

function matrix(
  conflicts: readonly Conflict[],
  agents: readonly string[],
  width?: number,
): string[] {
  const between = (one: string, other: string): Conflict | undefined =>
    conflicts.find(
      ({ agents: [a, b] }) => (a === one && b === other) || (a === other && b === one),
    );
  const rows = agents.flatMap((agent) => {
    const details = conflicts
      .filter(({ agents: [one, other] }) => one === agent && agents.includes(other))
      .map(overlap);
    const cells = agents.map((other) => (between(agent, other) === undefined ? '.' : 'X'));
    const more = details.slice(1).map((each) => ['', ...agents.map(() => ''), each]);
    return [[printable(agent), ...cells, details[0] ?? ''], ...more];
  });
  return tableLines([['', ...agents.map(printable), ''], ...rows], width);
}

/** How to need fewer waves: the best resolution of each conflict. */
function advice(conflicts: readonly Conflict[]): string[] {
  const best = conflicts.map(({ agents, resolutions: [first] }) => ({ agents, first }));
  const words = best.map(({ first }) => `${first?.kind} - ${printable(first?.text ?? '')}`);
  if (best.length === 1) {
    const together = best[0]?.first?.kind !== 'sequential';
    return [together ? `One wave is possible: ${words[0]}` : `One after the other: ${words[0]}`];
  }
  // Each is right on its own. All together may leave an agent without a scope.
  const lines = best.map(
    ({ agents }, at) => `  ${agents.map(printable).join(' and ')}: ${words[at]}`,
  );
  return ['To need fewer waves:', ...lines];
}

/** Warns of a missing folder: if its name is misspelled, everything would seem free. */
export function warnIfMissing(directory: string, streams: Streams): boolean {
  const missing = !existsSync(directory);
  if (missing) say(streams, `the folder ${directory} does not exist, so there are no claims`);
  return missing;
}

/** Files that are not valid claims stay, and block all claims. */
export async function reportInvalid(claims: Claims, streams: Streams): Promise<void> {
  for (const { file, state, reason } of await claims.list()) {
    if (state === 'invalid')
      say(streams, `${printable(file)} is not a valid claim and was left alone: ${reason}`);
  }
}
