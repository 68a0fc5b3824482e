import { readFileSync } from 'node:fs';
import type { NativeBinding } from '../native/binding.js';
import { loadBinding } from '../native/load.js';

/**
 * What this process has inherited, for the command to inherit as well: under
 * flock(1), a command has the same descriptors, ignored signals and limits as
 * without it.
 */
export interface Caller {
  /** Numbers from 3 on. */
  descriptors: number[];
  /** Numbers of signals. */
  ignored: number[];
  blocked: number[];
  /** The soft limit of open files; -1: keep the current one. */
  mostFiles: number;
  /** Bit N: standard stream N had O_NONBLOCK. */
  nonblocking: number;
  /** The variables that Node removes from the environment, as `NAME=value`. */
  removed: string[];
}

// The bits of what the addon says of a descriptor.
const CLOSE_ON_EXEC = 1;
const NONBLOCK = 2;
// Kinds that the runtime opens for itself. A caller hardly ever passes one.
const OWN_KINDS = /^anon_inode:\[(eventpoll|eventfd|io_uring)\]$/;
const PIPE = /^pipe:\[\d+\]$/;
const HIGHEST_LOW = 15;
// Signals that the runtime ignores or needs itself: PIPE, CHLD, XFSZ.
const RUNTIME_SIGNALS = [13, 17, 25];
// A bound for the parent's descriptors. Those of this process are all read.
const MOST_OF_PARENT = 4096;
const MOST_OF_ALL = 2 ** 31 - 1;
/** This process. */
const OWN = 0;

/** For systems without Linux's /proc, and for `main` inside another program. */
export const UNKNOWN_CALLER: Caller = {
  descriptors: [],
  ignored: [],
  blocked: [],
  mostFiles: -1,
  nonblocking: 0b111,
  removed: [],
};

/** Call it before opening streams or listening to signals: both change what it reads. */
export function inspectCaller(): Caller {
  const native = process.platform === 'linux' ? addon() : undefined;
  if (native?.look === undefined) return UNKNOWN_CALLER;
  const paths = ['/proc/self/status', '/proc/self/limits', `/proc/${process.ppid}/limits`];
  const [status = '', limits = '', parents = ''] = native.look(paths);
  const open = openDescriptors(native, OWN, MOST_OF_ALL);
  return {
    descriptors: descriptors(native, open),
    ignored: signals(status, 'SigIgn').filter((each) => !RUNTIME_SIGNALS.includes(each)),
    blocked: signals(status, 'SigBlk'),
    mostFiles: limitOfFiles(limits, parents),
    nonblocking: nonblockingAmong(open),
    removed: removedVariables(),
  };
}

/** Bit N: standard stream N has O_NONBLOCK. */
export function nonblockingStreams(): number {
  const native = addon();
  return native === undefined ? 0 : nonblockingAmong(openDescriptors(native, OWN, MOST_OF_ALL));
}

/** The soft limit of open files of the command; Infinity where it is not known. */
export function openFilesLimit({ mostFiles }: Caller): number {
  if (mostFiles !== -1) return mostFiles;
  const [limits = ''] = addon()?.look?.(['/proc/self/limits']) ?? [];
  return limitsIn(limits)[0] ?? Number.POSITIVE_INFINITY;
}

/** Without the addon there is no lock either, and acquiring it reports the reason. */
function addon(): NativeBinding | undefined {
  try {
    return loadBinding('');
  } catch {
    return undefined;
  }
}

function nonblockingAmong(open: readonly Descriptor[]): number {
  return open
    .filter(({ number, flags }) => number <= 2 && (flags & NONBLOCK) !== 0)
    .reduce((all, { number }) => all | (1 << number), 0);
}

interface Descriptor {
  number: number;
  flags: number;
  /** What it leads to: `pipe:[5]`, `anon_inode:[eventfd]`, or empty for a path. */
  target: string;
}

/**
 * The descriptors that this process has inherited. The close-on-exec flag does
 * not tell: Node sets it on what it inherits as well, from 0 to 15 and from 16
 * up to the first gap. So decide by the kind of the descriptor. Bun marks all
 * descriptors. Deno marks only those that it has opened itself.
 */
function descriptors(native: NativeBinding, all: readonly Descriptor[]): number[] {
  const { bun, deno } = process.versions;
  const open = all.filter(({ number }) => number > 2);
  const isOwn = deno === undefined ? ownByKind(native, open) : () => true;
  const kept: number[] = [];
  let next = HIGHEST_LOW + 1;
  for (const descriptor of open) {
    const { number, flags } = descriptor;
    const isMarked = (flags & CLOSE_ON_EXEC) !== 0;
    if (isMarked && isOwn(descriptor)) continue;
    // After the first gap come descriptors that were opened later, such as the
    // log file of a preloaded module.
    const isAbove = isMarked && bun === undefined && number > HIGHEST_LOW;
    if (isAbove && number !== next) continue;
    if (isAbove) next++;
    kept.push(number);
  }
  return kept;
}

/** True for the kinds of the runtime, and for pipes with both ends in this process only. */
function ownByKind(
  native: NativeBinding,
  open: readonly Descriptor[],
): (descriptor: Descriptor) => boolean {
  const ends = new Map<string, number>();
  for (const { target } of open) ends.set(target, (ends.get(target) ?? 0) + 1);
  const parents = new Set(descriptorsOfParent(native).map(({ target }) => target));
  const ofMake = descriptorsOfMake();
  return ({ number, target }) => {
    if (OWN_KINDS.test(target)) return true;
    if (!PIPE.test(target) || ends.get(target) === 1) return false;
    return !parents.has(target) && !ofMake.includes(number);
  };
}

/**
 * None where the parent is outside this pid namespace: there it has the number
 * 0, which is {@link OWN} to the addon.
 */
function descriptorsOfParent(native: NativeBinding): Descriptor[] {
  const { ppid } = process;
  return ppid === 0 ? [] : openDescriptors(native, ppid, MOST_OF_PARENT);
}

/** The jobserver of make(1): `--jobserver-auth=3,4`; older ones: `--jobserver-fds`. */
function descriptorsOfMake(): number[] {
  const match = /--jobserver-(?:auth|fds)=(\d+),(\d+)/.exec(process.env['MAKEFLAGS'] ?? '');
  return match === null ? [] : [Number(match[1]), Number(match[2])];
}

function openDescriptors(native: NativeBinding, process: number, most: number): Descriptor[] {
  const found: Descriptor[] = [];
  for (const line of native.descriptors?.(process, most).split('\n') ?? []) {
    const [number, flags, target = ''] = line.split(' ');
    if (flags !== undefined) found.push({ number: Number(number), flags: Number(flags), target });
  }
  return found.sort((one, other) => one.number - other.number);
}

/** A set of signals, in hexadecimal; signal 1 is the lowest bit: proc_pid_status(5). */
function signals(status: string, name: string): number[] {
  const text = new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0';
  const set = BigInt(`0x${text}`);
  const numbers: number[] = [];
  for (let number = 1; number <= 64; number++) {
    if ((set >> BigInt(number - 1)) & 1n) numbers.push(number);
  }
  return numbers;
}

/**
 * Node raises its soft limit to the hard limit. This process inherited the
 * soft limit of its parent, unless a program in between changed it. If both
 * have the same hard limit, assume that none did.
 */
function limitOfFiles(own: string, parents: string): number {
  const [, hard] = limitsIn(own);
  const [soft, parentsHard] = limitsIn(parents);
  const isInherited = hard !== undefined && hard === parentsHard;
  return isInherited && soft !== undefined && soft < hard ? soft : -1;
}

function limitsIn(text: string): number[] {
  const line = /^Max open files\s+(\d+)\s+(\d+)/m.exec(text);
  return line === null ? [] : [Number(line[1]), Number(line[2])];
}

/** The variables of the channel to a parent that used fork() of `node:child_process`. */
function removedVariables(): string[] {
  if (process.env['NODE_CHANNEL_FD'] !== undefined || process.connected !== true) return [];
  return environment()
    .split('\0')
    .filter((each) => /^NODE_CHANNEL_(FD|SERIALIZATION_MODE)=\w+$/.test(each));
}

function environment(): string {
  try {
    return readFileSync('/proc/self/environ', 'latin1');
  } catch {
    return '';
  }
}
