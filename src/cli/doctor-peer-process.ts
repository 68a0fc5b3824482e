import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { printable } from '../base/holder.js';

/** Starts the second process of `holdfast doctor` and asks it to do things. */
export class PeerProcess {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #closed: Promise<unknown>;
  #stderr = '';

  constructor() {
    // Inherit no stream: libuv would make them blocking again.
    this.#child = spawn(process.execPath, [entry(), 'doctor', '--peer'], { stdio: 'pipe' });
    this.#child.stdin?.on('error', () => {});
    this.#child.stderr?.on('data', (chunk) => {
      this.#stderr += chunk;
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
    return this.#nextAnswer();
  }

  /** Asks it to wait for a lock; resolves to `granted` if that was free. */
  async waitFor(path: string): Promise<'waiting' | 'granted'> {
    return (await this.ask('wait', path)) as 'waiting' | 'granted';
  }

  /** Resolves once it was granted the lock that it waits for. */
  async granted(): Promise<void> {
    await this.#nextAnswer();
  }

  async #nextAnswer(): Promise<string> {
    const { value, done } = await this.#answers.next();
    if (done === true) {
      await this.#closed;
      throw new Error(`the second process has ended ${printable(this.#stderr.trim())}`);
    }
    const answer = JSON.parse(value) as string;
    if (answer.startsWith('failed: ')) throw new Error(answer.slice('failed: '.length));
    return answer;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** The file of the command, which also runs from the sources. */
function entry(): string {
  const places = ['./holdfast.js', '../../dist/cli/holdfast.js'];
  const files = places.map((place) => fileURLToPath(new URL(place, import.meta.url)));
  return files.find((file) => existsSync(file)) ?? (process.argv[1] as string);
}
