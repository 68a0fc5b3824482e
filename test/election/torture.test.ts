import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import { Election } from '../../src/election.js';
import { until } from '../support/census.js';
import { TORTURE } from '../support/claims-peer.js';
import { testFolder } from '../support/folder.js';
import { isStopped } from '../support/kernel.js';
import { within } from '../support/remote.js';

// The whole minute with HOLDFAST_TORTURE=1, again with HOLDFAST_TORTURE_SEED.
const MILLISECONDS = TORTURE ? 60_000 : 6_000;
const SEED = Number(process.env['HOLDFAST_TORTURE_SEED'] ?? Date.now() % 1_000_000_007);
const SCRIPT = fileURLToPath(new URL('../support/election-torturer.mjs', import.meta.url));
const MEMBERS = 8;
const IDS = 12;
/** In which somebody has to be primary: two CPUs, and processes that start. */
const BOUND_MILLISECONDS = 5_000;

/** mulberry32: the same actions for the same seed, as far as the members let them. */
function generator(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

interface Answer {
  did: string;
  held?: boolean;
}

/** One life: what is killed comes back with another number. */
class Victim {
  readonly number: number;
  readonly process: ChildProcess | null;
  readonly worker: Worker | null;
  readonly exited: Promise<unknown>;
  state: 'out' | 'joined' | 'stopped' | 'dead' = 'out';
  readonly #judge: string;
  readonly #source: ChildProcess;
  readonly #heard: (answer: Answer) => void;
  #answer = (_: Answer): void => {};

  constructor(number: number, thread: boolean, judge: string, heard: (answer: Answer) => void) {
    this.number = number;
    this.#judge = judge;
    this.#heard = heard;
    this.worker = thread ? new Worker(SCRIPT, { execArgv: [] }) : null;
    this.process = thread
      ? null
      : fork(SCRIPT, [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#source = (this.process ?? this.worker) as ChildProcess;
    this.exited = once(this.#source, 'exit');
    onTestFinished(() => this.kill());
    this.#source.on('message', (answer: Answer) => {
      if (answer.did === 'primary') this.#heard(answer);
      else this.#answer(answer);
    });
  }

  async begin(): Promise<void> {
    await this.#next('start');
    await this.act('begin', { judge: this.#judge, number: this.number });
  }

  act(act: string, given: object = {}): Promise<Answer> {
    const answer = this.#next(act);
    if (this.worker !== null) this.worker.postMessage({ act, ...given });
    else this.process?.send({ act, ...given });
    return answer;
  }

  #next(act: string): Promise<Answer> {
    const answer = new Promise<Answer>((resolve) => {
      this.#answer = resolve;
    });
    return within(answer, () => `${this.number}: no answer to ${act}`);
  }

  async kill(): Promise<void> {
    if (this.state === 'dead') return;
    this.state = 'dead';
    if (this.worker !== null) await this.worker.terminate();
    else this.process?.kill('SIGKILL');
    await this.exited;
    // Only now: the word of one that lives is not to be taken over.
    if (existsSync(this.#judge)) writeFileSync(join(this.#judge, `dead-${this.number}`), '');
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    process.kill(this.process?.pid as number, name);
  }
}

/** Whoever has any lock of the seat, even for a look. */
function seatPids(directory: string): number[] {
  const inode = statSync(join(directory, '.primary'), { throwIfNoEntry: false })?.ino;
  return readFileSync('/proc/locks', 'latin1')
    .split('\n')
    .filter((line) => line.includes(`:${inode} `) && !line.includes('->'))
    .map((line) => Number(line.trim().split(/\s+/)[4]));
}

test(`members join, leave, are killed and stopped at random for ${MILLISECONDS / 1000} s: never two are primary, and never none for long (HOLDFAST_TORTURE_SEED=${SEED})`, {
  tags: ['long'],
}, async () => {
  const random = generator(SEED);
  const folder = testFolder();
  const [judge, directory] = [join(folder, 'judge'), join(folder, 'members')];
  mkdirSync(judge);
  let victims: Victim[] = [];
  let numbers = 0;
  const counts: Record<string, number> = {};
  const count = (what: string): void => {
    counts[what] = (counts[what] ?? 0) + 1;
  };
  const violations = (): string => {
    const path = join(judge, 'violations');
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  };
  const pick = <T>(some: T[]): T | undefined => some[random(some.length)];

  const start = async (): Promise<void> => {
    const victim = new Victim(++numbers, random(4) === 0, judge, () => count('primary'));
    victims.push(victim);
    await victim.begin();
    count(victim.worker === null ? 'process' : 'thread');
    await enter(victim);
  };
  const enter = async (victim: Victim): Promise<void> => {
    const id = `i${random(IDS).toString().padStart(2, '0')}`;
    const { held } = await victim.act('join', { directory, id, settle: pick([0, 0, 0, 20]) });
    count(held === true ? 'refused' : 'join');
    victim.state = held === true ? 'out' : 'joined';
  };
  const kill = async (victim: Victim): Promise<void> => {
    count(victim.worker === null ? 'kill' : 'terminate');
    if (victim.state === 'stopped') count('kill of a stopped one');
    victims = victims.filter((each) => each !== victim);
    await victim.kill();
  };
  const stop = async (victim: Victim): Promise<void> => {
    count('stop');
    victim.signal('SIGSTOP');
    await whenStopped(victim);
    victim.state = 'stopped';
  };
  const leave = async (victim: Victim): Promise<void> => {
    count('leave');
    victim.state = 'out';
    await victim.act('leave');
  };

  /** Whom the judge's word names, if that one is not known to be dead. */
  const owner = (): Victim | undefined => {
    try {
      const number = Number(readFileSync(join(judge, 'word'), 'utf8'));
      return victims.find((each) => each.number === number);
    } catch {
      return undefined;
    }
  };
  let longest = 0;
  /** The second half of the oracle. */
  const somebodyIsPrimary = async (): Promise<void> => {
    const begin = performance.now();
    for (;;) {
      if (!victims.some(({ state }) => state === 'joined')) return;
      if (owner() !== undefined) break;
      const stopped = victims.filter(({ state }) => state === 'stopped');
      const pids = seatPids(directory);
      if (stopped.some((each) => pids.includes(each.process?.pid as number))) {
        count('seat of a stopped one');
        return;
      }
      if (performance.now() - begin > BOUND_MILLISECONDS) {
        throw new Error(`nobody is primary; seat: ${pids}; ${violations()}`);
      }
      await breathe();
    }
    longest = Math.max(longest, performance.now() - begin);
  };

  const readTerms = (): string[] => {
    const path = join(judge, 'terms');
    return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
  };
  // Longer on a busy machine: until there was something to see.
  const end = performance.now() + MILLISECONDS;
  while (performance.now() < end || readTerms().length <= MILLISECONDS / 600) {
    const acts: Promise<void>[] = [];
    const busy = new Set<Victim>();
    for (let many = 1 + random(3); many > 0; many--) {
      const free = victims.filter((each) => !busy.has(each));
      // The primary is where it matters most.
      const primary = owner();
      const wanted = random(2) === 0 && primary !== undefined && !busy.has(primary);
      const victim = wanted ? primary : pick(free);
      if (
        victim === undefined ||
        victims.length < 3 ||
        (victims.length < MEMBERS && random(3) === 0)
      ) {
        if (victims.length < MEMBERS) acts.push(start());
        for (const each of victims) busy.add(each);
        continue;
      }
      busy.add(victim);
      const roll = random(6);
      if (victim.state === 'stopped') {
        if (roll === 0) acts.push(kill(victim));
        else {
          count('continue');
          victim.state = 'joined';
          victim.signal('SIGCONT');
        }
      } else if (victim.state === 'out') acts.push(roll === 0 ? kill(victim) : enter(victim));
      else if (roll < 2) acts.push(kill(victim));
      else if (roll === 2 && victim.process !== null) acts.push(stop(victim));
      else if (roll === 3) acts.push(victim.act('look').then(() => count('look')));
      else acts.push(leave(victim));
    }
    await Promise.all(acts);
    expect(violations()).toBe('');
    await somebodyIsPrimary();
  }

  for (const each of victims.filter(({ state }) => state === 'stopped')) {
    each.signal('SIGCONT');
    each.state = 'joined';
  }
  await Promise.all(victims.filter(({ state }) => state === 'joined').map(leave));
  await Promise.all(victims.map(kill));
  expect(violations()).toBe('');
  const terms = readTerms();
  const numbersOfTerms = terms.map((line) => Number(line.split(' ')[0]));
  for (const [at, term] of numbersOfTerms.entries()) {
    if (at > 0) expect(term).toBeGreaterThan(numbersOfTerms[at - 1] as number);
  }
  // Nothing is left that the next one does not clear away.
  const last = await Election.join(directory, { id: 'last' });
  await within(last.whenPrimary(), () => 'nobody can be primary any more');
  expect((await last.members()).map(({ id }) => id)).toEqual(['last']);
  await until(() => readdirSync(directory).length === 2);
  expect(last.term).toBeGreaterThan(numbersOfTerms.at(-1) as number);
  await last.leave();
  expect(readdirSync(directory)).toEqual(['.primary']);
  const told = {
    seed: SEED,
    terms: terms.length,
    longestWithout: Math.round(longest),
    ...counts,
  };
  if (TORTURE) process.stdout.write(`election torture: ${JSON.stringify(told)}\n`);
});

function breathe(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

async function whenStopped(victim: Victim): Promise<void> {
  const end = performance.now() + BOUND_MILLISECONDS;
  while (!isStopped(victim.process?.pid as number)) {
    if (performance.now() > end) throw new Error(`${victim.number} does not stop`);
    await breathe();
  }
}
