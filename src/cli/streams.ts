import type { Caller } from './caller.js';

/** Where the command writes. Tests bring their own. */
export interface Output {
  /** At once. That of standard output throws if it fails. */
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number | undefined;
}

export interface Streams {
  readonly stdout: Output;
  readonly stderr: Output;
  /** The terminal where a person answers, if there is one. */
  readonly stdin?: (NodeJS.ReadableStream & { isTTY?: boolean }) | undefined;
  /** Whether the terminal is this process group's. Absent: it is. */
  readonly inForeground?: () => boolean;
  /**
   * What a command that is run inherits. Left out where `main` is called inside
   * of another program, as tests do: then nothing of that is changed for good.
   */
  readonly caller?: Caller | undefined;
}

/** A line of diagnostics. */
export function say(streams: Streams, message: string): void {
  for (const line of message.split('\n')) streams.stderr.write(`holdfast: ${line}\n`);
}
