import { sleep } from '../base/timers.js';
import { lookAtMembers } from './member-files.js';
import { isTaken } from './seat.js';

const LOOK_MILLISECONDS = 10;

export interface Settling {
  directory: string;
  id: string;
  /** When this member joined, in milliseconds since 1970. */
  since: number;
  /** For how many milliseconds a free seat stays free. */
  settle: number;
  signal: AbortSignal;
}

/**
 * Leaves a free seat to a smaller id that has joined at about the same time,
 * for as long as that one may be settling. Not longer: it may be stopped.
 */
export async function settleDown(settling: Settling): Promise<void> {
  const { directory, since, settle, signal } = settling;
  if (settle === 0 || isTaken(directory)) return;
  const last = performance.now() + 3 * settle;
  const left = since + settle - Date.now();
  // The clock may have been set.
  await sleep(Math.min(settle, Math.max(0, left)), signal);
  while (performance.now() < last) {
    if (isTaken(directory)) return;
    const now = Date.now();
    const first = lookAtMembers(directory).find((member) => {
      const at = member.since?.getTime() ?? 0;
      return member.id < settling.id && at <= since + settle && now < at + 2 * settle;
    });
    if (first === undefined) return;
    await sleep(LOOK_MILLISECONDS, signal);
  }
}
