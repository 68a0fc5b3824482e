// What all processes of a run share: files of 8-byte numbers, each written by
// one pwrite, and logs that are appended to.
import { appendFileSync, closeSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Who can hold at one time has a seat; an id is a seat and a generation of it. */
export const SEATS = 256;
export const SEATS_OF_MEMBER = 8;
export const FOREIGN_SEAT = 240;
const SUBS = 4096;

export const idOf = (seat, life, sub = 0) => (life * SUBS + sub) * SEATS + seat;
export const seatOf = (id) => id % SEATS;

/** The fields of a seat. */
export const FIELD = { dead: 0, waitsFor: 1, waitsSince: 2, child: 3, pid: 4 };
const FIELDS = 8;
const RESTING = 16;

export const COUNTERS = [
  ...['exclusive', 'shared', 'sync', 'tried', 'polled', 'waited', 'instance', 'stolen', 'adopted'],
  ...['timeouts', 'refused', 'aborts', 'refused to wait for itself', 'sections', 'looks'],
  ...['upgrades won', 'upgrades lost', 'downgrades', 'updates', 'found replaced', 'found lost'],
  ...['handed over', 'never adopted', 'children that ended holding', 'exits in a section'],
  ...['worker terminations', 'worker ends', 'idle checks', 'foreign exclusive', 'foreign shared'],
  ...['foreign refused', 'dead owners found'],
];
const COUNTERS_ROOM = 64;

/** A file of numbers. */
export class Numbers {
  #fd;
  #one = new Float64Array(1);

  constructor(path) {
    this.#fd = openSync(path, 'a+');
    closeSync(this.#fd);
    this.#fd = openSync(path, 'r+');
  }

  get(index) {
    this.#one[0] = 0;
    readSync(this.#fd, this.#one, 0, 8, index * 8);
    return this.#one[0];
  }

  set(index, ...values) {
    writeSync(this.#fd, new Float64Array(values), 0, values.length * 8, index * 8);
  }

  range(index, length) {
    const values = new Float64Array(length);
    readSync(this.#fd, values, 0, length * 8, index * 8);
    return values;
  }

  close() {
    closeSync(this.#fd);
  }
}

/** The message of an error that is meant. */
export const DELIBERATE = 'torture: deliberate';

export class Violation extends Error {}

export class World {
  #state;
  #counters;

  /** `plain`: folder, seed, plant, deadline: what can be passed on as JSON. */
  constructor(plain) {
    this.plain = plain;
    this.folder = plain.folder;
    this.seed = plain.seed;
    this.plant = plain.plant;
    this.#state = new Numbers(join(plain.folder, 'state'));
    this.#counters = new Numbers(join(plain.folder, 'counters'));
  }

  pathOf(lock) {
    return join(this.folder, 'locks', `${lock.name}.lock`);
  }

  get(seat, field) {
    return this.#state.get(seat * FIELDS + field);
  }

  set(seat, field, ...values) {
    this.#state.set(seat * FIELDS + field, ...values);
  }

  isDead(id) {
    return id <= this.get(seatOf(id), FIELD.dead);
  }

  /** Called by the one that saw it end. */
  bury(id) {
    if (!this.isDead(id)) this.set(seatOf(id), FIELD.dead, id);
  }

  /** For foreign.py: where the same is in the same files. */
  get layout() {
    const [state, counters] = [join(this.folder, 'state'), join(this.folder, 'counters')];
    const violations = join(this.folder, 'violations');
    const numbers = { seats: SEATS, room: COUNTERS_ROOM, names: COUNTERS };
    return { state, counters, violations, ...numbers, resting: SEATS * FIELDS + RESTING };
  }

  progressIndex(lock) {
    return SEATS * FIELDS + lock.index;
  }

  /** Somebody came into a section of this lock. */
  noteProgress(lock) {
    this.#state.set(this.progressIndex(lock), Date.now());
  }

  progressOf(lock) {
    return this.#state.get(this.progressIndex(lock));
  }

  /** Nobody begins anything: the ones that wait must then be granted soon. */
  get resting() {
    return this.#state.get(SEATS * FIELDS + RESTING) !== 0;
  }

  set resting(yes) {
    this.#state.set(SEATS * FIELDS + RESTING, yes ? 1 : 0);
  }

  /** Each seat counts in its own numbers, which outlive it. */
  count(seat, name) {
    const index = seat * COUNTERS_ROOM + COUNTERS.indexOf(name);
    this.#counters.set(index, this.#counters.get(index) + 1);
  }

  totals() {
    const sums = {};
    for (const [index, name] of COUNTERS.entries()) {
      sums[name] = 0;
      for (let seat = 0; seat < SEATS; seat++) {
        sums[name] += this.#counters.get(seat * COUNTERS_ROOM + index);
      }
    }
    return sums;
  }

  /** For the one who has to understand a violation. */
  log(lock, id, text) {
    const line = `${Date.now()} pid ${process.pid} seat ${seatOf(id)} id ${id}: ${text}\n`;
    appendFileSync(this.logOf(lock), line);
  }

  logOf(lock) {
    return join(this.folder, `${lock.name}.log`);
  }

  /** The driver ends everything. */
  violation(kind, lock, id, detail) {
    const line = { at: Date.now(), kind, lock: lock?.name ?? null, id, pid: process.pid, detail };
    appendFileSync(join(this.folder, 'violations'), `${JSON.stringify(line)}\n`);
    return new Violation(`${kind}: ${detail}`);
  }
}
