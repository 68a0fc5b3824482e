import {
  ownIdentity,
  type ProcessIdentity,
  pidNamespace,
  startInStat,
  statOf,
} from './process-identity.js';

/**
 * Whether the record was written in another pid namespace of this machine: in
 * another container, or outside this one. Its pid means another process here.
 */
export function isInOtherContainer({ start, boot }: ProcessIdentity): boolean {
  const where = start.split('@')[1] ?? '';
  return where !== '' && where !== pidNamespace() && boot === ownIdentity().boot;
}

/**
 * Whether the process with this /proc/<pid>/stat and /proc/<pid>/status is the
 * one that has `identity` in its container, where its pid differs.
 */
export function isSameInside(identity: ProcessIdentity, stat: string, status: string): boolean {
  const ticks = startInStat(stat)?.split('@')[0];
  const inside = /^NSpid:.*\s(\d+)$/m.exec(status)?.[1];
  return ticks === identity.start.split('@')[0] && Number(inside) === identity.pid;
}

/** Whether it is the identity of this very process. */
export function isOwn({ pid, hostname, start, boot }: ProcessIdentity): boolean {
  const own = ownIdentity();
  if (start === '' && hostname !== own.hostname) return false;
  return pid === own.pid && start === own.start && boot === own.boot;
}

/**
 * Whether the process that `identity` describes still runs; `null` where that
 * is not known (another machine or pid namespace, no start time).
 */
export function isRunning(identity: ProcessIdentity): boolean | null {
  const self = ownIdentity();
  const bare = identity.start === '';
  if (bare && identity.hostname !== '' && identity.hostname !== self.hostname) return null;
  if (!bare) {
    if (identity.hostname !== self.hostname) return null;
    if (identity.boot !== self.boot) return identity.boot === '' ? null : false;
    if (identity.start.split('@')[1] !== pidNamespace()) return null;
  }
  const stat = statOf(identity.pid);
  if (stat !== '') {
    const start = startInStat(stat);
    if (start === null) return false;
    // Without a start time, another process may have the pid.
    return bare ? null : start === identity.start;
  }
  try {
    process.kill(identity.pid, 0);
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH' ? false : null;
  }
}
