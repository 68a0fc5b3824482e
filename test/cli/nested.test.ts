import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileLock } from '../../src/index.js';
import { COMMAND, start } from '../support/command.js';
import { Fifo } from '../support/fifo.js';
import { testFolder } from '../support/folder.js';
import { isFree } from '../support/several.js';

// A command in a command: `holdfast run a -- holdfast run b -- CMD`.

interface Runner {
  name: string;
  words: (folder: string) => string[];
  locks: (folder: string) => string[];
}

const RUNNERS: Runner[] = [
  {
    name: 'run',
    words: (folder) => ['run', join(folder, 'f')],
    locks: (folder) => [join(folder, 'f')],
  },
  {
    name: 'run --also',
    words: (folder) => ['run', '--also', join(folder, 'e'), join(folder, 'f')],
    locks: (folder) => [join(folder, 'e'), join(folder, 'f')],
  },
  {
    name: 'next-id',
    words: (folder) => ['next-id', folder],
    locks: (folder) => [join(folder, '.next-id.lock')],
  },
  {
    name: 'elect',
    words: (folder) => ['elect', folder],
    locks: (folder) => [join(folder, '.primary')],
  },
];

/** Field 4 of proc_pid_stat(5). */
function parentOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return Number(stat.slice(stat.lastIndexOf(')')).split(' ')[2]);
}

// The others are long.
const SHORT = ['run around run', 'run --also around run', 'next-id around elect'];

describe.runIf(process.platform === 'linux')(
  'with both killed, the command holds all locks',
  () => {
    for (const outer of RUNNERS) {
      for (const inner of RUNNERS) {
        const title = `${outer.name} around ${inner.name}`;
        const options = SHORT.includes(title) ? {} : { tags: ['long'] };
        test(title, options, () => killBoth(outer, inner));
      }
    }
  },
);

async function killBoth(outer: Runner, inner: Runner): Promise<void> {
  const [one, two] = [testFolder(), testFolder()];
  const locks = [...outer.locks(one), ...inner.locks(two)];
  const fifo = new Fifo();
  const command = ['sh', '-c', 'echo "works $$."; read -r _ <"$0"', fifo.path];
  const nested = [process.execPath, COMMAND, ...inner.words(two), '--', ...command];
  const holdfast = start([...outer.words(one), '--', ...nested]);
  await holdfast.says('.\n');
  const pid = Number(/works (\d+)/.exec(holdfast.stdout)?.[1]);
  const innerPid = parentOf(pid);
  expect(innerPid).not.toBe(holdfast.pid);
  await holdfast.kill('SIGKILL');
  process.kill(innerPid, 'SIGKILL');
  // It gets another parent when its own has ended.
  while (parentOf(pid) === innerPid) await new Promise(setImmediate);
  expect(locks.filter(isFree)).toEqual([]);
  fifo.write('go\n');
  for (const path of locks) (await FileLock.acquire(path)).releaseSync();
}
