#!/usr/bin/env node
import { fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { examine } from './log.mjs';

const INSTANCE = fileURLToPath(new URL('./instance.mjs', import.meta.url));
const IDS = ['plugin-1', 'plugin-2', 'plugin-3', 'plugin-4'];
const TICK_MILLISECONDS = 5;
/** How long each instance stays primary. */
const TERM_MILLISECONDS = 200;

function parse() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { processes: { type: 'boolean', default: false } },
  });
  const [folder, ...rest] = positionals;
  if (folder === undefined || rest.length > 0) throw new Error('one folder is wanted');
  return { folder, ...values };
}

function loadThread(id, folder) {
  const worker = new Worker(INSTANCE, { argv: [id, folder] });
  return {
    id,
    source: worker,
    send: (message) => worker.postMessage(message),
    kill: () => worker.terminate(),
  };
}

function loadProcess(id, folder) {
  const child = fork(INSTANCE, [id, folder]);
  return {
    id,
    source: child,
    // An instance that was just killed does not receive it.
    send: (message) => child.connected && child.send(message, () => {}),
    kill: () => child.kill('SIGKILL'),
  };
}

async function run({ folder, processes }) {
  const log = join(folder, 'plugin.log');
  mkdirSync(folder, { recursive: true });
  rmSync(log, { force: true });

  console.log(`${IDS.length} ${processes ? 'processes' : 'threads'}: ${IDS.join(', ')}`);
  const living = new Set(IDS.map((id) => (processes ? loadProcess : loadThread)(id, folder)));
  const events = new EventEmitter();
  let next = once(events, 'primary');
  for (const instance of living) {
    instance.source.on('message', (message) => {
      if (message === 'joined') return;
      console.log(`${instance.id} is primary, term ${message.primary}`);
      events.emit('primary', instance);
    });
  }
  const ends = [...living].map(({ source }) => once(source, 'exit'));
  const joined = Promise.all([...living].map(({ source }) => once(source, 'message')));
  const early = Promise.race(ends).then(() => {
    throw new Error('an instance has ended before all had joined');
  });
  await Promise.race([joined, early]);

  // Every instance gets every tick.
  let ticks = 0;
  const ticker = setInterval(() => {
    ticks++;
    for (const instance of living) instance.send(ticks);
  }, TICK_MILLISECONDS);
  for (;;) {
    const [primary] = await next;
    await pause(TERM_MILLISECONDS);
    if (living.size === 1) break;
    next = once(events, 'primary');
    living.delete(primary);
    console.log(`${primary.id} is killed`);
    primary.kill();
  }
  clearInterval(ticker);
  for (const instance of living) instance.send('stop');
  await Promise.all(ends);
  return report(examine(log, ticks), ticks);
}

function report({ lines, twice, missing, backwards, changes }, ticks) {
  console.log(`${ticks} ticks, ${lines} lines: ${twice} twice, ${missing} missing`);
  for (const { from, to, term, gap } of changes) {
    console.log(
      `term ${term}: ${gap.toFixed(1)} ms from the last line of ${from} to ${to}'s first`,
    );
  }
  return twice === 0 && missing === 0 && backwards === 0;
}

let options;
try {
  options = parse();
} catch (error) {
  console.error(`host: ${error.message}\nusage: host FOLDER [--processes]`);
  process.exit(64);
}
try {
  if (!(await run(options))) process.exitCode = 1;
} catch (error) {
  console.error(`host: error: ${error.message}`);
  process.exit(1);
}
