// At most N at once. Handoffs: one process has all N slots, and another waits
// for any of them; how long from before the release of one until the code of
// the waiter runs with it. That of a single lock, with the same record, is
// beside it in the same run.
//
// Then twelve processes that want four slots, over and over: how often one
// enters, and how often the least lucky one against the luckiest. In the
// library's row each stays for a millisecond. The command is beside `sem` of GNU
// parallel: twelve shells run a job of 50 ms again and again.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Child } from './child.mjs';
import { untilWaitedFor } from './handoff.mjs';
import { compare, interleave, median } from './measure.mjs';
import { COMMAND } from './prepare.mjs';
import { row, skipped } from './report.mjs';

const HANDOFFS_PER_BLOCK = 10;
const WORKERS = 12;
const SLOTS = 4;
const JOB_SECONDS = 0.05;

const dist = (file) => JSON.stringify(new URL(`../dist/${file}`, import.meta.url).href);
const OPEN = `
  const { FileLock } = await import(${dist('index.js')});
  const { Slots } = await import(${dist('slots.js')});
  const [path, count] = process.argv.slice(1);
  const ground = count === '0' ? null : new Slots(path, { slots: Number(count) });
  const acquire = () => (ground === null ? FileLock.acquire(path) : ground.acquire());
  const say = (text) => process.stdout.write(text + '\\n');
`;
const HOLDER = `${OPEN}
  const held = [];
  process.stdin.on('end', () => process.exit());
  process.stdin.on('data', async (command) => {
    if (String(command) === 'h') {
      const free = Math.max(1, Number(count)) - held.length;
      for (let taken = 0; taken < free; taken++) held.push(await acquire());
      return say('held');
    }
    const lock = held.shift();
    const released = process.hrtime.bigint();
    lock.releaseSync();
    say(String(released));
  });
`;
const WAITER = `${OPEN}
  process.stdin.on('end', () => process.exit());
  process.stdin.on('data', async () => {
    const lock = await acquire();
    const acquired = process.hrtime.bigint();
    lock.releaseSync();
    say(String(acquired));
  });
`;
const WORKER = `${OPEN}
  let entries = 0;
  let isEnding = false;
  process.stdin.on('data', () => { isEnding = true; });
  say('ready');
  while (!isEnding) {
    const slot = await acquire();
    entries++;
    await new Promise((resolve) => setTimeout(resolve, 1));
    slot.releaseSync();
    await new Promise(setImmediate);
  }
  say(String(entries));
  process.exit();
`;

const start = (source, path, count) =>
  new Child(process.execPath, ['--input-type=module', '-e', source, '--', path, String(count)]);

class Pair {
  #file;
  #holder;
  #waiter;

  /** `count` 0: a single lock. */
  constructor(path, count) {
    this.#file = count === 0 ? path : join(path, `${count}.lock`);
    this.#holder = start(HOLDER, path, count);
    this.#waiter = start(WAITER, path, count);
  }

  /** Microseconds. */
  async #handOver() {
    await this.#holder.ask('h');
    this.#waiter.tell('w');
    // It begins with the first slot, and comes to this one last.
    await untilWaitedFor(this.#file);
    const released = BigInt(await this.#holder.ask('r'));
    return Number(BigInt(await this.#waiter.hear()) - released) / 1000;
  }

  async block() {
    const latencies = [];
    while (latencies.length < HANDOFFS_PER_BLOCK) latencies.push(await this.#handOver());
    return median(latencies);
  }

  async end() {
    await this.#holder.kill();
    await this.#waiter.kill();
  }
}

async function handoffs(folder, quick) {
  const counts = [0, 4, 16, 64];
  const pairs = counts.map((count) => new Pair(join(folder, `slots-${count}`), count));
  try {
    for (const pair of pairs) await pair.block();
    const blocks = pairs.map((pair, at) => [counts[at], () => pair.block()]);
    return await interleave(Object.fromEntries(blocks), quick ? 5 : 20);
  } finally {
    for (const pair of pairs) await pair.end();
  }
}

/** The entries of each of twelve processes in so many seconds. */
async function crowd(path, seconds) {
  const workers = Array.from({ length: WORKERS }, () => start(WORKER, path, SLOTS));
  try {
    for (const worker of workers) await worker.hear();
    await pause(seconds * 1000);
    for (const worker of workers) worker.tell('e');
    return await Promise.all(workers.map(async (worker) => Number(await worker.hear())));
  } finally {
    for (const worker of workers) await worker.kill();
  }
}

/** The same for shells that run `words`, and then the job. */
async function shells(folder, words, seconds, environment = {}) {
  mkdirSync(folder, { recursive: true });
  const script = `while :; do "$@" sleep ${JOB_SECONDS} && echo >>"$0"; done`;
  const files = Array.from({ length: WORKERS }, (_, at) => join(folder, `${at}.entries`));
  for (const file of files) writeFileSync(file, '');
  const children = files.map((file) =>
    spawn('sh', ['-c', script, file, ...words], {
      detached: true,
      stdio: 'ignore',
      env: { ...process.env, ...environment },
    }),
  );
  await pause(seconds * 1000);
  const counts = files.map((file) => statSync(file).size);
  for (const child of children) {
    process.kill(-child.pid, 'SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  return counts;
}

/** `null`: it is not there. */
function versionOfSem() {
  const { status, stdout } = spawnSync('sem', ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n')[0] : null;
}

const perSecond = (rounds, seconds) =>
  rounds.map((counts) => counts.reduce((sum, count) => sum + count, 0) / seconds);
const share = (rounds) => rounds.map((counts) => Math.min(...counts) / Math.max(...counts, 1));

function crowdRows(what, rounds, seconds) {
  const sorted = rounds.flat().sort((one, other) => one - other);
  const detail = `each worker ${sorted[0]} to ${sorted.at(-1)} times in ${seconds} s`;
  return [
    row({
      what: `${what}: entries of all`,
      values: perSecond(rounds, seconds),
      unit: '/s',
      detail,
    }),
    row({ what: `${what}: least against most of a worker`, values: share(rounds), unit: '×' }),
  ];
}

export async function measureSlots({ folder, quick }) {
  const samples = await handoffs(folder, quick);
  const rows = [4, 16, 64].map((count) =>
    row({
      what: `handoff of any of ${count} slots, against that of one lock`,
      unit: '×',
      ...compare(samples[count], samples[0], 'µs'),
    }),
  );
  const seconds = quick ? 5 : 10;
  const sem = versionOfSem();
  const rounds = { library: [], command: [], sem: [] };
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    const at = (name) => join(folder, `slots-${name}-${round}`);
    rounds.library.push(await crowd(at('library'), seconds));
    const command = [process.execPath, COMMAND, 'run', '-q', '--slots', SLOTS, at('command')];
    rounds.command.push(await shells(at('shells'), command.map(String), seconds));
    if (sem === null) continue;
    const home = at('parallel');
    mkdirSync(home);
    // It asks for a citation otherwise, and waits for an answer.
    writeFileSync(join(home, 'will-cite'), '');
    const words = ['sem', '-j', String(SLOTS), '--id', 'bench', '--fg'];
    const environment = { PARALLEL_HOME: home };
    rounds.sem.push(await shells(at('sem'), words, seconds, environment));
  }
  const who = `${WORKERS} on ${SLOTS} slots`;
  rows.push(...crowdRows(`${who}, withSlot for 1 ms`, rounds.library, seconds));
  rows.push(...crowdRows(`${who}, holdfast run --slots, 50 ms`, rounds.command, seconds));
  const what = `${who}, GNU sem, 50 ms`;
  if (sem === null) rows.push(skipped(what, 'sem is not there (apt-get install parallel)'));
  else rows.push(...crowdRows(`${what} (${sem})`, rounds.sem, seconds));
  return { title: 'At most N at once', rows };
}
