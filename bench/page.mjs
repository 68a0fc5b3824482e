// docs/performance.md: what a lock costs, for those who choose one. The figures
// are named by the groups that measure them.
import { fillTemplate } from './report.mjs';

const MISSING = 'not measured';

function digitsOf(value) {
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}

/** `7.1 µs`, `51 µs`, `2.7 ms`, `10 s`. */
export function time(microseconds) {
  if (microseconds === undefined) return MISSING;
  if (microseconds < 1000) return `${digitsOf(microseconds)} µs`;
  if (microseconds < 1e6) return `${digitsOf(microseconds / 1000)} ms`;
  return `${digitsOf(microseconds / 1e6)} s`;
}

const milliseconds = (value) => time(value === undefined ? undefined : value * 1000);

function memory(kibibytes) {
  if (kibibytes === undefined) return MISSING;
  return kibibytes < 1024 ? `${digitsOf(kibibytes)} KiB` : `${digitsOf(kibibytes / 1024)} MiB`;
}

function tableOf(figures) {
  const cost = (name) => time(figures[`cycle ${name}`]);
  const handoff = (name) => time(figures[`handoff one ${name}`]);
  const killed = (name) => time(figures[`killed ${name}`]);
  const start = (name) => milliseconds(figures[`start ${name}`]);
  const native = 'fs-native-extensions';
  const rows = [
    [
      'lock and release a free lock',
      cost('plain'),
      cost('fs-ext'),
      cost(native),
      cost('proper-lockfile'),
      `${start('flock')}, a process`,
    ],
    ['the same, awaited', cost('async'), '', '', cost('proper-lockfile-async'), ''],
    [
      'with a record of the holder, the default',
      `${cost('json')}, awaited ${cost('asyncJson')}`,
      'no record',
      'no record',
      'no record',
      'no record',
    ],
    [
      'from a release to the code of the waiter, on one CPU',
      `${handoff('plain')}, with a record ${handoff('json')}`,
      handoff('fs-ext-lock'),
      handoff(native),
      'the next retry',
      'starts a process',
    ],
    [
      'from `kill -9` of the holder to the code of the waiter',
      killed('plain after plain'),
      killed('fs-ext-lock after fs-ext'),
      killed(`${native} after ${native}`),
      killed('proper-lockfile'),
      'starts a process',
    ],
    [
      'memory of a pending wait',
      memory(figures.memory),
      'one of the 4 threads of the pool',
      memory(figures[`memory ${native}`]),
      'a timer',
      `${memory(figures['memory flock'])}, a process`,
    ],
    [
      'load the package',
      `${start('import')}, the first lock ${start('firstLock')}`,
      start('fs-ext'),
      start(native),
      start('proper-lockfile'),
      '',
    ],
  ];
  return rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export function formatPage({ figures, machine, quick }) {
  const { date, subject, processors, system, load, software } = machine;
  const kind = quick ? 'A quick run, of few rounds:' : 'A full run:';
  const place = `${processors}, ${system}, load ${load}`;
  return fillTemplate('performance.md', {
    plain: time(figures['cycle plain']),
    json: time(figures['cycle json']),
    c: time(figures['cycle c']),
    cJson: time(figures['cycle cJson']),
    async: time(figures['cycle async']),
    asyncJson: time(figures['cycle asyncJson']),
    memory: memory(figures.memory),
    handoff: time(figures['handoff one plain']),
    handoffTwo: time(figures['handoff two plain']),
    killed: time(figures['killed plain after plain']),
    bare: time(figures['handoff one fs-ext']),
    table: tableOf(figures),
    run: `${kind} ${subject}, ${date}; ${place}; ${software.join(', ')}.`,
  });
}
