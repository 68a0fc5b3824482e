// What waits cost while they are pending: the pool, the CPU, the memory. The
// locks that are waited for are held by a C process.
import { join } from 'node:path';
import { Child } from './child.mjs';
import { differences, interleave, median, ratios } from './measure.mjs';
import { CHILDREN, LIMIT } from './prepare.mjs';
import { row } from './report.mjs';

const MANY = 1000;
const CPU_MILLISECONDS = 2000;

class Waiting {
  #child;

  constructor(env) {
    this.#child = new Child(process.execPath, [join(CHILDREN, 'pending.mjs')], { env });
  }

  async ask(...command) {
    return JSON.parse(await this.#child.ask(`${JSON.stringify(command)}\n`));
  }

  async abort() {
    if (!(await this.ask('abort'))) throw new Error('a wait ended before it was aborted');
  }

  kill() {
    return this.#child.kill();
  }
}

async function measurePool(prefix, quick) {
  const child = new Waiting({ UV_THREADPOOL_SIZE: '1' });
  const stat = () => child.ask('stat', `${prefix}0`, 500);
  for (let round = 0; round < 10; round++) await stat();
  const contestants = {
    none: stat,
    async pending() {
      await child.ask('wait', prefix, 100, true);
      const time = await stat();
      await child.abort();
      return time;
    },
  };
  const samples = await interleave(contestants, quick ? 8 : 40);
  await child.kill();
  const [pending, none] = [median(samples.pending), median(samples.none)];
  return row({
    what: '`fs.stat` while 100 waits are pending, UV_THREADPOOL_SIZE=1, against none',
    values: ratios(samples.pending, samples.none),
    unit: '×',
    budget: 1.1,
    detail: `${pending.toFixed(1)} µs against ${none.toFixed(1)} µs`,
  });
}

async function measureCpu(prefix, quick) {
  const child = new Waiting();
  const during = (onOnePath) => async () => {
    await child.ask('wait', prefix, MANY, onOnePath);
    const time = await child.ask('cpu', CPU_MILLISECONDS);
    await child.abort();
    return time;
  };
  const contestants = {
    none: () => child.ask('cpu', CPU_MILLISECONDS),
    one: during(true),
    many: during(false),
  };
  const samples = await interleave(contestants, quick ? 1 : 5);
  await child.kill();
  const entry = (where, values, budget) =>
    row({
      what: `CPU of ${MANY} pending waits over ${CPU_MILLISECONDS / 1000} s, on ${where}`,
      values,
      unit: 'ms',
      budget,
      detail: `the whole process; with none pending ${median(samples.none).toFixed(2)} ms`,
    });
  return [entry('one path', samples.one, 5), entry(`${MANY} paths`, samples.many, 20)];
}

async function measureMemory(prefix, quick) {
  const samples = { before: [], pending: [] };
  for (let round = 0; round < (quick ? 2 : 8); round++) {
    const child = new Waiting();
    // What the first waits load is not what a wait costs.
    await child.ask('wait', prefix, 20, true);
    await child.abort();
    samples.before.push(await child.ask('rss'));
    await child.ask('wait', prefix, MANY, true);
    samples.pending.push(await child.ask('rss'));
    await child.kill();
  }
  return row({
    what: `memory per wait, ${MANY} pending`,
    values: differences(samples.pending, samples.before).map((bytes) => bytes / MANY / 1024),
    unit: 'KiB',
    budget: 64,
    detail: `RSS ${(median(samples.pending) / 2 ** 20).toFixed(0)} MiB, before ${(median(samples.before) / 2 ** 20).toFixed(0)} MiB`,
  });
}

export async function measurePending({ folder, quick }) {
  const prefix = join(folder, 'pending-');
  const holder = new Child(LIMIT, ['hold', prefix, String(MANY)]);
  await holder.hear();
  const rows = [
    await measurePool(prefix, quick),
    ...(await measureCpu(prefix, quick)),
    await measureMemory(prefix, quick),
  ];
  await holder.kill();
  return { rows };
}
