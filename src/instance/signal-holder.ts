import { lstatSync } from 'node:fs';
import { errnoOf } from '../base/errno.js';
import { LockForceError, systemError } from '../base/errors.js';
import { describeHolder, type Holder } from '../base/holder.js';
import { type FilePath, pathText } from '../base/paths.js';
import {
  Budget,
  filesLockedBy,
  isHeldFlock,
  locksOf,
  lockTable,
  statusOf,
  text,
  walkSync,
} from '../holders/kernel-tables.js';
import { startInStat, userInStatus } from '../holders/process-identity.js';
import { loadBinding } from '../native/load.js';

/** A hold whose processes to end. */
export interface PinnedHold {
  path: FilePath;
  /** The locked file, as the kernel's tables name it; pinned. */
  file: string;
  /** The user whose processes may be signalled; `null`: no process may. */
  user: number | null;
}

/** For the search before a process is ended, which must miss nothing. */
export function thoroughBudget(): Budget {
  return new Budget(2 ** 20, 10_000);
}

export function cannotEnd(
  path: FilePath,
  holder: Holder<object> | null,
  reason: string,
  cause?: unknown,
): Error {
  const message = `the holder of ${pathText(path)} cannot be ended: ${reason}`;
  return new LockForceError(path, holder, message, cause);
}

/** The pids of the processes that took the lock, as the kernel names them, alive or not. */
export function lockersOf(file: string): Set<number> {
  const table = walkSync(lockTable(thoroughBudget())) ?? '';
  const held = locksOf(table, file).filter(isHeldFlock);
  return new Set(held.map(({ pid }) => pid));
}

/**
 * The user who took the lock, or `null` if unknown. Any user who may open a lock
 * file can lock it and pass the descriptor on to a process of another user, which
 * did not ask for it. So a process that shares the lock has not necessarily taken
 * it.
 */
export function userThatTook(path: FilePath, file: string): number | null {
  const users = new Set<number | null>();
  for (const pid of lockersOf(file)) {
    const took = walkSync(filesLockedBy(pid, thoroughBudget(), file)).files.includes(file);
    // If not, the pid may belong to another process now.
    users.add(took ? userOf(pid) : ownerOfPrivate(path, file));
  }
  const [user = null] = users;
  return users.size === 1 ? user : null;
}

function userOf(pid: number): number | null {
  return userInStatus(walkSync(statusOf(pid)) ?? '');
}

/** The owner of the file, if no other user can have opened and so locked it. */
function ownerOfPrivate(path: FilePath, file: string): number | null {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (stats === undefined || !file.endsWith(`:${stats.ino}`)) return null;
  // If an access control list admits other users, the group's bits show it.
  return (stats.mode & 0o077n) === 0n ? Number(stats.uid) : null;
}

/**
 * Returns false if the process ended or released before it could be signalled.
 *   1. We open a descriptor of the process with that pid.
 *   2. We verify that the process with that pid has the lock, and check its user.
 *   3. We signal through the descriptor. If the pid has been reused since 1,
 *      this fails and does not hit the new process.
 */
export function signalHolder(hold: PinnedHold, holder: Holder<object>, signal: number): boolean {
  const { path, file } = hold;
  const native = loadBinding(path);
  const pid = holder.pid ?? 0;
  const gone = errnoOf('ESRCH');
  const handle = native.openProcess(pid);
  if (handle === -gone) return false;
  if (handle < 0) {
    throw cannotEnd(
      path,
      holder,
      'no handle to its process',
      systemError(-handle, 'pidfd_open', path),
    );
  }
  try {
    const { files, whole } = walkSync(filesLockedBy(pid, thoroughBudget(), file));
    if (!files.includes(file)) {
      if (whole || !isAlive(pid)) return false;
      throw cannotEnd(path, holder, 'its holder could not be verified');
    }
    checkUser(hold, holder, userOf(pid));
    const errno = native.signalProcess(handle, signal);
    if (errno === gone) return false;
    if (errno === 0) return true;
    throw cannotEnd(
      path,
      holder,
      'no permission to signal it',
      systemError(errno, 'pidfd_send_signal', path),
    );
  } finally {
    native.closeProcess(handle);
  }
}

function checkUser(
  { path, user }: PinnedHold,
  holder: Holder<object>,
  actual: number | null,
): void {
  if (user !== null && actual === user) return;
  const whose = actual === null ? 'acts for several users' : `is a process of uid ${actual}`;
  const may =
    user === null
      ? 'it is unknown which user took the lock'
      : `only processes of uid ${user} may be ended`;
  const hint = '; force.uid (--uid) names the user whose processes may be ended';
  throw cannotEnd(path, holder, `${describeHolder(holder)} ${whose}, and ${may}${hint}`);
}

export function isAlive(pid: number): boolean {
  const stat = walkSync(text(`/proc/${pid}/stat`));
  return stat !== null && startInStat(stat) !== null;
}
