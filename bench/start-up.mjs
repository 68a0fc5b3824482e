// What a process pays once: the import and the first lock (which loads the
// addon), each timed inside a process of its own, and the whole command.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Child, timeProcess } from './child.mjs';
import { interleave, median, ratios } from './measure.mjs';
import { CHILDREN, COMMAND } from './prepare.mjs';
import { row, skipped } from './report.mjs';

const RUN = '`holdfast run FILE true` against `node -e 0`';

export async function measureStartUp({ folder, quick }) {
  const file = join(folder, 'start-up');
  const node = (...args) => timeProcess(process.execPath, args);
  const timeInside = async (script, ...args) => {
    const child = new Child(process.execPath, [join(CHILDREN, script), ...args]);
    return Number(await child.hear());
  };
  const contestants = {
    imported: () => timeInside('import.mjs'),
    nothing: () => node('-e', '0'),
    firstLock: () => timeInside('first-lock.mjs', file),
  };
  if (existsSync(COMMAND)) contestants.command = () => node(COMMAND, 'run', file, 'true');
  await interleave(contestants, 2);
  const samples = await interleave(contestants, quick ? 15 : 60);

  const milliseconds = (name) => `${median(samples[name]).toFixed(1)} ms`;
  const rows = [
    row({
      what: "`import 'holdfast'` on top of an empty module",
      values: samples.imported,
      unit: 'ms',
      budget: 8,
    }),
    row({ what: 'the first lock after it', values: samples.firstLock, unit: 'ms', budget: 5 }),
    samples.command === undefined
      ? skipped(RUN, 'dist/cli/holdfast.js is not there')
      : row({
          what: RUN,
          values: ratios(samples.command, samples.nothing),
          unit: '×',
          budget: 1.5,
          detail: `${milliseconds('command')} against ${milliseconds('nothing')}`,
        }),
  ];
  return { rows };
}
