import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { FileLock } from '../../src/index.js';
import type { Errno, Scenario } from './faults-scenarios.js';
import { type Answer, betweenMarks, type Call, Victim } from './faults-victim.js';
import { testFolder } from './folder.js';

const TRIES = 6;

export interface Run {
  answer: Answer;
  /** Between the marks, on this lock's files. */
  calls: Call[];
  /** Calls on /proc meanwhile. */
  looks: Call[];
  injected: Call[];
  free: boolean;
  ended: Answer;
  previous: number | undefined;
  files: string[];
}

export const outcomeOf = ({ value, error }: Answer): unknown => error?.code ?? value ?? null;

/** Runs a scenario with one fault, and then checks that the lock is usable. */
export class Stage {
  readonly #root = testFolder();
  readonly #scenario: Scenario;
  #victim: Victim | null = null;
  #runs = 0;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
  }

  get path(): string {
    return join(this.#root, `${this.#runs}`, this.#scenario.file ?? 'a.lock');
  }

  get pid(): number {
    return this.#victim?.pid ?? 0;
  }

  async anew(): Promise<void> {
    await this.#victim?.end();
    this.#victim = null;
  }

  async #ready(): Promise<Victim> {
    if (this.#victim !== null) return this.#victim;
    const victim = await Victim.start();
    this.#victim = victim;
    if (this.#scenario.fresh === true) return victim;
    // Looked up once a process: its identity, and the kind of file system.
    const path = join(this.#root, 'first.lock');
    await victim.ask('prepare', { act: 'acquireSync', path });
    await victim.ask('finish', { act: 'none', path });
    return victim;
  }

  async run(fault: string | null): Promise<Run> {
    const { before = [], act, options, content, thread } = this.#scenario;
    const victim = await this.#ready();
    this.#runs++;
    const folder = join(this.#root, `${this.#runs}`);
    mkdirSync(folder);
    const { path } = this;
    const holder = content === 'held' ? FileLock.acquireSync(path) : null;
    onTestFinished(() => holder?.releaseSync());
    if (content === 'released') FileLock.acquireSync(path).releaseSync();
    if (content === 'crashed') writeFileSync(path, CRASHED);
    let waiter: string | undefined;
    for (const step of before) {
      const warm = step.act === 'warmThread';
      const ready = await victim.ask('prepare', {
        ...step,
        path: warm ? join(this.#root, 'warm.lock') : path,
      });
      expect(ready.error).toBeUndefined();
      waiter = ready.waiter;
    }
    const traced = thread === true ? Number(waiter) : victim.pid;
    let answer: unknown;
    const all = await victim.traced(traced, join(this.#root, 'trace'), fault, async () => {
      victim.tell('act', { act, path, options });
      answer = await victim.says();
      if (answer !== 'started') return;
      // A wait that times out needs the holder until its end.
      if (thread !== true || !('timeout' in (options ?? {}))) holder?.releaseSync();
      answer = await victim.says();
    });
    holder?.releaseSync();
    const between = thread === true ? all : betweenMarks(all);
    const calls = between.filter(
      ({ name, line }) => line.includes(folder) || /^clone3?$/.test(name) || /MAP_STACK/.test(line),
    );
    // This is another process than the victim.
    const probe = FileLock.tryAcquire(path, { mode: 'exclusive', record: false });
    probe?.releaseSync();
    const ended = await victim.ask('finish', { act: 'none', path });
    const next = FileLock.tryAcquire(path, { record: 'json', keepFile: false });
    const previous = next?.previous?.pid;
    next?.releaseSync();
    return {
      answer: answer as Answer,
      calls,
      looks: between.filter(isProc),
      injected: between.filter(({ line }) => line.includes('(INJECTED)')),
      free: probe !== null,
      ended,
      previous: next === null ? -1 : previous,
      files: readdirSync(folder),
    };
  }

  /**
   * Repeats until the fault hits the intended call: the one that `find` gives of
   * a run without a fault. How many come before it depends on the runtime, and on
   * how much there was to read.
   */
  async runWith(calm: Run, errno: Errno, find: (run: Run) => Call | undefined): Promise<Run> {
    let call = find(calm);
    const name = call?.name;
    for (let tries = 1; ; tries++) {
      const fault = `${name}:error=${errno}:when=${call?.nth}`;
      const run = await this.run(fault).catch((error: unknown) => {
        // It hit a call of the runtime's own, which ends the process: an
        // allocation of V8's, instead of a stack; the close that follows a read
        // of /proc, where Node 24 asserts that it succeeds; libuv's read of what
        // wakes it.
        const own = ['mmap', 'close', 'read'].includes(name ?? '');
        if (!own || tries >= TRIES) throw error;
        return null;
      });
      const [hit, another] = run?.injected ?? [];
      if (run !== null && hit !== undefined && another === undefined) {
        const oneOfMany = call !== undefined && isProc(call) && isProc(hit);
        if (oneOfMany || find(run)?.line === hit.line) return run;
      }
      if (tries >= TRIES) throw new NotReached(`${fault} did not come about`);
      const seen = run === null ? undefined : find(run);
      if (seen !== undefined && seen.nth !== call?.nth) {
        // The runtime has made more or fewer calls before it than in that run.
        call = seen;
        continue;
      }
      await this.anew();
      if (this.#scenario.fresh === true) continue;
      // The second of a process: V8 compiles beside the first, and wakes it.
      await this.run(null);
      call = find(await this.run(null)) ?? call;
    }
  }
}

export class NotReached extends Error {}

export const isNoClose = ({ name }: Call): boolean => name !== 'close';

function isProc({ line }: Call): boolean {
  return line.includes('"/proc/') || line.includes('</proc/');
}

const CRASHED = `${JSON.stringify({
  pid: 1,
  startedAt: '2026-02-25T10:30:00.000Z',
  long: 'x'.repeat(300),
  holdfast: { hostname: 'elsewhere', start: '1@1', boot: 'b', token: 5 },
})}\n`;
