// What the board of `holdfast claim watch` shows. Pure: nothing is read here.
import { printable } from '../base/holder.js';
import type { ClaimStatus, ClaimWait } from '../claims/types.js';
import { scopeOf, waitLines } from './claim-show.js';
import { tableLines } from './table.js';
import { age, clockTime } from './time.js';

export interface Board {
  statuses: readonly ClaimStatus[];
  waits: readonly ClaimWait[];
}

/** One thing that has happened. `files` and `directories` are what it is about. */
export interface BoardChange {
  event: 'claimed' | 'changed' | 'released' | 'died' | 'expired' | 'invalid' | 'waits' | 'left';
  agents: string[];
  files: string[];
  directories: string[];
  task: string | null;
  /** Of `waits`: whom they wait for. */
  blockedBy: string[];
}

/** What has happened between two looks, in the order of the agents' names. */
export function changesBetween(before: Board, after: Board): BoardChange[] {
  const old = new Map(before.statuses.map((each) => [each.agent, each]));
  const current = new Map(after.statuses.map((each) => [each.agent, each]));
  const changes: BoardChange[] = [];
  for (const status of after.statuses) {
    const event = eventOf(old.get(status.agent), status);
    if (event !== null) changes.push(change(event, [status.agent], status));
  }
  for (const status of before.statuses) {
    const isGone = !current.has(status.agent);
    // What has ended before is no news when it is removed.
    if (isGone && lives(status)) changes.push(change('released', [status.agent], status));
  }
  const known = new Set(before.waits.map(keyOf));
  const waiting = new Set(after.waits.map(keyOf));
  for (const wait of after.waits) {
    if (known.has(keyOf(wait))) continue;
    changes.push({ ...change('waits', wait.agents, wait), blockedBy: wait.blockedBy });
  }
  const granted = new Set(changes.filter(isGrant).flatMap(({ agents }) => agents));
  for (const wait of before.waits) {
    const isServed = wait.agents.some((agent) => granted.has(agent));
    if (!waiting.has(keyOf(wait)) && !isServed) changes.push(change('left', wait.agents, wait));
  }
  return changes;
}

function isGrant({ event }: BoardChange): boolean {
  return event === 'claimed' || event === 'changed';
}

function eventOf(old: ClaimStatus | undefined, status: ClaimStatus): BoardChange['event'] | null {
  const { state } = status;
  if (!lives(status)) {
    if (state === old?.state) return null;
    // What had ended before the first look is no news.
    if (state === 'invalid') return 'invalid';
    if (old === undefined) return null;
    return state === 'orphaned' ? 'died' : 'expired';
  }
  if (old === undefined || !lives(old)) return 'claimed';
  const textOf = ({ files, directories, except, task }: ClaimStatus): string =>
    JSON.stringify([files, directories, except, task]);
  return textOf(old) === textOf(status) ? null : 'changed';
}

/** Whether it is in force. */
function lives({ state }: ClaimStatus): boolean {
  return state !== 'orphaned' && state !== 'expired' && state !== 'invalid';
}

function keyOf({ agents, since }: ClaimWait): string {
  return JSON.stringify([agents, since]);
}

function change(
  event: BoardChange['event'],
  agents: string[],
  { files, directories, task }: Pick<ClaimStatus, 'files' | 'directories' | 'task'>,
): BoardChange {
  return { event, agents, files, directories, task, blockedBy: [] };
}

/** `api claimed app/api/ "Implement client"`. */
export function changeLine(each: BoardChange): string {
  const who = each.agents.map(printable).join(', ');
  const scope = scopeOf(each);
  const task = each.task === null ? '' : ` "${printable(each.task)}"`;
  const whom = each.blockedBy.map(printable).join(', ');
  switch (each.event) {
    case 'claimed':
      return `${who} claimed ${scope}${task}`;
    case 'changed':
      return `${who} now has ${scope}${task}`;
    case 'released':
      return `${who} released ${scope}`;
    case 'died':
      return `${who} died: ${scope} is free`;
    case 'expired':
      return `${who} expired: ${scope} is free`;
    case 'invalid':
      return `${who} is not a valid claim`;
    case 'waits':
      return `${who} waits${whom === '' ? '' : ` for ${whom}`}: ${scope}${task}`;
    case 'left':
      return `${who} waits no more: ${scope}`;
  }
}

/** The board of a terminal: a child stands below its parent, indented. */
export function boardLines(
  { statuses, waits }: Board,
  recent: readonly string[],
  width?: number,
): string[] {
  const now = Date.now();
  const rows = inTree(statuses).map(({ status, depth }) => [
    `${'  '.repeat(depth)}${printable(status.agent)}`,
    status.state,
    status.lockedAt === null ? '-' : age(now - status.lockedAt.getTime()),
    scopeOf(status),
    printable(status.task ?? '-'),
  ]);
  const table =
    rows.length === 0
      ? ['no claims']
      : tableLines([['AGENT', 'STATE', 'AGE', 'SCOPE', 'TASK'], ...rows], width);
  const blocks = [[clockTime(new Date(now)), ...table], waitLines(waits), recent];
  return blocks
    .filter((block) => block.length > 0)
    .flatMap((block) => [...block, ''])
    .slice(0, -1);
}

function inTree(statuses: readonly ClaimStatus[]): { status: ClaimStatus; depth: number }[] {
  const parentOf = (status: ClaimStatus): string | null =>
    (status as { parent?: string | null }).parent ?? null;
  const known = new Set(statuses.map(({ agent }) => agent));
  const lines: { status: ClaimStatus; depth: number }[] = [];
  const placed = new Set<ClaimStatus>();
  const place = (status: ClaimStatus, depth: number): void => {
    if (placed.has(status)) return;
    placed.add(status);
    lines.push({ status, depth });
    for (const each of statuses) if (parentOf(each) === status.agent) place(each, depth + 1);
  };
  for (const each of statuses) if (!known.has(parentOf(each) ?? '')) place(each, 0);
  // A chain of parents that returns to itself has no beginning.
  for (const each of statuses) place(each, 0);
  return lines;
}
