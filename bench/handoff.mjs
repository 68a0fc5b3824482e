// How long from a release in one process until the code of a waiter in another
// runs with the lock. Each system hands over between two processes of its own:
// the holder notes the time just before it releases and then goes back to a
// blocking read, the waiter notes the time as the first thing it does with the
// lock. Both clocks are CLOCK_MONOTONIC. The bench makes sure that the waiter
// is blocked in the kernel before it has the holder release.
//
// Both run on one CPU and the bench on another: on two CPUs of a virtual
// machine the figure is decided by which one the scheduler wakes threads on.
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Child } from './child.mjs';
import { interleave, median, ratios } from './measure.mjs';
import { CHILDREN, LIMIT } from './prepare.mjs';
import { row, skipped } from './report.mjs';

const HANDOFFS_PER_BLOCK = 20;
const BLOCKED_WITHIN_MILLISECONDS = 1000;

function allowedCpus() {
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1];
  return { list, first: list.split(/[-,]/)[0], last: list.split(/[-,]/).at(-1) };
}

function pinItself(cpus) {
  execFileSync('taskset', ['-a', '-cp', cpus, String(process.pid)], { stdio: 'ignore' });
}

/** Until the kernel lists somebody who waits for the lock of `file`. */
async function untilWaitedFor(file) {
  const waiter = new RegExp(`-> FLOCK .*:${statSync(file).ino} `);
  const end = performance.now() + BLOCKED_WITHIN_MILLISECONDS;
  while (!waiter.test(readFileSync('/proc/locks', 'latin1'))) {
    if (performance.now() > end) throw new Error(`nobody came to wait for ${file}`);
    await pause(1);
  }
}

class Pair {
  #file;
  #holder;
  #waiter;

  constructor(folder, system, cpu) {
    this.#file = join(folder, `handoff-${system}`);
    writeFileSync(this.#file, '');
    const start = (role) =>
      system === 'c'
        ? new Child(LIMIT, [role, this.#file], { cpu })
        : new Child(process.execPath, [join(CHILDREN, `handoff-${role}.mjs`), system, this.#file], {
            cpu,
          });
    this.#holder = start('holder');
    this.#waiter = start('waiter');
  }

  /** Microseconds. */
  async handOver() {
    await this.#holder.ask('h');
    await this.#waiter.ask('w');
    await untilWaitedFor(this.#file);
    this.#holder.tell('r');
    const acquired = BigInt(await this.#waiter.hear());
    const released = BigInt(await this.#holder.ask('t'));
    return Number(acquired - released) / 1000;
  }

  async block(count) {
    const latencies = [];
    for (let done = 0; done < count; done++) latencies.push(await this.handOver());
    return median(latencies);
  }

  async end() {
    await this.#holder.kill();
    await this.#waiter.kill();
  }
}

async function measureRelease({ folder, quick, peers }) {
  const cpus = allowedCpus();
  const systems = ['c', 'plain', 'json', ...('fs-ext' in peers ? ['fs-ext', 'fs-ext-lock'] : [])];
  const pairs = systems.map((system) => [system, new Pair(folder, system, cpus.first)]);
  pinItself(cpus.last);
  try {
    for (const [, pair] of pairs) await pair.block(HANDOFFS_PER_BLOCK);
    const blocks = pairs.map(([name, pair]) => [name, () => pair.block(HANDOFFS_PER_BLOCK)]);
    return await interleave(Object.fromEntries(blocks), quick ? 5 : 30);
  } finally {
    pinItself(cpus.list);
    for (const [, pair] of pairs) await pair.end();
  }
}

/**
 * The same with a holder that is killed: one and the same kind of holder, a
 * Holdfast process, and the waiter is either ours or the one in C. The time
 * begins before the signal is sent, and most of it is the death of a Node
 * process, whose memory the kernel gives back before its descriptors.
 */
async function measureKill({ folder, quick }) {
  const file = join(folder, 'killed');
  writeFileSync(file, '');
  const waiters = {
    c: new Child(LIMIT, ['waiter', file]),
    plain: new Child(process.execPath, [join(CHILDREN, 'handoff-waiter.mjs'), 'plain', file]),
  };
  const holders = {
    node: () => new Child(process.execPath, [join(CHILDREN, 'handoff-holder.mjs'), 'plain', file]),
    c: () => new Child(LIMIT, ['holder', file]),
  };
  const contestants = {};
  for (const [holderName, start] of Object.entries(holders)) {
    for (const [waiterName, waiter] of Object.entries(waiters)) {
      contestants[`${waiterName} after ${holderName}`] = async () => {
        const holder = start();
        await holder.ask('h');
        await waiter.ask('w');
        await untilWaitedFor(file);
        const killed = process.hrtime.bigint();
        process.kill(holder.pid, 'SIGKILL');
        const acquired = BigInt(await waiter.hear());
        return Number(acquired - killed) / 1000;
      };
    }
  }
  await interleave(contestants, 2);
  const samples = await interleave(contestants, quick ? 10 : 100);
  for (const waiter of Object.values(waiters)) await waiter.kill();
  return samples;
}

export async function measureHandoff(context) {
  const detail = (left, right) =>
    `${median(left).toFixed(1)} µs against ${median(right).toFixed(1)} µs`;
  const against = (what, left, right, budget) =>
    row({ what, values: ratios(left, right), unit: '×', budget, detail: detail(left, right) });

  const release = await measureRelease(context);
  const rows = [
    'fs-ext' in release
      ? against('handoff on one CPU, against fs-ext', release.plain, release['fs-ext'], 0.9)
      : skipped('handoff on one CPU, against fs-ext', 'fs-ext is not there'),
    against('handoff on one CPU, against C', release.plain, release.c, 3),
    against('handoff with the JSON record on one CPU, against C', release.json, release.c),
  ];
  if ('fs-ext' in release) {
    rows.push(
      against(
        'handoff on one CPU, against fs-ext with a promise and the path compared, as ours',
        release.plain,
        release['fs-ext-lock'],
      ),
    );
  }
  const kill = await measureKill(context);
  rows.push(
    against(
      'handoff after SIGKILL of a Holdfast process, against a C waiter',
      kill['plain after node'],
      kill['c after node'],
      1.5,
    ),
    against(
      'handoff after SIGKILL of a C process, against a C waiter',
      kill['plain after c'],
      kill['c after c'],
    ),
  );
  const bars = [
    ['handoff', 'C', release.c],
    ['handoff', 'Holdfast', release.plain],
    ['handoff', 'fs-ext', release['fs-ext']],
  ]
    .filter(([, , values]) => values !== undefined)
    .map(([what, who, values]) => [what, who, median(values)]);
  return { rows, chart: { bars } };
}
