import { readFileSync, readlinkSync } from 'node:fs';
import { listBounded } from '../base/bounded.js';

/**
 * What whoever started this process gave it, for the command to inherit: under
 * flock(1), a command has the same descriptors, ignored signals and limits as
 * without.
 */
export interface Caller {
  /** Numbers from 3 on. */
  descriptors: number[];
  /** Numbers of signals. */
  ignored: number[];
  blocked: number[];
  /** The soft limit of open files; -1: as it is here. */
  mostFiles: number;
  /** Bit N: standard stream N had O_NONBLOCK. */
  nonblocking: number;
  /** What Node takes out of the environment, as `NAME=value`. */
  removed: string[];
}

// The bits of `flags:` in fdinfo: open(2).
const CLOSE_ON_EXEC = 0o2000000;
const NONBLOCK = 0o4000;
// The runtime's own, of which a caller hardly passes one.
const OWN_KINDS = /^anon_inode:\[(eventpoll|eventfd|io_uring)\]$/;
const PIPE = /^pipe:\[\d+\]$/;
const HIGHEST_LOW = 15;
// Signals that the runtimes ignore themselves, or need: PIPE, CHLD, XFSZ.
const RUNTIME_SIGNALS = [13, 17, 25];
// Of the parent. Those of this process are its own affair, and all looked at.
const MOST_OF_PARENT = 4096;

/** What is known where there is no Linux /proc, and inside of another program. */
export const UNKNOWN_CALLER: Caller = {
  descriptors: [],
  ignored: [],
  blocked: [],
  mostFiles: -1,
  nonblocking: 0b111,
  removed: [],
};

/**
 * Call it before streams are opened or signals listened to, which changes what
 * it sees.
 */
export function lookAtCaller(): Caller {
  if (process.platform !== 'linux') return UNKNOWN_CALLER;
  const status = read('/proc/self/status');
  return {
    descriptors: descriptors(),
    ignored: signals(status, 'SigIgn').filter((each) => !RUNTIME_SIGNALS.includes(each)),
    blocked: signals(status, 'SigBlk'),
    mostFiles: limitOfFiles(),
    nonblocking: nonblockingStreams(),
    removed: removedVariables(),
  };
}

/** Bit N: standard stream N has O_NONBLOCK. */
export function nonblockingStreams(): number {
  const bits = [0, 1, 2].filter((stream) => (flagsOf(stream) & NONBLOCK) !== 0);
  return bits.reduce((all, stream) => all | (1 << stream), 0);
}

interface Descriptor {
  number: number;
  /** What it is: a path, `pipe:[5]`, `anon_inode:[eventfd]`. */
  target: string;
}

/**
 * Node marks what it inherits close-on-exec, as it does what it opens: 0 to 15,
 * and from 16 on what is open without a gap. So what is marked is judged by its
 * kind. Bun marks everything. Deno marks nothing: what is marked is Deno's.
 */
function descriptors(): number[] {
  const { bun, deno } = process.versions;
  const open = openDescriptors('self', Number.POSITIVE_INFINITY).filter(({ number }) => number > 2);
  const isOwn = deno === undefined ? ownByKind(open) : () => true;
  const kept: number[] = [];
  let next = HIGHEST_LOW + 1;
  for (const descriptor of open) {
    const { number } = descriptor;
    const isMarked = (flagsOf(number) & CLOSE_ON_EXEC) !== 0;
    if (isMarked && isOwn(descriptor)) continue;
    // Behind Node's own is what was opened later, such as the log file of a
    // module that is loaded first.
    const isAbove = isMarked && bun === undefined && number > HIGHEST_LOW;
    if (isAbove && number !== next) continue;
    if (isAbove) next++;
    kept.push(number);
  }
  return kept;
}

/** The runtime's own kinds, and pipes that have both their ends here and nowhere else. */
function ownByKind(open: readonly Descriptor[]): (descriptor: Descriptor) => boolean {
  const ends = new Map<string, number>();
  for (const { target } of open) ends.set(target, (ends.get(target) ?? 0) + 1);
  const parents = new Set(
    openDescriptors(process.ppid, MOST_OF_PARENT).map(({ target }) => target),
  );
  const ofMake = descriptorsOfMake();
  return ({ number, target }) => {
    if (OWN_KINDS.test(target)) return true;
    if (!PIPE.test(target) || ends.get(target) === 1) return false;
    return !parents.has(target) && !ofMake.includes(number);
  };
}

/** The jobserver's: `--jobserver-auth=3,4`, or `--jobserver-fds` of older ones. */
function descriptorsOfMake(): number[] {
  const match = /--jobserver-(?:auth|fds)=(\d+),(\d+)/.exec(process.env['MAKEFLAGS'] ?? '');
  return match === null ? [] : [Number(match[1]), Number(match[2])];
}

function openDescriptors(process: number | 'self', most: number): Descriptor[] {
  const folder = `/proc/${process}/fd`;
  let names: string[];
  try {
    names = listBounded(folder, most);
  } catch {
    // Another user's.
    return [];
  }
  const found: Descriptor[] = [];
  for (const name of names) {
    try {
      found.push({ number: Number(name), target: readlinkSync(`${folder}/${name}`) });
    } catch {
      // The one with which the folder was read.
    }
  }
  return found.sort((one, other) => one.number - other.number);
}

function flagsOf(fd: number): number {
  const match = /^flags:\s*([0-7]+)$/m.exec(read(`/proc/self/fdinfo/${fd}`));
  return match === null ? 0 : Number.parseInt(match[1] as string, 8);
}

/** A set of signals, hexadecimal with the first as the lowest bit: proc_pid_status(5). */
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
 * Node raises its soft limit to the hard one. The parent's soft limit was this
 * process's as well, unless somebody in between has changed it; that it was not
 * the hard one can only be told where both have the same.
 */
function limitOfFiles(): number {
  const [, hard] = limitsOf('self');
  const [soft, parents] = limitsOf(process.ppid);
  return hard !== undefined && hard === parents && soft !== undefined && soft < hard ? soft : -1;
}

function limitsOf(process: number | 'self'): number[] {
  const line = /^Max open files\s+(\d+)\s+(\d+)/m.exec(read(`/proc/${process}/limits`));
  return line === null ? [] : [Number(line[1]), Number(line[2])];
}

/** The channel to a parent that is a Node program: fork(). */
function removedVariables(): string[] {
  if (process.env['NODE_CHANNEL_FD'] !== undefined || process.connected !== true) return [];
  return read('/proc/self/environ')
    .split('\0')
    .filter((each) => /^NODE_CHANNEL_(FD|SERIALIZATION_MODE)=\w+$/.test(each));
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
