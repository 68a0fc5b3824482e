// Starts them all, kills and stops them, meddles with files, and is the only
// one who knows of it.
import { fork } from 'node:child_process';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Foreigners } from './foreign.mjs';
import { LOCKS } from './locks.mjs';
import { leftOver, livingChildren, send } from './processes.mjs';
import { Random } from './random.mjs';
import { slowness } from './watch.mjs';
import { DELIBERATE, FIELD, idOf, SEATS_OF_MEMBER } from './world.mjs';

const MEMBERS = 5;
const LAST_SUB = 4095;

export class Driver {
  #world;
  #random;
  #members = [];
  #foreigners;
  #ending = false;
  #rests = 0;
  /** What it did, for the reader of a violation. */
  deeds = [];
  counts = {
    ...{ processes: 0, kills: 0, stops: 0, 'kills of children': 0, 'stops of children': 0 },
    ...{ unlinked: 0, replaced: 0, rests: 0 },
  };
  killed = new Set();

  constructor(world) {
    this.#world = world;
    this.#random = new Random(world.seed, 'driver');
    this.#foreigners = new Foreigners(world, this.#random, this.counts);
  }

  start() {
    for (let position = 0; position < MEMBERS; position++) {
      this.#members.push({ position, life: 0, process: null, stopped: null, awake: 0 });
      this.#startMember(this.#members[position]);
    }
  }

  /** Decides and acts until the end; what it decides does not depend on the others. */
  async run(until) {
    let nextRest = Date.now() + 3000;
    while (Date.now() < until && !this.#ending) {
      const random = this.#random;
      const pause = random.between(20, 160);
      const draws = [random.next(), random.next(), random.next()];
      const deed = random.weighted({
        ...{ nothing: 45, kill: 9, stop: 6, killChild: 5, stopChild: 3 },
        ...{ foreign: 18, killForeign: 5, stopForeign: 2, unlink: 6, replace: 6 },
      });
      await this.#act(deed, draws);
      await sleep(pause);
      if (Date.now() < nextRest) continue;
      await this.#rest();
      nextRest = Date.now() + random.between(7000, 11_000);
    }
  }

  /** Asks all to end by themselves; returns the names of those that do not. */
  async end() {
    this.#ending = true;
    this.#world.resting = false;
    for (const member of this.#members) {
      this.#continue(member);
      if (member.process?.connected) member.process.send('stop');
    }
    const busy = () => [
      ...this.#members
        .filter((member) => !member.ended)
        .map((member) => `member ${member.position}`),
      ...this.#foreigners.busy(),
    ];
    for (let waited = 0; busy().length > 0 && waited < 25_000 * slowness(); waited += 20)
      await sleep(20);
    return busy();
  }

  /** After a violation: nobody goes on. */
  async abandon() {
    this.#ending = true;
    for (const pid of leftOver(this.#world.folder)) send(Number(pid), 'SIGKILL');
    await sleep(200);
  }

  isRunningMember(pid) {
    const member = this.#members.find((each) => each.process?.pid === pid);
    return member !== undefined && member.stopped === null;
  }

  /** Since when the member at a position has run without a stop; Infinity: it does not. */
  awakeSince(position) {
    const member = this.#members[position];
    if (member === undefined || member.process === null) return Number.POSITIVE_INFINITY;
    return member.stopped === null ? member.awake : Number.POSITIVE_INFINITY;
  }

  #startMember(member) {
    const { position } = member;
    member.life++;
    member.ended = false;
    member.awake = Date.now();
    this.counts.processes++;
    const plain = { ...this.#world.plain, position, life: member.life };
    const child = fork(
      join(this.#world.folder, 'package/test/torture/member.mjs'),
      [JSON.stringify(plain)],
      {
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
        env: { ...process.env, HOLDFAST_TORTURE: this.#world.folder },
        execArgv: [],
      },
    );
    member.process = child;
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('exit', (code, signal) => this.#onEnd(member, { code, signal, stderr: () => stderr }));
  }

  async #onEnd(member, { code, signal, stderr }) {
    const { pid } = member.process;
    this.#note(`member ${member.position} (pid ${pid}) ended: ${code ?? signal}`);
    this.#continue(member);
    member.process = null;
    const first = member.position * SEATS_OF_MEMBER;
    for (let seat = first; seat < first + 3; seat++) {
      this.#world.set(seat, FIELD.waitsFor, 0, 0);
      this.#world.bury(idOf(seat, member.life, LAST_SUB));
    }
    await sleep(20);
    const wanted = this.killed.has(pid)
      ? signal === 'SIGKILL'
      : code === 7 || (code === 1 && stderr().includes(DELIBERATE)) || (code === 0 && this.#ending);
    if (!wanted) {
      const detail = `member ${member.position} (pid ${pid}): ${code ?? signal}: ${stderr()}`;
      this.#world.violation('end', null, idOf(first, member.life), detail);
    }
    await this.#buryOrphans(first + 3);
    if (this.#ending) member.ended = true;
    else this.#startMember(member);
  }

  /** Children outlive their parents; one that was between fork and exec shows late. */
  async #buryOrphans(firstSeat) {
    const seats = [firstSeat, firstSeat + 1, firstSeat + 2];
    const unburied = () =>
      seats
        .map((seat) => this.#world.get(seat, FIELD.child))
        .filter((id) => id !== 0 && !this.#world.isDead(id));
    let gone = new Set();
    while (unburied().length > 0) {
      const living = livingChildren(this.#world.folder);
      const missing = unburied().filter((id) => !living.has(id));
      for (const id of missing) if (gone.has(id)) this.#world.bury(id);
      gone = new Set(missing);
      await sleep(30);
    }
  }

  async #act(deed, draws) {
    const chosen = Math.floor(draws[0] * MEMBERS);
    // One that breaks a rule on purpose must live until it is found out.
    const spared = this.#world.plant !== undefined && chosen === 0;
    const member = this.#members[spared ? 1 : chosen];
    const length = 20 + draws[1] ** 3 * 1600;
    switch (deed) {
      case 'kill':
        return this.#kill(member);
      case 'stop':
        return this.#stop(member, length);
      case 'killChild':
      case 'stopChild':
        return this.#meetChild(deed, draws[0], length);
      case 'foreign':
        return this.#foreigners.start(draws[0]);
      case 'killForeign':
        return this.#foreigners.kill(draws[0]);
      case 'stopForeign':
        return this.#foreigners.stop(draws[0], length);
      case 'unlink':
      case 'replace':
        return this.#meddle(deed);
    }
  }

  #note(deed) {
    this.deeds.push(`${Date.now()} ${deed}`);
    if (this.deeds.length > 60) this.deeds.shift();
  }

  #kill(member) {
    if (member.process === null) return;
    this.#note(`kills member ${member.position} (pid ${member.process.pid})`);
    this.counts.kills++;
    this.killed.add(member.process.pid);
    member.process.kill('SIGKILL');
  }

  #stop(member, length) {
    if (member.process === null || member.stopped !== null) return;
    this.#note(`stops member ${member.position} for ${length.toFixed(0)}`);
    this.counts.stops++;
    member.process.kill('SIGSTOP');
    member.stopped = setTimeout(() => this.#continue(member), length);
  }

  #continue(member) {
    if (member.stopped === null) return;
    clearTimeout(member.stopped);
    member.stopped = null;
    member.awake = Date.now();
    member.process?.kill('SIGCONT');
  }

  async #meetChild(deed, draw, length) {
    const children = [...livingChildren(this.#world.folder)];
    if (children.length === 0) return;
    const [id, pid] = children[Math.floor(draw * children.length)];
    this.#note(`${deed} ${id} (pid ${pid})`);
    const signal = (name) => {
      // It may have ended by now, and the number be somebody else's.
      if (livingChildren(this.#world.folder).get(id) === pid) send(pid, name);
    };
    if (deed === 'stopChild') {
      signal('SIGSTOP');
      setTimeout(() => signal('SIGCONT'), length);
      this.counts['stops of children']++;
      return;
    }
    this.killed.add(pid);
    this.counts['kills of children']++;
    signal('SIGKILL');
    while (livingChildren(this.#world.folder).has(id)) await sleep(1);
    this.#world.bury(id);
  }

  #meddle(deed) {
    const path = this.#world.pathOf(LOCKS.find(({ files }) => files === 'replaced'));
    this.#note(deed);
    if (deed === 'unlink') {
      this.counts.unlinked++;
      rmSync(path, { force: true });
      return;
    }
    this.counts.replaced++;
    writeFileSync(`${path}.new`, '');
    renameSync(`${path}.new`, path);
  }

  async #rest() {
    this.counts.rests++;
    this.#world.resting = true;
    const length = ++this.#rests % 3 === 0 ? 4200 : 1800;
    await sleep(length * slowness());
    this.#world.resting = false;
  }
}
