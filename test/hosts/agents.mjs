// A repository, and the agents that work in it: real hosts, each with a HOME and a
// scripted model of its own.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { programOf } from './cache.mjs';
import { HOSTS } from './hosts.mjs';
import { speakerOf, startModel } from './model.mjs';

const COMMAND = fileURLToPath(new URL('../../dist/cli/holdfast.js', import.meta.url));
const LIMIT = 90_000;

/** Calls `work` with a repository, and ends all its agents after it. */
export async function inProject(work) {
  const project = new Project();
  try {
    await work(project);
  } finally {
    await project.end();
  }
}

/** What all agents of a test work in. */
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

  /** Without the line's end; `null`: it is not there. */
  read(path) {
    return this.has(path) ? readFileSync(join(this.root, path), 'utf8').trimEnd() : null;
  }

  /** For agents, which wait for a file. */
  touch(path) {
    writeFileSync(join(this.root, path), '');
  }

  /** The claims: for each agent its parent and its files. */
  claims() {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [COMMAND, 'claim', 'list', '--json'],
      { cwd: this.root, encoding: 'utf8', timeout: LIMIT },
    );
    if (status !== 0) throw new Error(stderr);
    return JSON.parse(stdout).filter(({ state }) => state === 'active');
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
      TERM: 'xterm',
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

  start(args = this.host.args) {
    return this.#start(programOf(this.name), args);
  }

  /** In a terminal that nobody looks at. */
  startInTerminal(args) {
    const command = [programOf(this.name), ...args].join(' ');
    return this.#start('script', ['-qfec', command, '/dev/null']);
  }

  #start(program, args) {
    this.program = program;
    this.process = spawn(program, args, {
      cwd: this.project.root,
      env: this.env,
      // script(1) ends its command when its own input ends.
      stdio: [program === 'script' ? 'pipe' : 'ignore', 'pipe', 'pipe'],
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
    await this.ended();
    return this;
  }

  async ended() {
    await inTime(this.exited, () => `${this.name} does not end: ${this.output.slice(-2000)}`);
  }

  /** Whether its model was told this; `speaker`: that of a sub-agent, or of one of several sessions. */
  wasTold(text, speaker = null) {
    return this.model.requests.some(
      (each) =>
        each.includes(text) && (speaker === null || speakerOf(each, this.model.names) === speaker),
    );
  }

  /** Waits until `condition` holds. */
  async until(condition, what) {
    await until(condition, () => `${what}: ${this.output.slice(-2000)}`);
  }

  /** Kills everything of this session. */
  async kill() {
    // What script(1) starts is in a group of its own.
    const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(this.process.pid)], {
      encoding: 'utf8',
    });
    const groups = this.program === 'script' ? stdout.split('\n').filter(Boolean) : [];
    for (const group of [...groups.map(Number), this.process.pid]) {
      try {
        process.kill(-group, 'SIGKILL');
      } catch {
        // It has ended.
      }
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

export async function until(condition, problem) {
  const end = Date.now() + LIMIT;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(problem());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export function check(condition, problem) {
  if (!condition) throw new Error(problem);
}
