import { readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { readBounded } from '../base/bounded.js';
import { printable } from '../base/holder.js';
import { statFields } from '../base/proc.js';
import { statOf } from './process-identity.js';

/** What can be seen of a process; empty where it is not known. */
export interface ProcessView {
  /** The program's file. */
  executable: string;
  /** The command line; the first word is the program. */
  words: readonly string[];
}

// Other users can make theirs long.
const COMMAND_LIMIT = 16 * 1024;
// A pid can be reused while the chain is read, which might make it circular.
const MOST_ANCESTORS = 1000;

/**
 * The parent of a process; 0 if it has none in this pid namespace, or it is not
 * known. Without Linux's /proc, only the parent of this process is known.
 */
export function parentOf(pid: number): number {
  if (process.platform !== 'linux') return pid === process.pid ? process.ppid : 0;
  return Number(statFields(statOf(pid))[1] ?? 0);
}

/** The parent of a process, its parent and so on. */
export function* ancestorsOf(pid: number): Generator<number, void, undefined> {
  let next = parentOf(pid);
  for (let count = 0; next > 0 && count < MOST_ANCESTORS; count++) {
    yield next;
    next = parentOf(next);
  }
}

/** The process itself, and those above it. */
export function* lineOf(pid: number): Generator<number, void, undefined> {
  yield pid;
  yield* ancestorsOf(pid);
}

/** Whether `ancestor` is the process itself or one above it. */
export function isBelow(pid: number, ancestor: number): boolean {
  for (const each of lineOf(pid)) if (each === ancestor) return true;
  return false;
}

export function viewOf(pid: number): ProcessView {
  return { executable: executableOf(pid), words: wordsOf(pid) };
}

function executableOf(pid: number): string {
  if (process.platform !== 'linux') return '';
  try {
    // A program that was updated while it runs.
    return readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '');
  } catch {
    return '';
  }
}

function wordsOf(pid: number): string[] {
  if (process.platform !== 'linux') return [];
  try {
    const text = readBounded(`/proc/${pid}/cmdline`, COMMAND_LIMIT).toString();
    return text.replace(/\0+$/, '').split('\0');
  } catch {
    return [];
  }
}

/** The command line for messages, the program's name without its folder; `null`: not known. */
export function commandOf(pid: number): string | null {
  const [program = '', ...rest] = wordsOf(pid);
  return program === '' ? null : printable([basename(program), ...rest].join(' '));
}
