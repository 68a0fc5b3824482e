#!/usr/bin/env node
import { accessSync, constants } from 'node:fs';
import { parseArgs } from 'node:util';
import { inspect } from 'holdfast';
import { AlreadyRunningError, InstanceLock } from 'holdfast/instance';
import { Jobs, programOf } from './jobs.mjs';
import { confirmOnTerminal, endBySignal, isTerminal, SIGNALS } from './terminal.mjs';

const LOCK = '.claude/parallel.lock';
const DEFAULT_MAX = 3;
const USAGE = `usage: runner parallel FEATURE... [--max N] [--force] [--yes]
       runner parallel status`;

function parse() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      max: { type: 'string', default: String(DEFAULT_MAX) },
      force: { type: 'boolean', default: false },
      yes: { type: 'boolean', default: false },
    },
  });
  const [command, ...names] = positionals;
  if (command !== 'parallel' || names.length === 0) throw new Error('what is to be run?');
  const max = Number(values.max);
  if (!Number.isInteger(max) || max < 1) throw new Error('--max wants a number from 1 on');
  const features = [...new Set(names)];
  const status = features.length === 1 && features[0] === 'status';
  for (const feature of status ? [] : features) {
    if (!/^\w[\w.-]*$/.test(feature)) throw new Error(`'${feature}' is not a name of a feature`);
    try {
      accessSync(programOf(feature), constants.X_OK);
    } catch (error) {
      const executable =
        error.code === 'EACCES' ? 'may not be executed (chmod +x)' : 'is not there';
      throw new Error(`the program ${programOf(feature)} ${executable}`);
    }
  }
  if (values.force && !values.yes && !isTerminal()) {
    throw new Error('--force needs --yes where there is no terminal to ask on');
  }
  return { ...values, max, features, status };
}

async function status() {
  const { state, holders, record } = await inspect(LOCK);
  if (state !== 'held' && state !== 'unknown') {
    console.log('No parallel execution is in progress');
    if (record !== null) console.log(describeStale(record));
    return;
  }
  const [holder] = holders;
  console.log(`A parallel execution is in progress (PID: ${holder?.pid ?? 'unknown'})`);
  console.log(startedAt(holder));
  console.log(`Features: ${holder?.data?.features?.join(', ') ?? 'unknown'}`);
  console.log(`Max concurrency: ${holder?.data?.maxConcurrency ?? 'unknown'}`);
}

function describeStale({ pid, running }) {
  return running === false
    ? `Warning: Found stale lock file (PID ${pid} not running)`
    : `Warning: Found lock file that was not released (PID ${pid})`;
}

/** `Started at: 2026-02-25T10:30:00Z` */
function startedAt(holder) {
  return `Started at: ${holder?.since?.toISOString().replace(/\.\d+Z$/, 'Z') ?? 'unknown'}`;
}

function takeOver(previous) {
  console.error(describeStale(previous));
  console.error(
    previous.running === false
      ? 'Removing stale lock and continuing...\n'
      : 'Nobody holds its lock, continuing...\n',
  );
}

function acquire({ features, max, force, yes }) {
  return InstanceLock.acquire(LOCK, {
    data: { features, maxConcurrency: max },
    onStale: takeOver,
    ...(force && { force: { how: 'steal', confirm: (holder) => override(holder, yes) } }),
  });
}

async function override({ pid }, yes) {
  console.error(`Warning: Overriding existing lock (PID: ${pid ?? 'unknown'})`);
  console.error('This may cause conflicts if another execution is still running.\n');
  return yes || (await confirmOnTerminal('Continue? [y/N] '));
}

function refuse({ pid, holder }, { features, max, force }) {
  // This was the answer to our own question.
  if (force) return console.error('Error: Nothing was done: the other execution goes on');
  console.error(`Error: Another parallel execution is in progress (PID: ${pid ?? 'unknown'})`);
  console.error(`${startedAt(holder)}\n`);
  console.error('Options:');
  console.error('  • Wait for it to complete');
  console.error('  • Run: runner parallel status');
  const words = max === DEFAULT_MAX ? features : [...features, '--max', max];
  console.error(`  • Force override: runner parallel ${words.join(' ')} --force`);
}

async function run(options) {
  const lock = await acquire(options);
  const jobs = new Jobs(options.max);
  let lost = false;
  let ended = null;
  // Because of our own handler, the lock is kept until the jobs have ended. A
  // second signal has no handler: it ends this program at once, and the jobs with
  // it.
  const onSignal = (signal) => {
    if (ended === null) void jobs.stop();
    ended ??= signal;
    for (const each of SIGNALS) process.removeListener(each, onSignal);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  lock.on('lost', (holder) => {
    lost = true;
    console.error(`Error: The lock was overridden (PID: ${holder?.pid ?? 'unknown'}), stopping`);
    void jobs.stop();
  });
  let done = false;
  console.log('Starting parallel pipelines...');
  try {
    done = await jobs.run(options.features);
  } finally {
    for (const signal of SIGNALS) process.removeListener(signal, onSignal);
    await lock.release();
  }
  if (ended !== null) endBySignal(ended);
  return done && !lost;
}

let options;
try {
  options = parse();
} catch (error) {
  console.error(`Error: ${error.message}\n${USAGE}`);
  process.exit(64);
}
try {
  if (options.status) await status();
  else if (!(await run(options))) process.exitCode = 1;
} catch (error) {
  if (error instanceof AlreadyRunningError) refuse(error, options);
  else console.error(`Error: ${error.message}`);
  process.exitCode = 1;
}
