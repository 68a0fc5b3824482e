// How long from a release in one process until the code of a waiter in another
// runs with the lock. Each system hands over between two processes of its own:
// the holder notes the time just before it releases and then goes back to a
// blocking read, the waiter notes the time as the first thing it does with the
// lock. Both clocks are CLOCK_MONOTONIC. The bench makes sure that the waiter
// is blocked in the kernel before it has the holder release.
//
// Both run on one CPU, or each on one of its own; left to the scheduler, the
// figure is decided by which CPU it wakes threads on.
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Child } from './child.mjs';
import { aside, FIRST_CPU, LAST_CPU } from './cpus.mjs';
import { compare, interleave, median } from './measure.mjs';
import { CHILDREN, LIMIT } from './prepare.mjs';
import { row, skipped } from './report.mjs';

const HANDOFFS_PER_BLOCK = 20;
const BLOCKED_WITHIN_MILLISECONDS = 1000;

/** Until the kernel lists a process that waits for the lock of `file`. */
export async function untilWaitedFor(file) {
  const waiter = new RegExp(`-> (FLOCK|OFDLCK) .*:${statSync(file).ino} `);
  const end = performance.now() + BLOCKED_WITHIN_MILLISECONDS;
  while (!waiter.test(readFileSync('/proc/locks', 'latin1'))) {
    if (performance.now() > end) throw new Error(`no process came to wait for ${file}`);
    await pause(1);
  }
}

/** A process that holds or waits, of one of the systems. */
export function startRole(role, system, file, cpu) {
  return system === 'c'
    ? new Child(LIMIT, [role, file], { cpu })
    : new Child(process.execPath, [join(CHILDREN, `handoff-${role}.mjs`), system, file], { cpu });
}

class Pair {
  #file;
  #holder;
  #waiter;

  constructor(file, system, waiterCpu) {
    this.#file = file;
    writeFileSync(file, '');
    this.#holder = startRole('holder', system, file, FIRST_CPU);
    this.#waiter = startRole('waiter', system, file, waiterCpu);
  }

  /** Microseconds. */
  async #handOver() {
    await this.#holder.ask('h');
    await this.#waiter.ask('w');
    await untilWaitedFor(this.#file);
    this.#holder.tell('r');
    const acquired = BigInt(await this.#waiter.hear());
    const released = BigInt(await this.#holder.ask('t'));
    return Number(acquired - released) / 1000;
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

async function measureReleases({ folder, quick, peers }, waiterCpu) {
  const systems = ['c', 'plain', 'json'];
  if ('fs-ext' in peers) systems.push('fs-ext', 'fs-ext-lock');
  if ('fs-native-extensions' in peers) systems.push('fs-native-extensions');
  const pairs = systems.map((system) => {
    return [system, new Pair(join(folder, `handoff-${system}-${waiterCpu}`), system, waiterCpu)];
  });
  try {
    for (const [, pair] of pairs) await pair.block();
    const blocks = pairs.map(([name, pair]) => [name, () => pair.block()]);
    return await interleave(Object.fromEntries(blocks), quick ? 5 : 30);
  } finally {
    for (const [, pair] of pairs) await pair.end();
  }
}

function information(where, samples) {
  const pairs = [
    ['Holdfast with the JSON record, against C', 'json', 'c'],
    ['Holdfast, against bare fs-ext, which compares nothing', 'plain', 'fs-ext'],
    ['Holdfast, against fs-native-extensions', 'plain', 'fs-native-extensions'],
    ['Holdfast, against C', 'plain', 'c'],
  ];
  return pairs.map(([what, left, right]) => {
    const title = `handoff on ${where}: ${what}`;
    if (!(right in samples)) return skipped(title, `${right} is not there`);
    return row({ what: title, unit: '×', ...compare(samples[left], samples[right], 'µs') });
  });
}

export async function measureHandoff(context) {
  const one = await aside(() => measureReleases(context, FIRST_CPU));
  const two = FIRST_CPU === LAST_CPU ? {} : await aside(() => measureReleases(context, LAST_CPU));
  const against = (samples, left, right) => {
    if (samples[left] === undefined) return { reason: 'this machine has one CPU' };
    if (samples[right] === undefined) return { reason: 'fs-ext is not there' };
    return compare(samples[left], samples[right], 'µs');
  };
  const figures = (where, samples) =>
    Object.entries(samples).map(([name, values]) => [`handoff ${where} ${name}`, median(values)]);
  return {
    budgets: {
      handoffOneCpu: against(one, 'plain', 'fs-ext-lock'),
      handoffTwoCpus: against(two, 'plain', 'fs-ext-lock'),
      handoffC: against(one, 'plain', 'c'),
      handoffJsonC: against(one, 'json', 'c'),
    },
    rows: [
      ...information('one CPU', one).slice(1, 3),
      ...(two.plain === undefined ? [] : information('two CPUs', two)),
    ],
    figures: Object.fromEntries([...figures('one', one), ...figures('two', two)]),
  };
}
