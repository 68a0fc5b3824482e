import type { Caller } from './caller.js';

/** Where the command writes. `process` is one; tests bring their own. */
export interface Output {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

export interface Streams {
  readonly stdout: Output;
  readonly stderr: Output;
  /** Where a person answers, if there is one. */
  readonly stdin?: NodeJS.ReadableStream & { isTTY?: boolean };
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
