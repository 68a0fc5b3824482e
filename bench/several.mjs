// Several locks at once: what withLocks costs where they are free, and what one
// that wants all of them gets where others take them one by one.
import { join } from 'node:path';
import { Child } from './child.mjs';
import { aside, FIRST_CPU } from './cpus.mjs';
import { compare, interleave, median } from './measure.mjs';
import { CHILDREN } from './prepare.mjs';
import { row } from './report.mjs';

const LOCKS = 5;
const CALLS = 200;
const OTHERS = 6;
const HOLD_MILLISECONDS = 3;

const start = (cpu) => new Child(process.execPath, [join(CHILDREN, 'several.mjs')], { cpu });

async function measureFree(paths, rounds) {
  const child = start(FIRST_CPU);
  const names = ['sequential', 'nested', 'together'];
  for (const name of names) await child.command(name, paths, 2000);
  const samples = await interleave(
    Object.fromEntries(names.map((name) => [name, () => child.command(name, paths, CALLS)])),
    rounds,
  );
  await child.kill();
  return samples;
}

/** One process wants all, in one of two ways; the others take one at a time. */
async function measureContended(paths, milliseconds, rounds) {
  const child = start();
  const others = Array.from({ length: OTHERS }, () => start());
  const way = (name) => async () => {
    const disturbed = others.map((other) =>
      other.command('disturb', paths, milliseconds, HOLD_MILLISECONDS),
    );
    const result = await child.command('takeAll', paths, milliseconds, HOLD_MILLISECONDS, name);
    await Promise.all(disturbed);
    return result;
  };
  const samples = await interleave({ together: way('together'), none: way('none') }, rounds);
  for (const each of [child, ...others]) await each.kill();
  return samples;
}

export async function measureSeveral({ folder, quick }) {
  const paths = Array.from({ length: LOCKS }, (_, at) => join(folder, `several-${at}.lock`));
  const free = await aside(() => measureFree(paths, quick ? 5 : 30));
  const milliseconds = quick ? 1000 : 4000;
  const contended = await measureContended(paths, milliseconds, quick ? 2 : 5);
  const against = (what, name) =>
    row({ what, unit: '×', ...compare(free.together, free[name], 'µs') });
  const turns = (name) => contended[name].map(([count]) => count);
  const waits = (name) => contended[name].map(([, longest]) => longest);
  const beside = `${OTHERS} processes hold one of them for ${HOLD_MILLISECONDS} ms, over and over`;
  const other = (values) => `${median(values).toFixed(0)} if it holds none while it waits`;
  return {
    title: 'Several locks',
    rows: [
      against(
        `\`withLocks\` of ${LOCKS} free locks, against ${LOCKS} times acquire and release`,
        'sequential',
      ),
      against(
        `\`withLocks\` of ${LOCKS} free locks, against ${LOCKS} nested \`withLock\``,
        'nested',
      ),
      row({
        what: `turns in ${milliseconds / 1000} s of one that wants all ${LOCKS}`,
        values: turns('together'),
        unit: 'turns',
        detail: `${beside}; ${other(turns('none'))}`,
      }),
      row({
        what: `its longest wait`,
        values: waits('together'),
        unit: 'ms',
        detail: other(waits('none')),
      }),
    ],
  };
}
