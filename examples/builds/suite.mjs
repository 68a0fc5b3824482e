#!/usr/bin/env node
// Runs a project's test suite, with a limit on how many run at once on this
// machine, each with its own ports and database.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { withSlot } from 'holdfast/slots';

const USAGE = 'Usage: suite [--at-once N] COMMAND [ARGUMENT…]';
const FIRST_PORT = 4000;
const PORTS_EACH = 10;

/** Options come before the command, which has its own. */
function parse(argv) {
  const options = { 'at-once': { type: 'string', default: '2' } };
  const { tokens } = parseArgs({ args: argv, options, strict: false, tokens: true });
  const first = tokens.find(({ kind }) => kind === 'positional')?.index ?? argv.length;
  const { values } = parseArgs({ args: argv.slice(0, first), options });
  if (first === argv.length) throw new Error('COMMAND is missing');
  return { slots: Number(values['at-once']), command: argv.slice(first) };
}

const showHolders = (holders) => {
  console.error('suite: waiting; these run now:');
  for (const { pid, data } of holders) console.error(`  pid ${pid}: ${data?.project ?? '?'}`);
};

async function run([program, ...words], slot) {
  const port = FIRST_PORT + slot.number * PORTS_EACH;
  console.error(`suite: slot ${slot.number}, ports from ${port}`);
  // The suite inherits the slot: if this program is killed, the slot stays taken
  // while the suite runs and uses the ports.
  const child = spawn(program, words, {
    stdio: ['inherit', 'inherit', 'inherit', slot.fd],
    env: { ...process.env, PORT: String(port), DATABASE: `test_${slot.number}` },
  });
  const [code, signal] = await once(child, 'exit');
  return signal === null ? code : 1;
}

try {
  const { slots, command } = parse(process.argv.slice(2));
  // A folder per user: other users could hold the slots of a folder that they may
  // write to.
  const folder = join(tmpdir(), `suites-${userInfo().username}`);
  const options = { slots, data: { project: process.cwd() }, onWait: showHolders };
  process.exitCode = await withSlot(folder, options, (slot) => run(command, slot));
} catch (error) {
  console.error(`suite: ${error.message}\n${USAGE}`);
  process.exitCode = 64;
}
