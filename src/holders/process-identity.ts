import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { readBounded } from '../base/bounded.js';
import { statFields } from '../base/proc.js';
import { loadedBinding } from '../native/load.js';

/**
 * Identifies one run of a process, since pids are reused. `start` is the start
 * time in clock ticks since boot, and the pid namespace of the pid; `boot` is the
 * kernel's boot id. Both are empty where there is no Linux /proc.
 */
export interface ProcessIdentity {
  pid: number;
  hostname: string;
  start: string;
  boot: string;
}

/** The pid namespace in which a machine boots: proc(5), user_namespaces(7). */
const INITIAL_PID_NAMESPACE = '4026531836';

const STAT_LIMIT = 4096;

/** A file of /proc; on other systems the path may lead to anything. */
function readOr(path: string, fallback: string): string {
  if (process.platform !== 'linux') return fallback;
  try {
    return readBounded(path, STAT_LIMIT).toString('latin1');
  } catch {
    return fallback;
  }
}

const PID_NAMESPACE = '/proc/self/ns/pid';
let namespace: string | undefined;

/** The pid namespace of this process, as its number; empty where there is none. */
export function pidNamespace(): string {
  if (process.platform !== 'linux') return '';
  namespace ??= namespaceIn(linkOrNothing(PID_NAMESPACE));
  return namespace;
}

/** Whether a pid of that namespace means another process here. `''`: it is not known. */
export function isOtherNamespace(of: string): boolean {
  return of !== '' && pidNamespace() !== '' && of !== pidNamespace();
}

/** The pid namespace in the `start` of an identity. */
export function namespaceOf(start: string): string {
  return start.split('@')[1] ?? '';
}

function linkOrNothing(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function namespaceIn(target: string): string {
  return /\[(\d+)\]/.exec(target)?.[1] ?? '';
}

/** The /proc/<pid>/stat of a process; empty where it cannot be read. */
export function statOf(pid: number): string {
  return readOr(`/proc/${pid}/stat`, '');
}

/** Whether the kernel's tables show this process the locks of all other processes. */
export function inInitialPidNamespace(): boolean {
  return pidNamespace() === INITIAL_PID_NAMESPACE;
}

/**
 * The start time in a /proc/<pid>/stat, or `null` where the process no longer
 * runs: it is a zombie, or about to become one. A dying process gives up its
 * memory first, then its files and with them its locks. So the next holder can
 * look before it is a zombie.
 */
export function startInStat(text: string): string | null {
  const fields = statFields(text);
  const [state, ticks, memory] = [fields[0], fields[19], fields[20]];
  if (ticks === undefined || state === 'Z' || state === 'X' || memory === '0') return null;
  return `${ticks}@${pidNamespace()}`;
}

/** The user that a process with this /proc/<pid>/status acts for; `null`: several. */
export function userInStatus(status: string): number | null {
  // Real, effective, saved, and the one for files. They differ in a program
  // that one user started and that has the rights of another (setuid).
  const ids = /^Uid:\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)$/m.exec(status)?.slice(1) ?? [];
  const [first] = ids;
  return first !== undefined && ids.every((id) => id === first) ? Number(first) : null;
}

let own: ProcessIdentity | undefined;
let bootKnown = '';
let host: string | undefined;

const STAT = '/proc/self/stat';
const BOOT = '/proc/sys/kernel/random/boot_id';

/** The kernel's boot id; empty where it cannot be read. */
export function bootId(): string {
  if (bootKnown === '') bootKnown = readOr(BOOT, '').trim();
  return bootKnown;
}

/** The identity of this process. Read once; in one call of the addon, if that is loaded. */
export function ownIdentity(): ProcessIdentity {
  if (own !== undefined) return own;
  const [stat, boot, pid] = loadedBinding()?.look?.([STAT, BOOT, PID_NAMESPACE]) ?? [];
  if (pid !== undefined) namespace ??= namespaceIn(pid);
  const identity = {
    pid: process.pid,
    // Rarely needed, and loading `node:os` takes half a millisecond.
    get hostname() {
      host ??= hostname();
      return host;
    },
    start: startInStat(stat ?? readOr(STAT, '')) ?? '',
    boot: boot?.trim() ?? bootId(),
  };
  if (isWhole(identity)) own = identity;
  return identity;
}

/** False if /proc could not be read, perhaps for lack of descriptors. The next call may succeed. */
export function isWhole({ start, boot }: ProcessIdentity): boolean {
  return process.platform !== 'linux' || (start !== '' && boot !== '');
}
