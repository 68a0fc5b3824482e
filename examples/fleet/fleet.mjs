#!/usr/bin/env node
// node examples/fleet/fleet.mjs postgres|etcd|URL
//
// Three hosts, each a process with its own file system. All of them start a cron
// job, which runs once. The host that leads a service is killed, and another one
// leads. Starts a throwaway server, unless it is given the URL of one.
import { fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { alone } from './alone.mjs';
import { Receiver } from './receiver.mjs';
import { throwawayServer } from './servers.mjs';

const HOST = fileURLToPath(new URL('./host.mjs', import.meta.url));
const NAMES = ['host-1', 'host-2', 'host-3'];
const LEAD_MILLISECONDS = 500;
const LIMIT_MILLISECONDS = 60_000;

const [engine = '', ...rest] = process.argv.slice(2);
if (rest.length > 0 || !/^(?:postgres|etcd|(?:postgres(?:ql)?|https?):\/\/.+)$/.test(engine)) {
  console.error('usage: node examples/fleet/fleet.mjs postgres|etcd|URL');
  process.exit(64);
}

const living = new Map();
const events = new EventEmitter();
const receiver = await new Receiver().start();
const home = mkdtempSync(join(tmpdir(), 'fleet-home-'));
const server = throwawayServer(engine);
let ending;

for (const [signal, number] of [
  ['SIGHUP', 1],
  ['SIGINT', 2],
  ['SIGTERM', 15],
]) {
  process.on(signal, () => void end(128 + number));
}
setTimeout(() => fail(new Error('it takes too long')), LIMIT_MILLISECONDS).unref();

try {
  await server.start();
  await end((await show()) ? 0 : 1);
} catch (error) {
  await fail(error);
}

/** Runs the whole example; returns whether everything was as expected. */
async function show() {
  console.log(`lock server: ${server.url}`);
  let next = once(events, 'leads');
  for (const name of NAMES) await start(name);

  const [first] = await next;
  console.log(`${first.host} leads, token ${first.leads}`);

  console.log('\nit is night: all three start the report');
  const outcomes = await Promise.all([...living.values()].map((host) => run(host, 1)));
  for (const { host, outcome } of outcomes) console.log(`  ${host} ${outcome}`);
  const reports = receiver.accepted.filter(({ kind }) => kind === 'report');
  console.log(`reports that arrived: ${reports.length}`);

  await pause(LEAD_MILLISECONDS);
  console.log(`\n${first.host} is killed`);
  const before = performance.now();
  next = once(events, 'leads');
  living.get(first.host).kill('SIGKILL');
  living.delete(first.host);
  const [second] = await next;
  const gap = Math.round(performance.now() - before);
  console.log(`${second.host} leads ${gap} ms later, token ${second.leads}`);

  // A late packet of the dead host, sent after the new leader's first one.
  while (!receiver.accepted.some(({ token }) => token === second.leads)) await pause(10);
  const late = receiver.take({ kind: 'line', host: first.host, text: 'late', token: first.leads });
  const isRefused = second.leads > first.leads && !late;
  console.log(`a late write of ${first.host}: ${isRefused ? 'refused' : 'ACCEPTED'}`);

  const lines = receiver.accepted.filter(({ kind }) => kind === 'line');
  const mixed = lines.filter(({ token }, at) => token < (lines[at - 1]?.token ?? 0)).length;
  console.log(`${lines.length} lines, ${mixed} of an earlier leader after a later one`);
  return reports.length === 1 && isRefused && mixed === 0;
}

async function start(name) {
  const { isAlone, command, args, env } = alone(process.execPath, { name, home });
  if (!isAlone && name === NAMES[0]) {
    console.log('(this system has no unshare(1) for users: the hosts share a file system)');
  }
  // CTRL-C reaches only this program, which ends the hosts.
  const options = { execPath: command, execArgv: args, env, detached: true };
  const host = fork(HOST, [name, server.url, receiver.url], options);
  living.set(name, host);
  host.on('message', (each) => {
    if (each.trouble) console.log(`  ${name}: ${each.trouble}`);
    if (each.leads) events.emit('leads', each);
  });
  await message(host, ({ ready }) => ready);
}

async function run(host, night) {
  host.send({ night });
  return await message(host, (each) => each.night === night);
}

function message(host, isWanted) {
  return new Promise((resolve, reject) => {
    const hear = (each) => {
      if (!isWanted(each)) return;
      host.off('message', hear);
      resolve(each);
    };
    host.on('message', hear);
    host.once('exit', (code, signal) => reject(new Error(`a host ended: ${signal ?? code}`)));
  });
}

function fail(error) {
  // While the program ends, failures are expected.
  if (ending === undefined) console.error(`fleet: error: ${error.message}`);
  return end(1);
}

/** Leaves nothing behind, whatever the reason for the end. */
function end(code) {
  ending ??= clearUp().then(
    () => process.exit(code),
    (error) => {
      console.error(`fleet: error: ${error.message}`);
      process.exit(1);
    },
  );
  return ending;
}

async function clearUp() {
  const ends = [...living.values()].map((host) => {
    if (host.exitCode !== null || host.signalCode !== null) return undefined;
    const exited = once(host, 'exit');
    host.kill('SIGKILL');
    return exited;
  });
  await Promise.all(ends);
  receiver.stop();
  rmSync(home, { recursive: true, force: true });
  await server.stop();
}
