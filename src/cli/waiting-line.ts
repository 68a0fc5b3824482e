import { formatTimeout } from '../base/errors.js';
import { type Holder, printable } from '../base/holder.js';
import { monotonicTime } from '../base/timers.js';
import { inspect } from '../holders/inspect.js';
import { type Streams, say } from './streams.js';
import { clock } from './time.js';
import { describeWhoRefuses } from './who-refuses.js';
import { bytesOf } from './words.js';

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What is shown of a lock that is waited for. */
export interface Queue {
  holder: Holder | null;
  /** How many waiters are before this process; negative: not known. */
  ahead: number;
}

async function queueOfFile(typed: string): Promise<Queue> {
  const { holders, waiters } = await inspect(bytesOf(typed));
  return { holder: holders[0] ?? null, ahead: waiters.indexOf(process.pid) };
}

/** Shows what the command waits for, and how long it has waited. */
export class WaitingLine {
  readonly #streams: Streams;
  readonly #typed: string;
  readonly #timeout: number;
  readonly #look: () => Promise<Queue>;
  readonly #began = monotonicTime();
  // Ends the line, so that the cursor is at the start of the next one; then the
  // signal takes effect as without a handler.
  readonly #interrupt = (signal: NodeJS.Signals): void => {
    const drawn = this.#isDrawn();
    this.#stop();
    if (drawn) this.#streams.stderr.write('\n');
    process.kill(process.pid, signal);
  };
  #timer: NodeJS.Timeout | undefined;
  #shown = false;
  /** The line is on the terminal, with the cursor at its end. */
  #drawn = false;

  constructor(
    streams: Streams,
    typed: string,
    timeout: number,
    look: () => Promise<Queue> = () => queueOfFile(typed),
  ) {
    this.#streams = streams;
    this.#typed = typed;
    this.#timeout = timeout;
    this.#look = look;
  }

  /**
   * Call it from `onWait`. In the foreground of a terminal, the line is redrawn
   * every second. In the background that would overwrite what is typed, so there
   * it is printed once.
   */
  begin(holder: Holder | null): void {
    this.#shown = true;
    const terminal = this.#streams.stderr.isTTY === true;
    if (terminal) for (const signal of ENDING) process.once(signal, this.#interrupt);
    if (terminal && this.#inForeground()) this.#draw(holder, 0);
    else say(this.#streams, this.#text(holder, 0));
    if (terminal) this.#timer = setInterval(() => void this.#update(), 1000).unref();
  }

  /** Call it after the wait. */
  end(outcome: 'granted' | 'refused'): void {
    const drawn = this.#isDrawn();
    this.#stop();
    if (!this.#shown) return;
    this.#shown = false;
    const waited = monotonicTime() - this.#began;
    if (drawn) this.#streams.stderr.write('\r\x1b[K');
    else if (outcome === 'granted' && this.#streams.stderr.isTTY !== true) {
      say(this.#streams, `acquired ${printable(this.#typed)} after ${formatTimeout(waited)}`);
    }
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#drawn = false;
    for (const signal of ENDING) process.removeListener(signal, this.#interrupt);
  }

  #inForeground(): boolean {
    return this.#streams.inForeground?.() ?? true;
  }

  /** False in the background: there the shell has written after the line. */
  #isDrawn(): boolean {
    if (this.#drawn && !this.#inForeground()) this.#drawn = false;
    return this.#drawn;
  }

  #limit(): string {
    if (this.#timeout < 1000) return formatTimeout(this.#timeout);
    const tenths = Math.round(this.#timeout / 100) % 10;
    return tenths === 0 ? clock(this.#timeout) : `${clock(this.#timeout)}.${tenths}`;
  }

  async #update(): Promise<void> {
    if (!this.#inForeground()) {
      this.#drawn = false;
      return;
    }
    try {
      const { holder, ahead } = await this.#look();
      if (this.#timer !== undefined) this.#draw(holder, Math.max(0, ahead));
    } catch {
      // Ignore it: the wait itself reports errors.
    }
  }

  #text(holder: Holder | null, ahead: number): string {
    const waited = clock(monotonicTime() - this.#began);
    const limit = this.#timeout === Number.POSITIVE_INFINITY ? '' : ` of ${this.#limit()}`;
    const queue = ahead === 0 ? '' : `, ${ahead} ahead`;
    const who = describeWhoRefuses(holder, queue);
    return `waiting ${waited}${limit} for ${printable(this.#typed)}, held by ${who}`;
  }

  #draw(holder: Holder | null, ahead: number): void {
    const { stderr } = this.#streams;
    const line = `holdfast: ${this.#text(holder, ahead)}`;
    // A terminal of unknown size reports 0.
    const columns = stderr.columns || 80;
    const most = Math.max(0, columns - 2);
    stderr.write(`\r\x1b[K${line.length < columns ? line : `${line.slice(0, most)}…`}`);
    this.#drawn = true;
  }
}
