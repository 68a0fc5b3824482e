import { fork } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const JOB = fileURLToPath(new URL('./job.mjs', import.meta.url));
const GRACE_MILLISECONDS = 5000;

/** The program of a feature, in the working directory. */
export function programOf(feature) {
  return `features/${feature}`;
}

/** Runs the programs of features, at most `max` of them at once. */
export class Jobs {
  #max;
  #running = new Set();
  #stopping = false;

  constructor(max) {
    this.#max = max;
  }

  /** False if one failed or was stopped; then none is running any more. */
  async run(features) {
    const queue = [...features];
    let done = true;
    const work = async () => {
      while (queue.length > 0 && !this.#stopping) {
        if (!(await this.#runOne(queue.shift()))) done = false;
      }
    };
    await Promise.all(Array.from({ length: Math.min(this.#max, features.length) }, work));
    return done && !this.#stopping;
  }

  /** Asks each job to end, and kills it after a while; `run` returns when all have ended. */
  async stop() {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#signal('SIGTERM');
    setTimeout(() => this.#signal('SIGKILL'), GRACE_MILLISECONDS).unref();
  }

  /** Each job is a process group, including whatever the feature's program starts. */
  #signal(signal) {
    for (const job of this.#running) {
      const alive = job.pid !== undefined && job.exitCode === null && job.signalCode === null;
      if (alive) process.kill(-job.pid, signal);
    }
  }

  async #runOne(feature) {
    console.log(`${feature}: started`);
    const job = fork(JOB, [resolve(programOf(feature))], {
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#running.add(job);
    try {
      const [code, signal] = await once(job, 'exit');
      if (code === 0) console.log(`${feature}: done`);
      else if (!this.#stopping) console.error(`${feature}: failed (${signal ?? `status ${code}`})`);
      return code === 0;
    } catch (error) {
      console.error(`${feature}: failed (${error.message})`);
      return false;
    } finally {
      this.#running.delete(job);
    }
  }
}
