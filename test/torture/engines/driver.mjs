// Starts the members, each behind a relay of its own, and is the only one who
// knows what is done to them and to the server.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Relay } from '../../support/relay.mjs';
import { Random } from '../random.mjs';
import { slowness } from '../watch.mjs';
import { now } from './clock.mjs';
import { Faults } from './faults.mjs';
import { Oracle } from './oracle.mjs';
import { Progress } from './progress.mjs';

const MEMBERS = 4;
const MARGIN = 3000;
/** For how long after a fault calls fail because of it. */
const AFTERMATH = 3000;
/** How much later than its timeout a call may end. */
const LATE = 3500;
const REST_EVERY = 12_000;

export class Driver {
  #folder;
  #seed;
  #plant;
  #random;
  #isEnding = false;
  #nextRest = now() + REST_EVERY;
  target;
  members = [];
  oracle;
  progress;
  violations = [];
  deeds = [];
  recoveries = [];
  counts = {
    ...{ processes: 0, faults: 0, rests: 0 },
    ...{ errors: 0, timeouts: 0, held: 0, aborts: 0, unreleased: 0 },
  };

  constructor({ target, folder, seed, plant }) {
    this.target = target;
    this.#folder = folder;
    this.#seed = seed;
    this.#plant = plant;
    this.#random = new Random(seed, 'driver');
    const report = (kind, detail) => this.violation(kind, detail);
    // A planted breach must be found on a busy machine as well: nothing is excused.
    const excused = plant === undefined ? slowness : () => 1;
    this.oracle = new Oracle(target, { now, slowness: excused, report });
    const bound = () => (target.frees + MARGIN) * slowness();
    this.progress = new Progress({ now, bound, report });
  }

  get isBroken() {
    return this.violations.length > 0;
  }

  async start() {
    for (let position = 0; position < MEMBERS; position++) {
      const relay = await Relay.start(this.target.port);
      this.members.push({ position, relay, life: 0, process: null });
      this.#startMember(this.members[position]);
    }
    await this.progress.nextGrant();
  }

  async run(until) {
    const judging = setInterval(() => {
      this.oracle.judge();
      this.progress.judge((name) => this.oracle.holderOf(name) !== undefined);
    }, 200);
    const faults = new Faults(this, this.#random);
    while (now() < until && !this.isBroken) {
      await faults.next();
      if (this.#random.chance(0.85)) await this.#recovery();
      await sleep(this.#random.between(20, 400));
      if (now() < this.#nextRest || this.isBroken) continue;
      await this.#rest();
      this.#nextRest = now() + REST_EVERY;
    }
    await this.#end();
    clearInterval(judging);
  }

  /** How long after a fault until something is granted; `Progress` says when that is too long. */
  async #recovery() {
    const broken = async () => {
      while (!this.isBroken) await sleep(100);
    };
    const took = await Promise.race([this.progress.nextGrant(), broken()]);
    if (took !== undefined) this.recoveries.push(took);
  }

  /** Work without faults, where every error counts; then none, and nothing may be left. */
  async #rest() {
    this.note('rests');
    await sleep(AFTERMATH + 1000);
    for (const member of this.members) {
      member.rests = false;
      this.send(member, { what: 'rest' });
    }
    const busy = () => this.members.filter(({ rests }) => !rests);
    await this.#until(() => busy().length === 0, 10_000);
    if (busy().length > 0) this.violation('late', `go on: ${busy().map(({ id }) => id)}`);
    await this.#checkNothingLeft();
    for (const member of this.members) this.send(member, { what: 'go' });
    this.counts.rests++;
  }

  async #until(isDone, milliseconds) {
    const until = now() + milliseconds * slowness();
    while (!this.isBroken && !(await isDone()) && now() < until) await sleep(20);
  }

  async #checkNothingLeft() {
    let left = [];
    const isClean = async () => {
      left = await this.target.leftovers();
      return left.length === 0;
    };
    await this.#until(isClean, this.target.frees + 1000);
    if (left.length > 0) this.violation('left', left.join('\n    '));
  }

  /** All stop by themselves, and nothing is left. */
  async #end() {
    this.#isEnding = true;
    for (const member of this.members) this.send(member, { what: 'stop' });
    const busy = () => this.members.filter(({ process: child }) => child !== null);
    await this.#until(() => busy().length === 0, 10_000);
    if (!this.isBroken && busy().length > 0) {
      this.violation('end', `do not end: ${busy().map(({ id }) => id)}`);
    }
    if (this.isBroken) return;
    await sleep(1000);
    this.oracle.judge();
    this.oracle.judgeAccepted();
    await this.#checkNothingLeft();
  }

  /** To one that may have been killed. */
  send({ process: child }, message) {
    if (child?.connected) child.send(message, () => {});
  }

  stop() {
    this.#isEnding = true;
    for (const { relay, process: child } of this.members) {
      child?.kill('SIGKILL');
      relay.stop();
    }
  }

  violation(kind, detail) {
    this.note(`VIOLATION ${kind}`);
    this.violations.push({ kind, detail });
  }

  note(deed) {
    this.deeds.push(`${now().toFixed(0)} ${deed}`);
    if (this.deeds.length > 40) this.deeds.shift();
  }

  memberOf(pid) {
    return this.members.find(({ process: child }) => child?.pid === pid);
  }

  kill(member) {
    if (member.process === null) return;
    member.killed = member.process.pid;
    member.process.kill('SIGKILL');
    // It does nothing any more; what it still says of earlier is on its way.
    member.deadSince = now();
  }

  #startMember(member) {
    member.life++;
    this.counts.processes++;
    const id = `${member.position}.${member.life}`;
    const task = {
      engine: this.target.name,
      options: this.target.optionsAt(member.relay.port),
      modes: this.target.modes,
      position: member.position,
      life: member.life,
      seed: this.#seed,
      plant: this.#plant,
    };
    const script = join(this.#folder, 'test/torture/engines/member.mjs');
    const child = fork(script, [JSON.stringify(task)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      execArgv: [],
    });
    Object.assign(member, { id, process: child, deadSince: undefined, killed: undefined });
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('message', (message) => this.#hear(member, id, message));
    // After its last message.
    child.on('close', (code, signal) => {
      this.oracle.dead(id, member.deadSince ?? now());
      member.process = null;
      const isWanted = member.killed === child.pid || (code === 0 && this.#isEnding);
      if (!isWanted && !this.isBroken) {
        this.violation('end', `member ${id} (pid ${child.pid}): ${code ?? signal}: ${stderr}`);
      }
      if (!this.#isEnding && !this.isBroken) this.#startMember(member);
    });
  }

  #hear(member, id, message) {
    switch (message.what) {
      case 'asks':
        return this.progress.asks(message.name);
      case 'granted':
        this.progress.granted(message.name, message.at);
        return this.oracle.granted(id, message);
      case 'ended':
        return this.oracle.over(id, message);
      case 'write': {
        const accepted = this.oracle.write(id, message);
        return this.send(member, { what: 'answer', id: message.id, accepted });
      }
      case 'resting':
        member.rests = true;
        return;
      case 'stall':
        return this.oracle.paused({ member: id, from: message.from, to: message.to });
      case 'refused':
        return this.#refused(id, message);
      case 'unreleased':
        this.counts.unreleased++;
        return this.#judgeError(id, 'release', message);
    }
  }

  #refused(id, message) {
    const { code, isAborted, timeout, asked, at } = message;
    const took = at - asked;
    const isTimeout = code === 'ERR_LOCK_TIMEOUT';
    if (isTimeout) this.counts.timeouts++;
    else if (code === 'ERR_LOCK_HELD') this.counts.held++;
    else if (isAborted) this.counts.aborts++;
    else {
      this.counts.errors++;
      this.#judgeError(id, 'acquire', message);
    }
    if (isTimeout && took < timeout) {
      this.violation('early', `member ${id}: ${JSON.stringify(message)} after ${took}`);
    }
    const isLate = took > (timeout ?? 200) + LATE * slowness();
    if (isLate && !this.progress.isFaulty(asked, AFTERMATH)) {
      this.violation('late', `member ${id}: ${JSON.stringify(message)} after ${took}`);
    }
  }

  #judgeError(id, what, message) {
    const isBug = /^(TypeError|RangeError|ReferenceError|Assert|LockStateError)/.test(
      message.message,
    );
    const isExplained = this.progress.isFaulty(message.asked, AFTERMATH * slowness());
    if (isBug || !isExplained) {
      this.violation('error', `member ${id}, ${what}: ${JSON.stringify(message)}`);
    }
  }
}
