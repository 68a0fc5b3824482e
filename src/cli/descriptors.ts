import { readSync, writeSync } from 'node:fs';
import { monotonicTime, sleepSync } from '../base/timers.js';
import { EXIT, Exit } from './exit-codes.js';
import { isTerminal } from './is-terminal.js';
import type { Output } from './streams.js';

// If the reader of a pipe is gone (`| head -1`), exit as any command would.
// SIGPIPE, which Node ignores, is 13.
const BROKEN_PIPE = 128 + 13;

// How long to retry writing to a full pipe. Writing blocks by itself, unless
// another process has made the pipe non-blocking.
const RESULTS_MILLISECONDS = 60_000;
const DIAGNOSTICS_MILLISECONDS = 1000;
const LONGEST_PAUSE = 50;

/**
 * A standard stream of this process. Writes at once, through the descriptor.
 * The streams of `process` make a pipe non-blocking. The flag belongs to the
 * open file description, so every other process that writes to the same pipe
 * would get EAGAIN.
 */
class DescriptorOutput implements Output {
  readonly #fd: 1 | 2;
  #patience: number;
  readonly #onError: (error: NodeJS.ErrnoException) => void;

  constructor(fd: 1 | 2, patience: number, onError: (error: NodeJS.ErrnoException) => void) {
    this.#fd = fd;
    this.#patience = patience;
    this.#onError = onError;
  }

  get isTTY(): boolean {
    return isTerminal(this.#fd);
  }

  get columns(): number | undefined {
    return this.isTTY ? this.#stream.columns : undefined;
  }

  write(text: string): void {
    try {
      // The console of Windows takes text. It would decode bytes in its own encoding.
      if (process.platform === 'win32' && this.isTTY) this.#stream.write(text);
      else writeAll(this.#fd, Buffer.from(text), this.#patience);
    } catch (error) {
      // Do not wait again for every line.
      this.#patience = 0;
      this.#onError(error as NodeJS.ErrnoException);
    }
  }

  /** For terminals only: libuv opens those a second time, so their flags stay the same. */
  get #stream(): NodeJS.WriteStream {
    const stream = this.#fd === 1 ? process.stdout : process.stderr;
    if (stream.listenerCount('error') === 0) stream.on('error', this.#onError);
    return stream;
  }
}

/**
 * For results. `write` throws an {@link Exit} on failure, because a result that
 * cannot be read must not count as given out. Its `cause` is the system error.
 */
export function standardOutput(): Output {
  return new DescriptorOutput(1, RESULTS_MILLISECONDS, (error) => {
    if (error.code === 'EPIPE') throw new Exit(BROKEN_PIPE, '', { cause: error });
    const message = `cannot write to standard output: ${error.message}`;
    throw new Exit(EXIT.inputOutput, message, { cause: error });
  });
}

/** For diagnostics. A failure to write them is ignored. */
export function standardError(): Output {
  return new DescriptorOutput(2, DIAGNOSTICS_MILLISECONDS, () => {});
}

function writeAll(fd: number, bytes: Buffer, patience: number): void {
  let at = 0;
  while (at < bytes.length) {
    at += whenReady(() => writeSync(fd, bytes, at), patience);
  }
}

/** Reads standard input to its end, without opening a stream on it. */
export function readStandardInput(): string {
  const chunks: Buffer[] = [];
  const chunk = Buffer.alloc(65_536);
  for (;;) {
    const length = whenReady(() => readSync(0, chunk), Number.POSITIVE_INFINITY);
    if (length === 0) return Buffer.concat(chunks).toString();
    chunks.push(Buffer.from(chunk.subarray(0, length)));
  }
}

/** Retries `attempt` while it fails with EAGAIN, for at most `patience` milliseconds. */
function whenReady(attempt: () => number, patience: number): number {
  const began = monotonicTime();
  for (let pause = 1; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    try {
      return attempt();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EAGAIN' || monotonicTime() - began >= patience) throw error;
      sleepSync(pause);
    }
  }
}
