import { readSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { EXIT, Exit } from './exit-codes.js';
import type { Output } from './streams.js';

// A reader that has had enough (`| head -1`) ends the command as it would end
// any other: SIGPIPE, which Node ignores, is 13.
const BROKEN_PIPE = 128 + 13;

// How long a full pipe may take nothing, where another process has made it
// non-blocking and so a write does not wait by itself.
const RESULTS_MILLISECONDS = 60_000;
const DIAGNOSTICS_MILLISECONDS = 1000;
const LONGEST_PAUSE = 50;

/**
 * A standard stream of this process that is written at once, through its
 * descriptor. The streams of `process` make a pipe non-blocking: the flag
 * belongs to the open file description, so every other process that writes to
 * the same pipe would get EAGAIN.
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
    return isatty(this.#fd);
  }

  get columns(): number | undefined {
    return this.isTTY ? this.#stream.columns : undefined;
  }

  write(text: string): void {
    try {
      // The console of Windows takes text; bytes it would decode in its own way.
      if (process.platform === 'win32' && this.isTTY) this.#stream.write(text);
      else writeAll(this.#fd, Buffer.from(text), this.#patience);
    } catch (error) {
      // Not once more for every line.
      this.#patience = 0;
      this.#onError(error as NodeJS.ErrnoException);
    }
  }

  /** For terminals only: libuv opens a terminal a second time, and so leaves its flags alone. */
  get #stream(): NodeJS.WriteStream {
    const stream = this.#fd === 1 ? process.stdout : process.stderr;
    if (stream.listenerCount('error') === 0) stream.on('error', this.#onError);
    return stream;
  }
}

/**
 * Where results go. `write` throws an {@link Exit} when it fails: a result that
 * nobody can read must not count as given. Its `cause` is the system's error.
 */
export function standardOutput(): Output {
  return new DescriptorOutput(1, RESULTS_MILLISECONDS, (error) => {
    if (error.code === 'EPIPE') throw new Exit(BROKEN_PIPE, '', { cause: error });
    const message = `cannot write to standard output: ${error.message}`;
    throw new Exit(EXIT.inputOutput, message, { cause: error });
  });
}

/** Where diagnostics go. They are a courtesy: a failure is ignored. */
export function standardError(): Output {
  return new DescriptorOutput(2, DIAGNOSTICS_MILLISECONDS, () => {});
}

function writeAll(fd: number, bytes: Buffer, patience: number): void {
  let at = 0;
  while (at < bytes.length) {
    at += whenReady(() => writeSync(fd, bytes, at), patience);
  }
}

/** Standard input to its end, without opening a stream on it. */
export function readStandardInput(): string {
  const chunks: Buffer[] = [];
  const chunk = Buffer.alloc(65_536);
  for (;;) {
    const length = whenReady(() => readSync(0, chunk), Number.POSITIVE_INFINITY);
    if (length === 0) return Buffer.concat(chunks).toString();
    chunks.push(Buffer.from(chunk.subarray(0, length)));
  }
}

const CELL = new Int32Array(new SharedArrayBuffer(4));

/** Tries again as long as `attempt` fails with EAGAIN, for at most `patience` ms. */
function whenReady(attempt: () => number, patience: number): number {
  const began = performance.now();
  for (let pause = 1; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    try {
      return attempt();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EAGAIN' || performance.now() - began >= patience) throw error;
      Atomics.wait(CELL, 0, 0, pause);
    }
  }
}
