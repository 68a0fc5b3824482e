import { formatTimeout } from '../errors.js';
import { describeHolder, type Holder } from '../holder.js';
import { type Streams, say } from './streams.js';
import { clock } from './time.js';

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Tells a person what is being waited for, and for how long already. */
export class WaitingLine {
  readonly #streams: Streams;
  readonly #typed: string;
  readonly #timeout: number;
  readonly #began = performance.now();
  // Not to leave the cursor in the middle of a line: then as without a handler.
  readonly #interrupt = (signal: NodeJS.Signals): void => {
    this.#shown = false;
    this.end(false);
    this.#streams.stderr.write('\n');
    process.kill(process.pid, signal);
  };
  #timer: NodeJS.Timeout | undefined;
  #shown = false;

  constructor(streams: Streams, typed: string, timeout: number) {
    this.#streams = streams;
    this.#typed = typed;
    this.#timeout = timeout;
  }

  /** For `onWait`. On a terminal the line is drawn anew every second. */
  begin(holder: Holder | null): void {
    this.#shown = true;
    const terminal = this.#streams.stderr.isTTY === true;
    if (terminal) for (const signal of ENDING) process.once(signal, this.#interrupt);
    this.#show(holder, 0);
    if (terminal) this.#timer = setInterval(() => void this.#update(), 1000).unref();
  }

  /** Once it has ended, well (`granted`) or not. */
  end(granted: boolean): void {
    clearInterval(this.#timer);
    for (const signal of ENDING) process.removeListener(signal, this.#interrupt);
    if (!this.#shown) return;
    this.#shown = false;
    const waited = performance.now() - this.#began;
    if (this.#streams.stderr.isTTY === true) this.#streams.stderr.write('\r\x1b[K');
    else if (granted) say(this.#streams, `got ${this.#typed} after ${formatTimeout(waited)}`);
    this.#timer = undefined;
  }

  #limit(): string {
    if (this.#timeout < 1000) return formatTimeout(this.#timeout);
    const tenths = Math.round(this.#timeout / 100) % 10;
    return tenths === 0 ? clock(this.#timeout) : `${clock(this.#timeout)}.${tenths}`;
  }

  async #update(): Promise<void> {
    try {
      const { inspect } = await import('../inspect.js');
      const { holders, waiters } = await inspect(this.#typed);
      const ahead = waiters.indexOf(process.pid);
      if (this.#timer !== undefined) this.#show(holders[0] ?? null, Math.max(0, ahead));
    } catch {
      // The line is a courtesy; the wait itself reports what is wrong.
    }
  }

  #show(holder: Holder | null, ahead: number): void {
    const waited = clock(performance.now() - this.#began);
    const limit = this.#timeout === Number.POSITIVE_INFINITY ? '' : ` of ${this.#limit()}`;
    const queue = ahead === 0 ? '' : `, ${ahead} ahead`;
    const text = `waiting ${waited}${limit} for ${this.#typed}, held by ${describeHolder(holder)}${queue}`;
    const { stderr } = this.#streams;
    if (stderr.isTTY !== true) {
      say(this.#streams, text);
      return;
    }
    const line = `holdfast: ${text}`;
    const columns = stderr.columns || 80;
    stderr.write(`\r\x1b[K${line.length < columns ? line : `${line.slice(0, columns - 2)}…`}`);
  }
}
