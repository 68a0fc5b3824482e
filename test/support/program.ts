import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { onTestFinished } from 'vitest';

const ENTRY = new URL('../../dist/index.js', import.meta.url).href;
const LIMIT_MILLISECONDS = 50_000;
const GRANDCHILD_MILLISECONDS = 500;

export interface End {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/**
 * Any program, in a process group of its own, which ends with the test. Its
 * stdin stays open until `end()`.
 */
export class Program {
  readonly process: ChildProcess;
  readonly exited: Promise<End>;
  stdout = '';
  stderr = '';
  #wake = (): void => {};

  private constructor(command: string, args: string[], options: SpawnOptions) {
    const child = spawn(command, args, { stdio: 'pipe', ...options, detached: true });
    this.process = child;
    child.stdin?.on('error', () => {});
    child.stdout?.on('data', (chunk) => {
      this.stdout += chunk;
      this.#wake();
    });
    child.stderr?.on('data', (chunk) => {
      this.stderr += chunk;
      this.#wake();
    });
    this.exited = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        const end = (): void => {
          clearTimeout(timer);
          resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
        };
        // With what it wrote last; but a grandchild may have the pipes for longer.
        const timer = setTimeout(end, GRANDCHILD_MILLISECONDS);
        child.once('close', end);
      });
    });
    this.exited.catch(() => {});
  }

  static start(command: string, args: string[] = [], options: SpawnOptions = {}): Program {
    const program = new Program(command, args, options);
    const stop = (): void => {
      program.process.stdin?.destroy();
      const { pid } = program.process;
      if (pid === undefined) return;
      try {
        process.kill(-pid, 'SIGKILL');
      } catch {
        // The whole group has ended.
      }
    };
    const timer = setTimeout(stop, LIMIT_MILLISECONDS);
    onTestFinished(async () => {
      clearTimeout(timer);
      stop();
      await program.exited.catch(() => {});
    });
    return program;
  }

  /**
   * A module with the built package as `holdfast`, its arguments as `args`,
   * and `say(text)` for a line on stdout that is written at once.
   */
  static module(
    source: string,
    args: string[] = [],
    { execArgv = [], ...options }: SpawnOptions & { execArgv?: string[] } = {},
  ): Program {
    const prelude = [
      `import * as holdfast from ${JSON.stringify(ENTRY)};`,
      `import { writeSync } from 'node:fs';`,
      'const { FileLock, withLock } = holdfast;',
      'const args = process.argv.slice(1);',
      "const say = (text) => writeSync(1, text + '\\n');",
    ].join('\n');
    const node = [...execArgv, '--input-type=module', '-e', `${prelude}\n${source}`, '--', ...args];
    return Program.start(process.execPath, node, options);
  }

  get pid(): number {
    return this.process.pid as number;
  }

  /** Resolves once the stream has the text. */
  async says(text: string, stream: 'stdout' | 'stderr' = 'stdout'): Promise<void> {
    let ended = false;
    const end = this.exited.then(() => {
      ended = true;
    });
    while (!this[stream].includes(text)) {
      if (ended) throw new Error(`ended without saying "${text}": ${this.stderr}${this.stdout}`);
      const output = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await Promise.race([output, end]);
    }
  }

  /** Closes stdin and waits for the end. */
  end(): Promise<End> {
    this.process.stdin?.end();
    return this.exited;
  }

  /** Sends a signal to this process alone and waits for the end. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<End> {
    this.process.kill(signal);
    return this.exited;
  }
}
