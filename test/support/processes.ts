import { type ChildProcess, spawn } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { within } from './remote.js';

/** A process that does nothing and ends with the test. */
export function idle(options: { uid?: number; gid?: number } = {}): Promise<Idle> {
  return Idle.start('sleep', ['60'], options);
}

/** A shell that has started a program and waits for it; both end with the test. Needs Linux's /proc. */
export async function pair(): Promise<{ upper: Idle; lower: number }> {
  // At first it is a copy of the shell.
  const started = 'until grep -q sleep /proc/$!/comm; do :; done';
  const upper = await Idle.start('sh', ['-c', `sleep 60 & ${started}; echo $!; wait`], {});
  return { upper, lower: Number(await upper.line()) };
}

/** Its only own field is `pid`, so that it can be passed as the session of a request. */
export class Idle {
  readonly #process: ChildProcess;
  readonly #exited: Promise<void>;
  #text = '';
  #said!: () => void;
  readonly #line = new Promise<void>((resolve) => {
    this.#said = resolve;
  });

  private constructor(process: ChildProcess) {
    this.#process = process;
    this.#exited = new Promise((resolve) => process.once('exit', () => resolve()));
    process.stdout?.on('data', (chunk) => {
      this.#text += chunk;
      if (this.#text.includes('\n')) this.#said();
    });
    // The group: what it has started as well.
    onTestFinished(() => this.kill());
  }

  static async start(command: string, args: string[], options: object): Promise<Idle> {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
      ...options,
    });
    const idle = new Idle(child);
    await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
    return idle;
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  get exited(): Promise<void> {
    return this.#exited;
  }

  /** The first line that it writes. */
  async line(): Promise<string> {
    await within(this.#line, () => 'it has written nothing');
    return this.#text.split('\n')[0] as string;
  }

  /** SIGKILL to it and what it has started. */
  async kill(): Promise<void> {
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    await this.#exited;
  }
}
