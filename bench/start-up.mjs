// What a process pays once: the import, the first lock (which loads the addon),
// and the whole command. Each is a process of its own; of the first two what
// counts is by how much it is slower than one without.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Child, timeProcess } from './child.mjs';
import { differences, interleave, median, ratios } from './measure.mjs';
import { CHILDREN, COMMAND } from './prepare.mjs';
import { row, skipped } from './report.mjs';

const RUN = '`holdfast run FILE true` against `node -e 0`';

export async function measureStartUp({ folder, quick }) {
  const file = join(folder, 'start-up');
  const node = (...args) => timeProcess(process.execPath, args);
  const contestants = {
    empty: () => node(join(CHILDREN, 'empty.mjs')),
    imported: () => node(join(CHILDREN, 'import.mjs')),
    nothing: () => node('-e', '0'),
    async firstLock() {
      const child = new Child(process.execPath, [join(CHILDREN, 'first-lock.mjs'), file]);
      return Number(await child.hear());
    },
  };
  if (existsSync(COMMAND)) contestants.command = () => node(COMMAND, 'run', file, 'true');
  await interleave(contestants, 2);
  const samples = await interleave(contestants, quick ? 15 : 60);

  const milliseconds = (name) => `${median(samples[name]).toFixed(1)} ms`;
  const rows = [
    row({
      what: "`import 'holdfast'` on top of an empty module",
      values: differences(samples.imported, samples.empty),
      unit: 'ms',
      budget: 8,
      detail: `${milliseconds('imported')} against ${milliseconds('empty')}`,
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
