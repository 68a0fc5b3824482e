// What `holdfast claim list` shows.

import { basename } from 'node:path';
import { printable } from '../base/holder.js';
import { findRoot, treeOf } from '../claims/root.js';
import { holdingPid, isHeldElsewhere } from '../claims/status.js';
import type { ClaimPartStatus, ClaimStatus } from '../claims/types.js';
import { ownCommand } from '../native/own-command.js';
import type { ClaimArguments } from './claim-options.js';
import { scopeOf, waitLines, warnIfMissing } from './claim-show.js';
import { EXIT } from './exit-codes.js';
import { formatJson, print, type Streams, widthOf } from './streams.js';
import { tableLines } from './table.js';
import { age } from './time.js';

const ALL_TREES = 'all';
/** What a claim has instead of a tree that was removed, and whose place or name another one has. */
const OF_REMOVED = /\.git[/\\](?:.*[/\\])?worktrees[/\\][^/\\]+$/;

/** `holdfast claim list`. */
export async function list(
  { claims, hasFolder, json, long }: ClaimArguments,
  streams: Streams,
): Promise<number> {
  if (hasFolder) warnIfMissing(claims.directory, streams);
  const statuses = await claims.list();
  if (json) {
    print(streams, formatJson(statuses));
    return EXIT.ok;
  }
  const view = { long, tree: treeOf(findRoot(claims.root)), width: widthOf(streams.stdout) };
  print(streams, [...listLines(statuses, view), ...waitLines(await claims.waits())]);
  return EXIT.ok;
}

interface ListView {
  /** A line for each path, instead of one for each claim. */
  long: boolean;
  /** The working tree from which one looks: if all claims are from it, no other is named. */
  tree: string;
  /** Of the terminal. */
  width: number | undefined;
}

function listLines(statuses: readonly ClaimStatus[], { long, tree, width }: ListView): string[] {
  if (statuses.length === 0) return ['no claims'];
  const now = Date.now();
  const names = treeNames(statuses, tree);
  const rows = statuses.flatMap((status) => {
    const first = [
      printable(status.agent),
      `${status.state}${endsWithProcess(status) ? '*' : ''}`,
      status.lockedAt === null ? '-' : age(now - status.lockedAt.getTime()),
      timeLeft(status, now),
    ];
    const task = printable(status.task ?? '-');
    const scopes = long ? pathsOf(status, names) : [[scopeOf(status), treesOf(status, names)]];
    return scopes.map(([path = '', where = ''], at) => {
      const lead = at === 0 ? first : first.map(() => '');
      return [...lead, path, ...(names === null ? [] : [where]), at === 0 ? task : ''];
    });
  });
  const head = [
    'AGENT',
    'STATE',
    'AGE',
    'LEFT',
    'SCOPE',
    ...(names === null ? [] : ['TREE']),
    'TASK',
  ];
  const lines = tableLines([head, ...rows], width);
  return [...lines, ...notesOn(statuses, long)];
}

function endsWithProcess(status: ClaimStatus): boolean {
  return holdingPid(status) !== null || isHeldElsewhere(status);
}

/** A claim with a process has no time left that would matter, nor has one that is free. */
function timeLeft(status: ClaimStatus, now: number): string {
  const { expiresAt, state } = status;
  return expiresAt === null || state === 'orphaned' || endsWithProcess(status)
    ? '-'
    : age(expiresAt.getTime() - now);
}

/**
 * How the working trees are called, if there is more than the one from which
 * one looks; else `null`. Those with the same last name have their whole path.
 */
function treeNames(statuses: readonly ClaimStatus[], here: string): Map<string, string> | null {
  const trees = new Set(statuses.flatMap(({ parts }) => parts.map(({ tree }) => tree)));
  trees.delete(null);
  if ([...trees].every((tree) => tree === here)) return null;
  const all = [...trees] as string[];
  return new Map(
    all.map((tree) => {
      if (OF_REMOVED.test(tree)) return [tree, 'removed'];
      const name = basename(tree);
      const isUnique = all.filter((each) => basename(each) === name).length === 1;
      return [tree, printable(isUnique ? name : tree)];
    }),
  );
}

function nameOf({ tree }: ClaimPartStatus, names: Map<string, string> | null): string {
  return tree === null ? ALL_TREES : (names?.get(tree) ?? '');
}

function treesOf({ parts }: ClaimStatus, names: Map<string, string> | null): string {
  const some = [...new Set(parts.map((part) => nameOf(part, names)))];
  return some.length === 0 ? '-' : some.join(', ');
}

/** Each path of a claim with the tree in which it holds, and what is left out of it. */
function pathsOf(status: ClaimStatus, names: Map<string, string> | null): string[][] {
  const rows = status.parts.flatMap((part) => {
    const where = nameOf(part, names);
    const paths = [...part.directories, ...part.files].map((path) => [printable(path), where]);
    return [...paths, ...part.except.map((path) => [`  except ${printable(path)}`, where])];
  });
  return rows.length === 0 ? [['-', '-']] : rows;
}

function notesOn(statuses: readonly ClaimStatus[], long: boolean): string[] {
  const notes: string[] = [];
  const pids = [...new Set(statuses.map(holdingPid).filter((pid) => pid !== null))];
  if (pids.length > 0) {
    const ends = pids.length === 1 ? 'it ends' : 'they end';
    notes.push(`* bound to pid ${pids.join(', ')}: free as soon as ${ends}`);
  }
  if (statuses.some(isHeldElsewhere)) {
    notes.push('* bound to a process in another container: free as soon as it ends');
  }
  const isCut = ({ files, directories, except }: ClaimStatus): boolean =>
    files.length + directories.length > 1 || except.length > 0;
  if (!long && statuses.some(isCut)) {
    notes.push(`all paths of each claim: ${ownCommand()} claim list --long`);
  }
  if (statuses.some(({ state }) => state === 'orphaned' || state === 'expired')) {
    notes.push(`orphaned, expired: free, and removed by: ${ownCommand()} claim prune`);
  }
  for (const { agent, state, reason } of statuses) {
    const isOdd = state === 'invalid' || state === 'conflicting' || state === 'unverified';
    if (isOdd) notes.push(`${printable(agent)}: ${printable(reason ?? '')}`);
  }
  return notes;
}
