// What a process pays once: the import and the first lock (which loads the
// addon), each inside a process of its own, and whole commands. All of it is
// CPU time, without NODE_EXTRA_CA_CERTS (see child.mjs).
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Child } from './child.mjs';
import { aside, FIRST_CPU } from './cpus.mjs';
import { compare, interleave, median, ratios } from './measure.mjs';
import { CHILDREN, COMMAND, CPU_OF, HOOK, lockPeers, peerPath } from './prepare.mjs';
import { row } from './report.mjs';

const cpu = FIRST_CPU;

/** `[import, first lock]` of one process; of a peer, `[require]`. */
async function timeInside(...words) {
  const child = new Child(process.execPath, words, { cpu });
  const times = JSON.parse(await child.hear());
  await child.kill();
  return times;
}

/** What a host says to its hook before a write, in a file. */
function hookInput(folder) {
  const input = join(folder, 'start-up-hook.json');
  const asked = {
    hook_event_name: 'PreToolUse',
    session_id: 'bench',
    cwd: process.cwd(),
    tool_name: 'Write',
    tool_input: { file_path: 'package.json' },
  };
  writeFileSync(input, JSON.stringify(asked));
  return input;
}

function startCommands(file, claims, input) {
  const holdfast = (...args) => [process.execPath, COMMAND, ...args];
  const commands = { nothing: [process.execPath, '-e', '0'], flock: ['flock', file, 'true'] };
  if (existsSync(COMMAND)) {
    commands.run = holdfast('run', file, 'true');
    commands.check = holdfast('claim', 'check', '--dir', claims, 'src/index.ts');
    // A folder of its own: the check is beside no claim. The first call claims.
    commands.hook = [process.execPath, HOOK, '--for', 'codex', '--dir', `${claims}-hook`];
  }
  // The hook looks for the process of its host, and that is its parent.
  const host = join(dirname(file), 'codex');
  copyFileSync(CPU_OF, host);
  const env = { CPU_OF_INPUT: input };
  return Object.entries(commands).map(([name, words]) => [
    name,
    new Child(name === 'hook' ? host : CPU_OF, words, { cpu, env }),
  ]);
}

async function measureAll({ folder, quick, peers }) {
  const file = join(folder, 'start-up');
  const claims = join(folder, 'start-up-claims');
  mkdirSync(claims);
  const children = startCommands(file, claims, hookInput(folder));
  const contestants = { holdfast: () => timeInside(join(CHILDREN, 'import.mjs'), file) };
  for (const name of lockPeers(peers)) {
    contestants[name] = () => timeInside(join(CHILDREN, 'require.cjs'), peerPath(name));
  }
  for (const [name, child] of children) {
    contestants[name] = async () => Number(await child.ask('\n')) / 1e6;
  }
  await interleave(contestants, 2);
  const { holdfast, ...samples } = await interleave(contestants, quick ? 12 : 60);
  for (const [, child] of children) await child.kill();
  for (const name of lockPeers(peers)) samples[name] = samples[name].map(([time]) => time);
  samples.import = holdfast.map(([time]) => time);
  samples.firstLock = holdfast.map(([, time]) => time);
  return samples;
}

export async function measureStartUp(context) {
  const samples = await aside(() => measureAll(context));
  const against = (left, right, reason) =>
    left in samples && right in samples ? compare(samples[left], samples[right], 'ms') : { reason };
  const peer = 'proper-lockfile is not there';
  const command = 'the command is not built';
  const rows = ['fs-ext', 'fs-native-extensions']
    .filter((name) => name in samples)
    .map((name) =>
      row({
        what: `\`require('${name}')\`, against \`import 'holdfast'\``,
        unit: '×',
        ...compare(samples[name], samples.import, 'ms'),
      }),
    );
  rows.push(
    row({
      what: '`flock FILE true` against `node -e 0`',
      values: ratios(samples.flock, samples.nothing),
      unit: '×',
      detail: `${median(samples.flock).toFixed(2)} ms against ${median(samples.nothing).toFixed(1)} ms`,
    }),
  );
  return {
    budgets: {
      import: against('import', 'proper-lockfile', peer),
      firstLock: against('firstLock', 'proper-lockfile', peer),
      claimCheck: against('check', 'nothing', command),
      hook: against('hook', 'nothing', command),
      run: against('run', 'nothing', command),
    },
    rows,
    figures: Object.fromEntries(
      Object.entries(samples).map(([name, values]) => [`start ${name}`, median(values)]),
    ),
  };
}
