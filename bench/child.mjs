// Child processes that answer line by line and never outlive the bench: each
// answer has a time limit, each child ends when its stdin does, and any that are
// left at exit are killed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const LONGEST_MILLISECONDS = 30_000;
const running = new Set();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** `promise`, or an error that names `what` when it takes too long. */
function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${what}: no answer within ${LONGEST_MILLISECONDS / 1000} s`)),
      LONGEST_MILLISECONDS,
    );
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// If the variable is set, each start of Node reads all certificates of the
// machine, which would be half of the measured time.
const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env;

export class Child {
  #process;
  #lines;
  #name;

  /** `cpu`: pin it there. */
  constructor(command, args, { env = {}, cpu } = {}) {
    const line = cpu === undefined ? [command, ...args] : ['taskset', '-c', cpu, command, ...args];
    this.#name = line.join(' ');
    this.#process = spawn(line[0], line.slice(1), {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...environment, ...env },
    });
    running.add(this.#process);
    this.#process.stdin.on('error', () => {});
    this.#process.on('exit', () => running.delete(this.#process));
    this.#process.on('error', () => running.delete(this.#process));
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  get pid() {
    return this.#process.pid;
  }

  tell(text) {
    this.#process.stdin.write(text);
  }

  async hear() {
    const { value, done } = await within(this.#lines.next(), this.#name);
    if (done) throw new Error(`${this.#name}: ended without an answer`);
    return value;
  }

  async ask(text) {
    this.tell(text);
    return this.hear();
  }

  /** A command and its arguments, and the answer, in JSON. */
  async command(...words) {
    return JSON.parse(await this.ask(`${JSON.stringify(words)}\n`));
  }

  /** Kills it; resolves when it is gone. */
  async kill() {
    if (!running.has(this.#process)) return;
    const gone = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await within(gone, this.#name);
  }
}
