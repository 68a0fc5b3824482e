import { hostname } from 'node:os';
import { basename, isAbsolute, relative } from 'node:path';
import { LockHeldError } from '../base/errors.js';
import { type Holder, printable } from '../base/holder.js';

/** What a server is told about this process. */
export interface ThisProcess {
  pid: number;
  hostname: string;
  command: string;
}

/** `command` stands in for the command line, which other users of the server may read. */
export function thisProcess(command?: string): ThisProcess {
  return {
    pid: process.pid,
    hostname: hostname(),
    command: printable(command ?? commandLine()),
  };
}

/** `node deploy.js`, about as it was typed: Node has made the path of the script absolute. */
function commandLine(): string {
  const [, script, ...rest] = process.argv;
  const program = basename(process.argv0);
  const typed = script === undefined ? [] : [inFolder(script)];
  return [program, ...process.execArgv, ...typed, ...rest].join(' ');
}

function inFolder(path: string): string {
  if (!isAbsolute(path)) return path;
  const shorter = relative(process.cwd(), path);
  return shorter === '' || shorter.startsWith('..') || isAbsolute(shorter) ? path : shorter;
}

/** A holder, or a waiter, as the server tells of it. */
export function serverHolder(
  known: Pick<Holder, 'pid' | 'hostname' | 'command' | 'since' | 'self'>,
): Holder<object> {
  return { ...known, source: 'server', verified: true, inOtherContainer: false, data: null };
}

/**
 * Refused by a server. Without a cause, also where the holder is not known, as
 * when it has released since: a cause would be why the server does not answer.
 */
export function refusedBy(name: string, holder: Holder<object> | null): LockHeldError<object> {
  return new LockHeldError(name, holder, undefined, null);
}
