import { oneLine } from '../base/holder.js';
import type { Caller } from './caller.js';

/** Where the command writes. Tests pass their own. */
export interface Output {
  /** Writes at once. Standard output throws on failure. */
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number | undefined;
}

export interface Streams {
  readonly stdout: Output;
  readonly stderr: Output;
  /** The terminal on which a person answers, if there is one. */
  readonly stdin?: (NodeJS.ReadableStream & { isTTY?: boolean }) | undefined;
  /** Whether this process group is in the foreground of the terminal. Default: it is. */
  readonly inForeground?: () => boolean;
  /**
   * What the command to run inherits. Leave it out to call `main` inside another
   * program, as tests do: then that program's state is restored afterwards.
   */
  readonly caller?: Caller | undefined;
}

/** The width that tables have to fit; `undefined`: any, as in a pipe. */
export function widthOf(output: Output): number | undefined {
  // A terminal of unknown size reports 0.
  return output.isTTY === true ? output.columns || undefined : undefined;
}

/**
 * Writes diagnostics to standard error. Only an indented line, as of a stack, is a
 * line of its own: what follows another newline would look like another message.
 */
export function say(streams: Streams, message: string): void {
  for (const line of message.split(/\n(?=\s)/)) {
    streams.stderr.write(`holdfast: ${oneLine(line)}\n`);
  }
}

/** Writes a result to standard output; writes nothing if it is empty. */
export function print(streams: Streams, lines: string | readonly string[]): void {
  const text = typeof lines === 'string' ? lines : lines.join('\n');
  if (text !== '') streams.stdout.write(`${text}\n`);
}

export function formatJson(value: unknown): string {
  return JSON.stringify(value, null, 2);
}
