import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * What tells one run of one process from every other: the pid alone is used
 * again. `start` is the start time in clock ticks since boot and the pid
 * namespace that the pid is meant in; `boot` is the kernel's boot id. Both are
 * empty where there is no Linux /proc.
 */
export interface ProcessIdentity {
  pid: number;
  hostname: string;
  start: string;
  boot: string;
}

/** The pid namespace in which a machine boots: proc(5), user_namespaces(7). */
const INITIAL_PID_NAMESPACE = '4026531836';

/** Of /proc; elsewhere the path may lead to anything. */
function readOr(path: string, fallback: string): string {
  if (process.platform !== 'linux') return fallback;
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return fallback;
  }
}

let namespace: string | undefined;

function pidNamespace(): string {
  if (process.platform !== 'linux') return '';
  if (namespace === undefined) {
    try {
      namespace = /\[(\d+)\]/.exec(readlinkSync('/proc/self/ns/pid'))?.[1] ?? '';
    } catch {
      namespace = '';
    }
  }
  return namespace;
}

/** Whether the kernel's tables show this process the locks of all others. */
export function inInitialPidNamespace(): boolean {
  return pidNamespace() === INITIAL_PID_NAMESPACE;
}

/** The fields of /proc/<pid>/stat behind the name, which may hold anything. */
function statFields(text: string): string[] {
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/**
 * The start time in a /proc/<pid>/stat, or `null` where the process no longer
 * runs: a zombie, or one on its way there. Dying, a process gives up its memory
 * before its files, and with those its locks; the wait for it to become a
 * zombie can take longer than the next holder's first look.
 */
export function startInStat(text: string): string | null {
  const fields = statFields(text);
  const [state, ticks, memory] = [fields[0], fields[19], fields[20]];
  if (ticks === undefined || state === 'Z' || state === 'X' || memory === '0') return null;
  return `${ticks}@${pidNamespace()}`;
}

let own: ProcessIdentity | undefined;

/** This process. Read once. */
export function ownIdentity(): ProcessIdentity {
  own ??= {
    pid: process.pid,
    hostname: hostname(),
    start: startInStat(readOr('/proc/self/stat', '')) ?? '',
    boot: readOr('/proc/sys/kernel/random/boot_id', '').trim(),
  };
  return own;
}

/** Whether that is this very process, in this run. */
export function isOwn({ pid, hostname, start, boot }: ProcessIdentity): boolean {
  const own = ownIdentity();
  if (start === '' && hostname !== own.hostname) return false;
  return pid === own.pid && start === own.start && boot === own.boot;
}

/**
 * Whether the process that `identity` describes still runs: `null` where that
 * cannot be told (another machine or pid namespace, no start time).
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
  const stat = readOr(`/proc/${identity.pid}/stat`, '');
  if (stat !== '') {
    const start = startInStat(stat);
    if (start === null) return false;
    // With no start time the pid may be somebody else's by now.
    return bare ? null : start === identity.start;
  }
  try {
    process.kill(identity.pid, 0);
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH' ? false : null;
  }
}
