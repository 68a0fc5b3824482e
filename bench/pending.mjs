// What waits cost while they are pending, in a pool of one thread, in CPU time
// and in memory, and how long they hold up the event loop when all time out.
// The locks that are waited for are held by a C process.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child } from './child.mjs';
import { aside, FIRST_CPU } from './cpus.mjs';
import { untilWaitedFor } from './handoff.mjs';
import { compare, differences, interleave, median } from './measure.mjs';
import { CHILDREN, LIMIT } from './prepare.mjs';
import { row } from './report.mjs';

const MANY = 1000;
const CPU_SECONDS = 2;

function startWaiting(env) {
  return new Child(process.execPath, [join(CHILDREN, 'pending.mjs')], { env, cpu: FIRST_CPU });
}

async function abort(child) {
  if (!(await child.command('abort'))) throw new Error('a wait ended before it was aborted');
}

async function measurePool(prefix, quick) {
  const child = startWaiting({ UV_THREADPOOL_SIZE: '1' });
  const stat = () => child.command('stat', `${prefix}0`, 1000);
  for (let round = 0; round < 10; round++) await stat();
  const contestants = {
    none: stat,
    async pending() {
      await child.command('wait', prefix, 100, true);
      const time = await stat();
      await abort(child);
      return time;
    },
  };
  const samples = await interleave(contestants, quick ? 8 : 40);
  await child.kill();
  const times = (name, kind) => samples[name].map((sample) => sample[kind]);
  const wall = compare(times('pending', 'wall'), times('none', 'wall'), 'µs');
  const cpu = compare(times('pending', 'cpu'), times('none', 'cpu'), 'µs');
  return { ...cpu, detail: `${cpu.detail}; on the clock ${wall.detail}` };
}

async function measureCpu(prefix, quick) {
  const child = startWaiting();
  const during = (onOnePath) => async () => {
    await child.command('wait', prefix, MANY, onOnePath);
    const time = await child.command('cpu', CPU_SECONDS * 1000);
    await abort(child);
    return time;
  };
  const inC = (count) => async () => {
    const waiter = new Child(LIMIT, ['wait', prefix, String(count)], { cpu: FIRST_CPU });
    await waiter.hear();
    const time = Number(await waiter.ask(`${CPU_SECONDS}\n`)) / 1e6;
    await waiter.kill();
    return time;
  };
  const contestants = {
    none: () => child.command('cpu', CPU_SECONDS * 1000),
    one: during(true),
    many: during(false),
    cOne: inC(1),
    cMany: inC(MANY),
  };
  const samples = await interleave(contestants, quick ? 2 : 7);
  await child.kill();
  const figure = (name) => `${median(samples[name]).toFixed(2)} ms`;
  const entry = (ours, c, waiters) => ({
    values: samples[ours],
    detail: `the whole process; with none pending ${figure('none')}; ${waiters} in C, which checks once a second too, ${figure(c)}`,
  });
  return {
    cpuOnePath: entry('one', 'cOne', 'a waiter'),
    cpuManyPaths: entry('many', 'cMany', 'a waiter for each path'),
  };
}

/** KiB for each of many waits that `start` starts in a fresh process. */
async function memoryOfWaits(rounds, start) {
  const samples = { before: [], pending: [] };
  for (let round = 0; round < rounds; round++) {
    const child = startWaiting();
    await start(child, 20);
    // What the first waits load is not what a wait costs.
    await abort(child);
    samples.before.push(await child.command('rss'));
    await start(child, MANY);
    samples.pending.push(await child.command('rss'));
    await child.kill();
  }
  const mebibytes = (name) => `${(median(samples[name]) / 2 ** 20).toFixed(0)} MiB`;
  return {
    values: differences(samples.pending, samples.before).map((bytes) => bytes / MANY / 1024),
    detail: `with ${MANY} pending RSS ${mebibytes('pending')}, before ${mebibytes('before')}`,
  };
}

async function measureStall(prefix, quick) {
  const samples = [];
  for (let round = 0; round < (quick ? 2 : 10); round++) {
    const child = new Child(process.execPath, [join(CHILDREN, 'stall.mjs'), prefix, String(MANY)]);
    samples.push(JSON.parse(await child.hear()));
    await child.kill();
  }
  const of = (name) => samples.map((sample) => sample[name]);
  return {
    values: of('longest'),
    detail: `CPU of the turn that takes most ${median(of('cpu')).toFixed(1)} ms; all have settled after ${median(of('settled')).toFixed(0)} ms`,
  };
}

/** KiB of a flock(1) that waits: for comparison, a process for each wait. */
async function memoryOfFlock(file) {
  const child = spawn('flock', [file, 'true'], { stdio: 'ignore' });
  child.on('error', () => {});
  if (child.pid === undefined) return undefined;
  const gone = once(child, 'exit');
  try {
    await untilWaitedFor(file);
    return Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]);
  } finally {
    child.kill('SIGKILL');
    await gone;
  }
}

export async function measurePending({ folder, quick, peers }) {
  const rounds = quick ? 2 : 8;
  const prefix = join(folder, 'pending-');
  const holder = new Child(LIMIT, ['hold', prefix, String(MANY)]);
  await holder.hear();
  const budgets = await aside(async () => ({
    pool: await measurePool(prefix, quick),
    ...(await measureCpu(prefix, quick)),
    memory: await memoryOfWaits(rounds, (child, count) =>
      child.command('wait', prefix, count, true),
    ),
  }));
  budgets.stall = await measureStall(prefix, quick);
  const flock = await memoryOfFlock(`${prefix}0`);
  await holder.kill();
  const rows = [];
  const figures = { memory: median(budgets.memory.values), 'memory flock': flock };
  if ('fs-native-extensions' in peers) {
    const native = await aside(() =>
      memoryOfWaits(rounds, (child, count) =>
        child.command('waitNatively', join(folder, `native-${child.pid}-${count}`), count),
      ),
    );
    figures['memory fs-native-extensions'] = median(native.values);
    rows.push(
      row({ what: 'memory of a pending wait of fs-native-extensions', unit: 'KiB', ...native }),
    );
  }
  if (flock !== undefined) {
    rows.push(row({ what: 'memory of a flock(1) that waits (RSS)', values: [flock], unit: 'KiB' }));
  }
  return { budgets, rows, figures };
}
