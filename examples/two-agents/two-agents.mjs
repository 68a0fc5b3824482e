#!/usr/bin/env node
// What two agents do, and the expected results. Exits with status 1 if a result
// differs.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Claims } from 'holdfast/claims';

const HOST = fileURLToPath(new URL('./host.mjs', import.meta.url));
const HOLDFAST = fileURLToPath(new URL('./cli/holdfast.js', import.meta.resolve('holdfast')));

if (process.argv.length > 2) {
  console.error('usage: two-agents');
  process.exit(64);
}
if (process.platform !== 'linux') {
  console.error('Error: the process of a session is found on Linux only');
  process.exit(1);
}

// Ignore the repository and the agent name of the caller's environment.
const own = /^(GIT_.*|HOLDFAST_(AGENT|CLAIMS))$/;
const inherited = Object.entries(process.env).filter(([name]) => !own.test(name));
const env = { ...Object.fromEntries(inherited), GIT_CONFIG_GLOBAL: '/dev/null' };
const AUTHOR = ['-c', 'user.name=example', '-c', 'user.email=example@example.org'];

const agents = [];
const repository = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-two-agents-')));
process.once('exit', () => {
  for (const { child } of agents) endGroup(child.pid);
  rmSync(repository, { recursive: true, force: true, maxRetries: 5 });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => process.exit(128 + constants.signals[signal]));
}

/** An agent and the hook that it may be waiting for. */
function endGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}

/** In the repository. */
function run(command, ...words) {
  execFileSync(command, words, { cwd: repository, env, stdio: ['ignore', 'ignore', 'pipe'] });
}

function install(host) {
  console.log(`$ holdfast claim install-hook --for ${host}`);
  run(process.execPath, HOLDFAST, 'claim', 'install-hook', '--for', host);
}

/**
 * Starts an agent of this host. Its process is the session, and the hook finds it
 * by its name, which is the name of the host's program.
 */
function start(host, program) {
  const stdio = ['ignore', 'inherit', 'inherit', 'ipc'];
  const options = { cwd: repository, env, stdio, argv0: program, detached: true };
  const child = spawn(process.execPath, [HOST, host], options);
  const agent = { child, exited: once(child, 'exit') };
  agents.push(agent);
  return agent;
}

/** Why the agent was stopped; `null`: it was not. */
async function ask({ child, exited }, call) {
  child.send(call);
  const end = exited.then(() => [null]);
  const [answer] = await Promise.race([once(child, 'message'), end]);
  told(answer !== null, 'an agent has ended');
  return answer.reason;
}

async function passes(agent, call) {
  const reason = await ask(agent, call);
  told(reason === null, `it is stopped:\n${reason}`);
  told(read(call.write) === call.text, `${call.write} is not what was written`);
  console.log('  done');
}

async function isStopped(agent, call) {
  const before = read('greet.js');
  const reason = await ask(agent, call);
  told(reason !== null, 'nothing stops it');
  told(read('greet.js') === before, 'greet.js has changed');
  console.log('  stopped, and its model reads:');
  console.log(reason.replace(/^/gm, '  | '));
  return reason;
}

function told(isSo, otherwise) {
  if (!isSo) throw new Error(`not as told: ${otherwise}`);
}

const read = (path) => readFileSync(join(repository, path), 'utf8');

async function story() {
  run('git', 'init', '--quiet');
  writeFileSync(join(repository, 'greet.js'), '// Says hello.\n');
  run('git', 'add', '.');
  run('git', ...AUTHOR, 'commit', '--quiet', '--message=first');
  const claims = new Claims(undefined, { root: repository });
  install('claude-code');
  install('codex');
  const first = start('claude-code', 'claude');
  const second = start('codex', 'codex');

  console.log('\nThe first agent writes greet.js');
  await passes(first, { write: 'greet.js', text: "console.log('hello');\n" });
  const [owner] = await claims.list();
  told(owner?.files[0] === 'greet.js', 'nobody has claimed greet.js');
  console.log(`  ${owner.agent} has it now, and nobody planned that`);

  console.log('\nThe second agent writes greet.js');
  const mine = { write: 'greet.js', text: "console.log('hi');\n" };
  const reason = await isStopped(second, mine);
  told(reason.includes(owner.agent), 'the reason does not name the owner');

  console.log('\nThe second agent goes on with bye.js');
  await passes(second, { write: 'bye.js', text: "console.log('bye');\n" });

  console.log('\nThe second agent runs git stash');
  await isStopped(second, { run: 'git stash' });

  console.log('\nThe first agent is killed');
  first.child.kill('SIGKILL');
  const [, signal] = await first.exited;
  told(signal === 'SIGKILL', 'it has ended before');
  console.log('  ended by SIGKILL');

  console.log('\nThe second agent writes greet.js again');
  await passes(second, mine);

  console.log('\nThe second agent ends');
  second.child.disconnect();
  await second.exited;
  const verdicts = await claims.check(['greet.js', 'bye.js']);
  told(
    verdicts.every(({ verdict }) => verdict === 'unclaimed'),
    'a claim is left',
  );
  console.log('  nobody has a claim');
}

try {
  await story();
} catch (error) {
  console.error(`Error: ${error.message}`);
  // Not only `exitCode`: the agents are still there.
  process.exit(1);
}
