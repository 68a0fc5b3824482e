import { monotonicTime, sleep } from '../base/timers.js';
import { readMembers } from './member-files.js';
import { isTaken } from './seat.js';

const LOOK_MILLISECONDS = 10;

export interface SettleOptions {
  directory: string;
  id: string;
  /** When this member joined, in milliseconds since 1970. */
  since: number;
  /** For how many milliseconds a free seat stays free. */
  settle: number;
  signal: AbortSignal;
}

/**
 * Leaves a free seat to a smaller id that joined at about the same time, for as
 * long as that member may be settling. Not longer, because it may be stopped.
 */
export async function settleBefore(options: SettleOptions): Promise<void> {
  const { directory, id, since, settle, signal } = options;
  if (settle === 0 || isTaken(directory)) return;
  const last = monotonicTime() + 3 * settle;
  const left = since + settle - Date.now();
  // The clock may have been set in the meantime.
  await sleep(Math.min(settle, Math.max(0, left)), signal);
  while (monotonicTime() < last) {
    if (isTaken(directory)) return;
    const now = Date.now();
    const isSettling = (member: { id: string; since: Date | null }): boolean => {
      const joined = member.since?.getTime() ?? 0;
      return member.id < id && joined <= since + settle && now < joined + 2 * settle;
    };
    if (!readMembers(directory).some(isSettling)) return;
    await sleep(LOOK_MILLISECONDS, signal);
  }
}
