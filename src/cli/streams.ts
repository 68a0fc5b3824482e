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
   * The command that was run has ended, and this process will: whoever signals
   * both may reach this one too late to change what it ends with.
   */
  readonly endWith?: (status: number, signals: readonly NodeJS.Signals[]) => void;
}

/** A line of diagnostics. */
export function say(streams: Streams, message: string): void {
  for (const line of message.split('\n')) streams.stderr.write(`holdfast: ${line}\n`);
}
