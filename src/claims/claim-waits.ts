import { throwIfAborted } from '../base/abort.js';
import { NextChange, POLL_MILLISECONDS } from './changes.js';
import type { ClaimsFolder } from './folder.js';
import { listsOf } from './parts.js';
import { holdersFor } from './queue.js';
import { patternsOf } from './scope.js';
import type { ClaimStatus, ClaimWait } from './types.js';
import { statusesOf } from './verdicts.js';
import { WantFiles } from './want-file.js';
import { agentsOf, Waits } from './wants.js';

/** Who waits for whom, the oldest first. Call it in a section; nothing is changed. */
export function waitsIn(folder: ClaimsFolder): ClaimWait[] {
  const wants = new WantFiles(folder.path, folder.root).read({ own: null, exclusive: false });
  if (wants.length === 0) return [];
  const { holders, parentOf } = holdersFor(folder, wants);
  const waits = new Waits(wants, holders, parentOf);
  return wants.map((want, at) => {
    const tasks = want.requests.map(({ task }) => task);
    return {
      agents: agentsOf(want),
      ...listsOf(want.requests.flatMap(patternsOf)),
      since: want.since,
      task: tasks.find((task) => task !== null) ?? null,
      blockedBy: waits.ahead(at),
    };
  });
}

/** What users see of a folder. */
export interface Look {
  statuses: ClaimStatus[];
  waits: ClaimWait[];
}

export async function lookAt(folder: ClaimsFolder): Promise<Look> {
  const look = await folder.shared(() => {
    const waits = waitsIn(folder);
    return { statuses: withWaiters(statusesOf(folder.read()), waits), waits };
  });
  return look ?? { statuses: [], waits: [] };
}

/** The statuses at once, and after each change of them or of who waits. */
export async function* watchClaims(
  folder: ClaimsFolder,
  signal: AbortSignal | undefined,
): AsyncGenerator<ClaimStatus[], void, undefined> {
  let last = '';
  for (;;) {
    throwIfAborted(signal);
    const next = new NextChange(folder.path);
    try {
      const look = await lookAt(folder);
      const text = JSON.stringify(look);
      if (text !== last) {
        last = text;
        yield look.statuses;
      }
      await next.wait({ milliseconds: POLL_MILLISECONDS, names: null, locked: null }, signal);
    } finally {
      next.close();
    }
  }
}

/** The statuses with the agents that wait for each. */
function withWaiters(statuses: readonly ClaimStatus[], waits: readonly ClaimWait[]): ClaimStatus[] {
  return statuses.map((status) => {
    const waiting = waits.filter(({ blockedBy }) => blockedBy.includes(status.agent));
    return { ...status, waiters: [...new Set(waiting.flatMap(({ agents }) => agents))] };
  });
}
