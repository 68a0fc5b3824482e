import { fstatSync, readSync } from 'node:fs';
import { sleepSync } from '../base/timers.js';

const LONGEST_INPUT = 256 * 1024 * 1024;
const CLOSING_BRACE = 0x7d;
/** How long nothing comes before a text is tried that was tried at half its length. */
const QUIET_MILLISECONDS = 50;

/**
 * Standard input to its end, or to the end of the object: not every host closes
 * it. `null`: there was none when `left()`, in milliseconds, was used up. Not as a
 * stream, which takes longer to load than the rest.
 */
export function readStandardInput(left: () => number): string | null {
  doNotBlock();
  const chunks: Buffer[] = [];
  let length = 0;
  let tried = 0;
  let quiet = 0;
  while (left() > 0) {
    const chunk = Buffer.allocUnsafe(65_536);
    const read = readOnce(chunk);
    if (read > 0) {
      chunks.push(chunk.subarray(0, read));
      length += read;
      quiet = 0;
    }
    if (read === 0 || length > LONGEST_INPUT) return textOf(chunks);
    if (read > 0) continue;
    // The pipe is empty. Each try parses everything, so there are few.
    if (length > tried && (length >= 2 * tried || quiet >= QUIET_MILLISECONDS)) {
      tried = length;
      const text = whole(chunks);
      if (text !== null) return text;
    }
    const pause = quiet < QUIET_MILLISECONDS ? 1 : 10;
    sleepSync(pause);
    quiet += pause;
  }
  return null;
}

/** Like readSync; -1 if nothing is there yet. */
function readOnce(chunk: Buffer): number {
  try {
    return readSync(0, chunk);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? -1 : 0;
  }
}

type PipeWrap = { Pipe: new (type: number) => { open(fd: number): void } };

/**
 * A read that waits could not be ended: not by a timer, and a thread that waits
 * keeps the process from its exit. Opening a pipe as a handle makes it one that
 * does not wait, and `process.stdin` does the same, but loads `node:net` for it,
 * a tenth of the whole hook.
 */
function doNotBlock(): void {
  if (process.platform === 'win32') return;
  try {
    const stat = fstatSync(0);
    if (!stat.isFIFO() && !stat.isSocket()) return;
  } catch {
    return;
  }
  try {
    const { binding } = process as unknown as { binding(name: string): PipeWrap };
    const { Pipe } = binding.call(process, 'pipe_wrap');
    new Pipe(0).open(0);
  } catch {
    // Node has taken it away, or forbids it.
    void process.stdin;
  }
}

function textOf(chunks: readonly Buffer[]): string {
  // Mostly there is one, and joining takes longer than reading it.
  const [only] = chunks;
  return (only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks)).toString();
}

/** The text, if it is a whole object. */
function whole(chunks: readonly Buffer[]): string | null {
  const last = chunks.at(-1) as Buffer;
  let at = last.length - 1;
  while (at >= 0 && (last[at] as number) <= 0x20) at--;
  // A chunk of blanks alone may come after the brace.
  if (at >= 0 && last[at] !== CLOSING_BRACE) return null;
  const text = textOf(chunks);
  try {
    JSON.parse(text);
    return text;
  } catch {
    return null;
  }
}
