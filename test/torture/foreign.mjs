// Foreign holders: flock(1), and Python's fcntl.flock.
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LOCKS } from './locks.mjs';
import { send } from './processes.mjs';
import { FOREIGN_SEAT, idOf } from './world.mjs';

const SCRIPT = fileURLToPath(new URL('./foreign.py', import.meta.url));
const MOST = 3;

/** The interpreter itself: what is found by PATH may be a slow script around it. */
function findTools() {
  const answer = (command, ...args) => spawnSync(command, args, { encoding: 'utf8' });
  const python = answer('python3', '-c', 'import fcntl, sys; print(sys.executable)');
  const flock = answer('flock', '--version');
  return { python: python.status === 0 ? python.stdout.trim() : null, flock: flock.status === 0 };
}

/** A few at a time, each in its own process group, which ends as a whole. */
export class Foreigners {
  #world;
  #random;
  #counts;
  #tools = findTools();
  #groups = Array(MOST).fill(null);

  constructor(world, random, counts) {
    this.#world = world;
    this.#random = random;
    this.#counts = counts;
    for (const key of ['started', 'killed', 'stopped']) counts[`foreign ${key}`] = 0;
  }

  start(draw) {
    const index = Math.floor(draw * MOST);
    const { command, task } = this.#decide(index);
    if (command === null || this.#groups[index] !== null) return;
    this.#counts['foreign started']++;
    const env = { ...process.env, HOLDFAST_TORTURE: this.#world.folder };
    const stdio = ['ignore', 'ignore', 'pipe'];
    const child = spawn(command[0], command.slice(1), { stdio, env, detached: true });
    const group = { child, killed: false, task, stderr: '' };
    this.#groups[index] = group;
    child.stderr.on('data', (chunk) => {
      group.stderr += chunk;
    });
    child.on('exit', (code) => this.#onEnd(index, code));
  }

  kill(draw) {
    const group = this.#groups[Math.floor(draw * MOST)];
    if (group === null) return;
    this.#counts['foreign killed']++;
    group.killed = true;
    send(-group.child.pid, 'SIGKILL');
  }

  stop(draw, length) {
    const group = this.#groups[Math.floor(draw * MOST)];
    if (group === null) return;
    this.#counts['foreign stopped']++;
    send(-group.child.pid, 'SIGSTOP');
    setTimeout(() => this.#groups.includes(group) && send(-group.child.pid, 'SIGCONT'), length);
  }

  busy() {
    return this.#groups.flatMap((group) => (group === null ? [] : [`foreign ${group.task.id}`]));
  }

  #decide(index) {
    const random = this.#random;
    const locks = LOCKS.filter(({ foreign }) => foreign);
    const lock = random.pick(this.#world.plant === 'deaf' ? locks.slice(0, 1) : locks);
    const byFlock = random.chance(0.4);
    const [exclusive, wait] = [random.chance(0.5), random.chance(0.5)];
    const seat = FOREIGN_SEAT + index;
    const task = {
      ...this.#world.layout,
      words: join(this.#world.folder, 'oracle', `${lock.name}.path`),
      path: this.#world.pathOf(lock),
      lock: lock.name,
      log: this.#world.logOf(lock),
      progress: this.#world.progressIndex(lock),
      ...{ seat, id: idOf(seat, this.#counts['foreign started'] + 1) },
      ...{ exclusive, how: byFlock ? 'held' : 'itself' },
      turns: random.between(5, 60),
      seed: random.between(0, 2 ** 31),
    };
    const { python, flock } = this.#tools;
    if (python === null || (byFlock && !flock)) return { command: null, task };
    const itself = [python, '-I', '-S', SCRIPT, JSON.stringify(task)];
    if (!byFlock) return { command: itself, task };
    const mode = exclusive ? '--exclusive' : '--shared';
    const patience = wait ? ['--wait', '0.3'] : ['--nonblock'];
    return { command: ['flock', mode, ...patience, task.path, ...itself], task };
  }

  async #onEnd(index, code) {
    const group = this.#groups[index];
    const { pid } = group.child;
    while (isThere(pid)) await sleep(2);
    this.#world.bury(group.task.id);
    this.#groups[index] = null;
    // 1: flock(1) was refused.
    const refused = code === 1 && group.task.how === 'held' && group.stderr === '';
    if (refused) this.#world.count(group.task.seat, 'foreign refused');
    if (group.killed || refused || code === 0) return;
    const lock = LOCKS.find(({ name }) => name === group.task.lock);
    this.#world.violation('end', lock, group.task.id, `foreign: ${code}: ${group.stderr}`);
  }
}

/** Whether anybody of a process group is left. */
function isThere(pid) {
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
}
