import type { Host } from './hosts.js';

/** What the hook has decided. There is no `allow`: it would skip the user's own permission prompt. */
export type Decision =
  /** The host goes on as it would without a hook. `notice` is for the model. */
  { kind: 'pass'; notice: string | null } | { kind: 'deny'; reason: string };

/** How a process says it to its host. */
export interface Answer {
  stdout: string;
  stderr: string;
  status: number;
}

/** Every host lets the write through on any other status. */
export const DENIED = 2;

export function answerTo(host: Host, decision: Decision): Answer {
  if (decision.kind === 'deny') {
    // With an empty standard error the hosts write all the same.
    const reason = decision.reason.trim() || 'Holdfast denies this and gives no reason.';
    if (host.denies === 'stderr') return { stdout: '', stderr: `${reason}\n`, status: DENIED };
    const answer = { permission: 'deny', user_message: reason, agent_message: reason };
    return { stdout: `${JSON.stringify(answer)}\n`, stderr: '', status: 0 };
  }
  if (decision.notice === null || !host.readsContext) return { stdout: '', stderr: '', status: 0 };
  const hookSpecificOutput = {
    hookEventName: host.events.tool,
    additionalContext: decision.notice,
  };
  return { stdout: `${JSON.stringify({ hookSpecificOutput })}\n`, stderr: '', status: 0 };
}
