// npm run test:hosts [-- --only codex,gemini,opencode]
//
// The real programs, each with a HOME of its own and a scripted model on the
// loopback. They are installed into a cache outside of the repository, once.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HOSTS } from './hosts.mjs';
import { startModel } from './model.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const COMMAND = join(ROOT, 'dist', 'cli', 'holdfast.js');
const CACHE =
  process.env.HOLDFAST_HOSTS_CACHE ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'holdfast-hosts');
const LIMIT = 90_000;
const INSIDE = 'HOLDFAST_HOSTS_INSIDE';

const at = process.argv.indexOf('--only');
const names = at < 0 ? Object.keys(HOSTS) : process.argv[at + 1].split(',');
const unknown = names.find((name) => !Object.hasOwn(HOSTS, name));
if (unknown !== undefined) throw new Error(`there is no host ${unknown}`);

if (process.env[INSIDE] === undefined) {
  for (const name of names) install(name);
  process.exit(rerunWithoutNetwork());
}

/** Outside of the repository, and none of its dependencies: hundreds of megabytes. */
function install(name) {
  const { package: id, version, bin } = HOSTS[name];
  if (existsSync(join(placeOf(name), 'node_modules', '.bin', bin))) return;
  console.log(`installing ${id}@${version} into ${placeOf(name)}`);
  mkdirSync(placeOf(name), { recursive: true });
  const args = ['install', '--no-audit', '--no-fund', '--no-save', '--prefix', placeOf(name)];
  const { status } = spawnSync('npm', [...args, `${id}@${version}`], {
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: 600_000,
  });
  if (status !== 0) throw new Error(`${id} cannot be installed`);
}

function placeOf(name) {
  return join(CACHE, `${name}-${HOSTS[name].version}`);
}

/** Nothing is to reach the network; only root can see to that. */
function rerunWithoutNetwork() {
  const env = { ...process.env, [INSIDE]: '1' };
  const again = [process.execPath, ...process.argv.slice(1)];
  const probe = spawnSync('unshare', ['-n', 'ip', 'link', 'set', 'lo', 'up']);
  if (probe.status !== 0) {
    console.log('the hosts may reach the network here: only root can keep them from it');
    return spawnSync(again[0], again.slice(1), { env, stdio: 'inherit' }).status ?? 1;
  }
  const script = 'ip link set lo up && exec "$@"';
  const args = ['-n', 'sh', '-c', script, 'sh', ...again];
  return spawnSync('unshare', args, { env, stdio: 'inherit' }).status ?? 1;
}

/** A repository that all agents of a test work in. */
class Project {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-hosts-'));
  root = join(this.folder, 'repo');
  agents = [];

  constructor() {
    mkdirSync(this.root);
    git(this.root, 'init', '-q', '-b', 'main');
    const who = ['-c', 'user.name=a', '-c', 'user.email=a@example.org'];
    git(this.root, ...who, 'commit', '-q', '--allow-empty', '-m', 'first');
  }

  async agent(name, turns) {
    const agent = new Agent(this, name, await startModel(turns), String(this.agents.length));
    this.agents.push(agent);
    return agent;
  }

  has(path) {
    return existsSync(join(this.root, path));
  }

  async end() {
    for (const agent of this.agents) await agent.end();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A session of a host. */
class Agent {
  constructor(project, name, model, id) {
    this.project = project;
    this.host = HOSTS[name];
    this.name = name;
    this.model = model;
    this.home = join(project.folder, `home-${id}`);
    mkdirSync(this.home);
    this.host.prepare(this.home, project.root, model.port);
  }

  get env() {
    return {
      PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
      HOME: this.home,
      TERM: 'dumb',
      ...this.host.env(this.model.port),
    };
  }

  /** `holdfast …` as the person whose home this is. */
  holdfast(...args) {
    return spawnSync(process.execPath, [COMMAND, ...args], {
      cwd: this.project.root,
      env: this.env,
      encoding: 'utf8',
      timeout: LIMIT,
    });
  }

  installHook() {
    const { status, stderr } = this.holdfast('claim', 'install-hook', '--for', this.name, '--user');
    if (status !== 0) throw new Error(stderr);
    return this;
  }

  start() {
    const bin = join(placeOf(this.name), 'node_modules', '.bin', this.host.bin);
    this.process = spawn(bin, this.host.args, {
      cwd: this.project.root,
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.output = '';
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.on('data', (chunk) => {
        this.output += chunk;
      });
    }
    this.exited = new Promise((resolve) => this.process.once('exit', resolve));
    return this;
  }

  async run() {
    this.start();
    await inTime(this.exited, () => `${this.name} does not end: ${this.output.slice(-2000)}`);
    return this;
  }

  /** Whether its model was told this. */
  wasTold(text) {
    return this.model.requests.some((each) => each.includes(text));
  }

  /** Kills everything of this session. */
  async kill() {
    try {
      process.kill(-this.process.pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
    await this.exited;
  }

  async end() {
    if (this.process !== undefined) await this.kill();
    this.model.close();
  }
}

function git(cwd, ...args) {
  const { status, stderr } = spawnSync('git', args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

async function inTime(promise, problem) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(problem())), LIMIT);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function until(condition, problem) {
  const end = Date.now() + LIMIT;
  while (!condition()) {
    if (Date.now() > end) throw new Error(problem());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function check(condition, problem) {
  if (!condition) throw new Error(problem);
}

/** Each is given the name of a host. */
const SCENARIOS = {
  async 'a second agent is stopped at the same file, and told why; it is free when the first is killed'(
    name,
  ) {
    const { writes, runs } = HOSTS[name];
    const project = new Project();
    try {
      const first = await project.agent(name, [
        writes('shared.ts', 'first'),
        runs('touch ready; sleep 60'),
      ]);
      first.installHook().start();
      await until(
        () => project.has('ready'),
        () => `the first does not come so far: ${first.output.slice(-2000)}`,
      );
      check(project.has('shared.ts'), `the first could not write: ${first.output.slice(-2000)}`);
      const second = await project.agent(name, [
        writes('shared.ts', 'second'),
        writes('other.ts', 'second'),
        runs('git stash -u; touch stashed'),
      ]);
      await second.installHook().run();
      const content = () => readFileSync(join(project.root, 'shared.ts'), 'utf8');
      check(content() === 'first\n', 'the second has written over the first');
      check(second.wasTold('another agent is working there'), 'its model was not told why');
      check(second.wasTold('holdfast claim wait'), 'its model was not told what to do');
      check(project.has('other.ts'), `another file did not pass: ${second.output.slice(-2000)}`);
      check(!project.has('stashed'), 'git stash was not stopped');
      check(second.wasTold('changes files all over'), 'its model was not told about git stash');
      await first.kill();
      rmSync(join(project.root, 'shared.ts'));
      const third = await project.agent(name, [writes('shared.ts', 'third')]);
      await third.installHook().run();
      check(
        project.has('shared.ts') && content() === 'third\n',
        `it is not free after a SIGKILL: ${third.output.slice(-2000)}`,
      );
    } finally {
      await project.end();
    }
  },

  async 'a broken hook stops writes, and doctor notices it'(name) {
    const project = new Project();
    try {
      const agent = await project.agent(name, [HOSTS[name].writes('a.ts', 'x')]);
      agent.installHook();
      const whole = agent.holdfast('doctor', '--json', '.');
      check(whole.status === 0, `doctor finds fault with a whole hook: ${whole.stdout}`);
      breakHook(agent.home);
      const broken = agent.holdfast('doctor', '--json', '.');
      check(broken.status !== 0, 'doctor does not notice it');
      await agent.run();
      check(!project.has('a.ts'), 'it was written all the same');
      check(agent.wasTold('holdfast doctor'), 'its model was not told');
    } finally {
      await project.end();
    }
  },
};

/** The hook's file is gone, as after an upgrade of Node or a removed package. */
function breakHook(home) {
  for (const file of filesBelow(home)) {
    const text = readFileSync(file, 'utf8');
    const changed = text.replaceAll(/[^'"]*\/dist\/hook\.cjs/g, (found) =>
      found.replace('/dist/', '/gone/'),
    );
    if (changed !== text) writeBack(file, changed);
  }
}

function writeBack(file, text) {
  spawnSync('tee', [file], { input: text, stdio: ['pipe', 'ignore', 'inherit'] });
}

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath ?? each.path, each.name));
}

/** What a hook does, and whether the write is then blocked. */
const ANSWERS = [
  ['status 2, a text', 'echo no >&2; exit 2'],
  ['status 2, no text', 'exit 2'],
  ['decision "block"', `echo '{"decision":"block","reason":"no"}'`],
  ['permissionDecision "deny"', 'DENY'],
  ['status 1', 'echo no >&2; exit 1'],
  ['no JSON', 'echo no'],
  ['a signal', 'kill -9 $$'],
  ['the time-out', 'sleep 20'],
];

async function tableFor(name) {
  const host = HOSTS[name];
  const rows = {};
  for (const [what, given] of ANSWERS) {
    const decision = {
      hookEventName: host.event,
      permissionDecision: 'deny',
      permissionDecisionReason: 'no',
    };
    const command =
      given === 'DENY' ? `echo '${JSON.stringify({ hookSpecificOutput: decision })}'` : given;
    const project = new Project();
    try {
      const agent = await project.agent(name, [host.writes('a.ts', 'x')]);
      host.hook(agent.home, command, 2);
      await agent.run();
      rows[what] = project.has('a.ts') ? 'written' : 'blocked';
    } finally {
      await project.end();
    }
  }
  return rows;
}

/** What the hook relies on. The others may change. */
const RELIED_ON = ['status 2, a text'];

let failures = 0;
const table = {};
for (const name of names) {
  for (const [what, run] of Object.entries(SCENARIOS)) {
    const began = Date.now();
    try {
      await run(name);
      console.log(`ok      ${name}: ${what} (${Date.now() - began} ms)`);
    } catch (error) {
      failures++;
      console.log(`FAILED  ${name}: ${what}\n  ${error.stack}`);
    }
  }
  if (HOSTS[name].hook === null) continue;
  table[name] = await tableFor(name);
  for (const what of RELIED_ON) if (table[name][what] !== 'blocked') failures++;
}
console.log('\nWhat a hook does, and what becomes of the write:');
console.table(
  Object.fromEntries(
    ANSWERS.map(([what]) => [
      what,
      Object.fromEntries(Object.entries(table).map(([name, rows]) => [name, rows[what]])),
    ]),
  ),
);
process.exit(failures === 0 ? 0 : 1);
