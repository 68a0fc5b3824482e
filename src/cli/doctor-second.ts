import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { printable } from '../base/holder.js';

/** A process of our own to contend with. */
export class Peer {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #closed: Promise<unknown>;
  #complaint = '';

  constructor() {
    // Nothing of ours is inherited: libuv makes what is blocking again.
    this.#child = spawn(process.execPath, [entry(), 'doctor', '--peer'], { stdio: 'pipe' });
    this.#child.stdin?.on('error', () => {});
    this.#child.stderr?.on('data', (chunk) => {
      this.#complaint += chunk;
    });
    this.#closed = once(this.#child, 'close');
    this.#closed.catch(() => {});
    const lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    this.#answers = lines[Symbol.asyncIterator]();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  async ask(...words: string[]): Promise<string> {
    this.#child.stdin?.write(`${JSON.stringify(words)}\n`);
    return this.#hear();
  }

  /** Asks it to wait for a lock. What is free it has at once. */
  async waitFor(path: string): Promise<'waiting' | 'granted'> {
    return (await this.ask('wait', path)) as 'waiting' | 'granted';
  }

  /** That it has been granted what it waited for. */
  async granted(): Promise<void> {
    await this.#hear();
  }

  async #hear(): Promise<string> {
    const { value, done } = await this.#answers.next();
    if (done === true) {
      await this.#closed;
      throw new Error(`the second process has ended ${printable(this.#complaint.trim())}`);
    }
    const answer = JSON.parse(value) as string;
    if (answer.startsWith('failed: ')) throw new Error(answer.slice('failed: '.length));
    return answer;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** The command itself, built or from its sources. */
function entry(): string {
  const places = ['./cli/holdfast.js', '../../dist/cli/holdfast.js'];
  const files = places.map((place) => fileURLToPath(new URL(place, import.meta.url)));
  return files.find((file) => existsSync(file)) ?? (process.argv[1] as string);
}
