// What the driver does to members, to the network and to the server.
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from './clock.mjs';

const HOLDS_WITHIN = 1500;

export class Faults {
  #driver;
  #random;

  constructor(driver, random) {
    this.#driver = driver;
    this.#random = random;
  }

  /** One of them, or two at once. */
  async next() {
    const kinds = [this.#random.weighted(this.#driver.target.faults)];
    // A server that is away answers no second one.
    if (this.#random.chance(0.2)) kinds.push(this.#random.pick(['stop', 'kill', 'delay', 'cut']));
    const done = kinds.map(async (kind) => {
      const draws = Array.from({ length: 5 }, () => this.#random.next());
      this.#driver.counts.faults++;
      this.#driver.counts[kind] = (this.#driver.counts[kind] ?? 0) + 1;
      this.#driver.progress.faultBegins();
      try {
        await this[kind](draws);
      } finally {
        this.#driver.progress.faultEnds();
      }
    });
    await Promise.all(done);
  }

  /** Mostly the holder of a name. */
  #victim([one, two, three]) {
    const { members, oracle } = this.#driver;
    const holder = oracle.holderOf(one < 0.8 ? 'x' : 'y');
    const found = two < 0.7 ? members.find(({ id }) => id === holder) : undefined;
    return found ?? members[Math.floor(three * members.length)];
  }

  #note(deed, { id } = {}) {
    this.#driver.note(id === undefined ? deed : `${deed} ${id}`);
  }

  /** Long enough for the server to give a silent client up, or not. */
  #length(draw, long) {
    const most = this.#driver.target.frees;
    return long < 0.4 ? 20 + draw * 800 : most * (0.8 + draw * 0.9);
  }

  /** A member that holds an exclusive lock, and will for so long; `undefined`: it came to none. */
  async #lingering(draw, length) {
    const { members, oracle } = this.#driver;
    const member = members[Math.floor(draw * members.length)];
    this.#driver.send(member, { what: 'linger', until: now() + HOLDS_WITHIN + length });
    const until = now() + HOLDS_WITHIN;
    while (now() < until && !oracle.holds(member.id)) await sleep(5);
    return oracle.holds(member.id) ? member : undefined;
  }

  async stop(draws) {
    const length = this.#length(draws[3], draws[4]);
    const holder = draws[1] < 0.5 ? await this.#lingering(draws[2], length) : undefined;
    const member = holder ?? this.#victim(draws);
    const { process: child, id } = member;
    if (child === null || member.deadSince !== undefined) return;
    this.#note(`stops for ${length.toFixed(0)}`, member);
    const pause = this.#driver.oracle.paused({ member: id, from: now() });
    child.kill('SIGSTOP');
    await sleep(length);
    pause.to = now();
    child.kill('SIGCONT');
  }

  async kill(draws) {
    const member = this.#victim(draws);
    this.#note('kills', member);
    this.#driver.kill(member);
  }

  /** The session or lease of the holder. */
  async end([one, two, three]) {
    const name = one < 0.8 ? 'x' : 'y';
    const { target, oracle } = this.#driver;
    if (two < 0.6) await this.#lingering(three, this.#driver.target.hearing * 1.5);
    // Whose it is, the server says with its answer.
    const ending = oracle.ended({ member: null, from: now(), name });
    const pid = await target.end(name);
    const member = this.#driver.memberOf(pid);
    this.#note(`ends the session with ${name} of`, member);
    Object.assign(ending, { member: member?.id, to: now(), sure: true });
  }

  async cancel([one]) {
    const name = one < 0.8 ? 'x' : 'y';
    const pid = await this.#driver.target.cancel(name);
    if (pid !== null) this.#note(`cancels the wait for ${name} of pid ${pid}`);
  }

  async delay(draws) {
    const members = draws[0] < 0.3 ? this.#driver.members : [this.#victim(draws)];
    const delay = 2 + draws[1] * 120;
    this.#note(`delays by ${delay.toFixed(0)} ${members.map(({ id }) => id)}`);
    for (const { relay } of members) relay.delay = delay;
    await sleep(200 + draws[3] * 1500);
    for (const { relay } of members) relay.delay = 0;
  }

  /** Nothing gets through for a time, and nobody is told. */
  async silence(draws) {
    const { target, oracle } = this.#driver;
    const length = this.#length(draws[3], draws[4]);
    const holder = draws[2] < 0.8 ? await this.#lingering(draws[0], length) : undefined;
    const member = holder ?? this.#victim(draws);
    const directions = [['up'], ['down'], ['up', 'down'], ['up', 'down']];
    const silent = directions[Math.floor(draws[1] * directions.length)];
    this.#note(`silences ${silent} for ${length.toFixed(0)}`, member);
    const silence = oracle.silent({ member: member.id, from: now() });
    for (const direction of silent) member.relay.silent.add(direction);
    const cutAt = target.needsCut ? Math.min(length, target.frees) : length;
    await sleep(cutAt);
    if (cutAt < length) {
      // As its timeout for this connection does where the packets are lost.
      member.relay.cutServer();
      this.#note('the server gives up', member);
      await sleep(length - cutAt);
    }
    silence.to = now();
    if (draws[2] < 0.2) this.#cutNow([member]);
    member.relay.resume();
  }

  async cut(draws) {
    this.#cutNow(draws[3] < 0.2 ? this.#driver.members : [this.#victim(draws)]);
  }

  /** Both sides hear of it, in whatever order. */
  #cutNow(members) {
    for (const member of members) {
      this.#note('cuts', member);
      const from = now();
      member.relay.cut();
      const sure = this.#driver.target.needsCut && member.relay.silent.size === 0;
      this.#driver.oracle.ended({ member: member.id, from, to: now(), sure });
    }
  }

  async freeze([one, two, three, four, five]) {
    const name = one < 0.8 ? 'x' : 'y';
    const length = this.#length(two * 0.7, three);
    if (four < 0.6) await this.#lingering(five, length);
    this.#note(`freezes the server, or its session with ${name}, for ${length.toFixed(0)}`);
    await this.#driver.target.freeze(name, length);
  }

  async compact() {
    this.#note('compacts');
    await this.#driver.target.compact();
  }

  async crash(draws) {
    await this.#restart('crash', draws);
  }

  async fast(draws) {
    await this.#restart('fast', draws);
  }

  async immediate(draws) {
    await this.#restart('immediate', draws);
  }

  async #restart(how, [one, two, three, four]) {
    if (three < 0.5) await this.#lingering(four, this.#driver.target.hearing * 1.5);
    this.#note(`restarts, ${how}`);
    const { target, oracle } = this.#driver;
    // Where sessions end with the server.
    const ending = target.needsCut ? oracle.ended({ member: null, from: now(), sure: true }) : {};
    await target.restart(how, one * one * 1500 * (two < 0.5 ? 0 : 1));
    ending.to = now();
    this.#note('restarted');
  }
}
