// How long from SIGKILL of a holder until a waiter's code runs with the lock. The
// time starts before the signal is sent, and most of it is the end of a Node
// process, whose memory the kernel frees before its descriptors. So each
// comparison uses the same kind of holder.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child } from './child.mjs';
import { aside, FIRST_CPU, LAST_CPU } from './cpus.mjs';
import { startRole, untilWaitedFor } from './handoff.mjs';
import { compare, interleave, median } from './measure.mjs';
import { CHILDREN } from './prepare.mjs';
import { row } from './report.mjs';

/** Microseconds. */
async function killHolder(holderSystem, waiter, file) {
  const holder = startRole('holder', holderSystem, file, FIRST_CPU);
  await holder.ask('h');
  await waiter.ask('w');
  await untilWaitedFor(file);
  const killed = process.hrtime.bigint();
  process.kill(holder.pid, 'SIGKILL');
  const acquired = BigInt(await waiter.hear());
  await holder.kill();
  return Number(acquired - killed) / 1000;
}

async function measureKernelLocks({ folder, quick, peers }) {
  const cases = [
    ['plain', 'c'],
    ['plain', 'plain'],
    ['c', 'c'],
    ['c', 'plain'],
    ...('fs-ext' in peers ? [['fs-ext', 'fs-ext-lock']] : []),
    ...('fs-native-extensions' in peers ? [['fs-native-extensions', 'fs-native-extensions']] : []),
  ];
  const waiters = [];
  const contestants = {};
  for (const [holder, waiterSystem] of cases) {
    const name = `${waiterSystem} after ${holder}`;
    const file = join(folder, `killed ${name}`);
    writeFileSync(file, '');
    const waiter = startRole('waiter', waiterSystem, file, LAST_CPU);
    waiters.push(waiter);
    contestants[name] = () => killHolder(holder, waiter, file);
  }
  await interleave(contestants, 2);
  const samples = await interleave(contestants, quick ? 8 : 60);
  for (const waiter of waiters) await waiter.kill();
  return samples;
}

/** A lock that goes by the age of a file: its users wait until it looks old. */
async function measureStaleness({ folder, quick, peers }) {
  if (!('proper-lockfile' in peers)) return undefined;
  const once = async (_, number) => {
    const file = join(folder, `stale-${number}`);
    writeFileSync(file, '');
    const start = (role) =>
      new Child(process.execPath, [join(CHILDREN, 'behaviour.mjs'), 'proper-lockfile', role, file]);
    const holder = start('hold');
    await holder.hear();
    const waiter = start('wait');
    await waiter.hear();
    const killed = performance.now();
    await holder.kill();
    await waiter.hear();
    const microseconds = (performance.now() - killed) * 1000;
    await waiter.kill();
    return microseconds;
  };
  return Promise.all(Array.from({ length: quick ? 1 : 5 }, once));
}

export async function measureCrash(context) {
  // Both at once: the other one sleeps for nearly all of its ten seconds.
  const [samples, stale] = await Promise.all([
    aside(() => measureKernelLocks(context)),
    measureStaleness(context),
  ]);
  if (stale !== undefined) samples['proper-lockfile'] = stale;
  return {
    budgets: { killed: compare(samples['plain after plain'], samples['c after plain'], 'µs') },
    rows: [
      row({
        what: 'handoff after SIGKILL of a holder in C, against a waiter in C',
        unit: '×',
        ...compare(samples['plain after c'], samples['c after c'], 'µs'),
      }),
      ...(stale === undefined
        ? []
        : [
            row({
              what: 'proper-lockfile: the lock of a killed holder is granted after',
              values: stale.map((microseconds) => microseconds / 1e6),
              unit: 's',
              detail: 'its defaults; retries every 10 to 50 ms',
            }),
          ]),
    ],
    figures: Object.fromEntries(
      Object.entries(samples).map(([name, values]) => [`killed ${name}`, median(values)]),
    ),
  };
}
