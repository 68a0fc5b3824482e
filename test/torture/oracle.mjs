// Who is inside, said by words in a file that no lock library knows of: the
// owner's id, and a slot per seat for readers. Written on entering, looked at
// again and again inside, cleared before the release. A word of one who died
// inside stays; it is no violation once somebody who saw the end has buried
// the id (processes: the driver; workers: their process; children: either).
import { fstatSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Numbers, SEATS, seatOf } from './world.mjs';

const OWNER = 0;
const TOKEN = 1;
const ENTRIES = 2;
export const SLOTS = 3;
const PATIENCE = 5000;

/** The file itself, not its number alone, which is used again. */
export function fileKey(fd) {
  const { ino, birthtimeNs } = fstatSync(fd, { bigint: true });
  return `${ino}.${birthtimeNs}`;
}

const wordsOf = (world, lock, key) =>
  new Numbers(join(world.folder, 'oracle', `${lock.name}.${key}`));

/** Whether anybody who lives is inside; for those who look from outside. */
export function isInside(world, words) {
  const all = words.range(OWNER, SLOTS + SEATS);
  const ids = [all[OWNER], ...all.subarray(SLOTS)];
  return ids.some((id) => id !== 0 && !world.isDead(id));
}

/** One stay in the section of a lock. */
export class Stay {
  #world;
  #lock;
  #id;
  #words;
  #tokens;
  mode;

  constructor(world, lock, id, fd, mode) {
    this.#world = world;
    this.#lock = lock;
    this.#id = id;
    const key = fileKey(fd);
    this.#words = wordsOf(world, lock, lock.files === 'replaced' ? key : 'path');
    this.#tokens = wordsOf(world, lock, lock.files === 'kept' ? 'path' : key);
    this.mode = mode;
  }

  async enter(token) {
    this.#world.log(this.#lock, this.#id, `enters, ${this.mode}, token ${token}`);
    await this.#settle(OWNER);
    if (this.mode === 'exclusive') {
      for (let seat = 0; seat < SEATS; seat++) await this.#settle(SLOTS + seat);
      this.#words.set(OWNER, this.#id);
      this.#words.set(ENTRIES, this.#words.get(ENTRIES) + 1);
    } else {
      this.#words.set(SLOTS + seatOf(this.#id), this.#id);
    }
    this.#world.noteProgress(this.#lock);
    this.#world.count(seatOf(this.#id), this.mode);
    this.#world.count(seatOf(this.#id), 'sections');
    if (token !== undefined) this.#checkToken(token);
    this.look();
  }

  /** The owners that must not be here now. */
  look() {
    this.#world.count(seatOf(this.#id), 'looks');
    const all = this.#words.range(OWNER, SLOTS + SEATS);
    const owner = this.mode === 'exclusive' ? this.#id : 0;
    if (all[OWNER] !== owner) this.#accuse(`the owner's word is ${all[OWNER]}, not ${owner}`);
    for (let seat = 0; seat < SEATS; seat++) {
      const reader = all[SLOTS + seat];
      const mine = this.mode === 'shared' && seat === seatOf(this.#id);
      if (mine ? reader !== this.#id : this.mode === 'exclusive' && reader !== 0) {
        this.#accuse(`the reader's slot ${seat} is ${reader}`);
      }
    }
  }

  leave() {
    this.look();
    const index = this.mode === 'exclusive' ? OWNER : SLOTS + seatOf(this.#id);
    this.#words.set(index, 0);
    this.#world.log(this.#lock, this.#id, `leaves, ${this.mode}`);
    this.#close();
  }

  /** From now on it is the child's: before there is one, because it may begin at once. */
  passTo(child) {
    this.look();
    if (this.mode === 'exclusive') this.#words.set(OWNER, child);
    else this.#words.set(SLOTS + seatOf(child), child);
    if (this.mode === 'shared') this.#words.set(SLOTS + seatOf(this.#id), 0);
    this.#world.log(this.#lock, this.#id, `hands over to ${child}, ${this.mode}`);
    this.#close();
  }

  /** The token that an adopted lock has to have. */
  checkAdopted(token) {
    const last = this.#tokens.get(TOKEN);
    if (this.#lock.tokens && token !== last) {
      throw this.#world.violation('token', this.#lock, this.#id, `adopted ${token}, not ${last}`);
    }
  }

  /** Runs the downgrade: nobody may have been exclusive in between. */
  downgrade(change) {
    this.look();
    const entries = this.#words.get(ENTRIES);
    this.#words.set(SLOTS + seatOf(this.#id), this.#id);
    this.#words.set(OWNER, 0);
    change();
    this.mode = 'shared';
    this.#world.log(this.#lock, this.#id, 'is shared now');
    this.look();
    if (this.#words.get(ENTRIES) !== entries) this.#accuse('another was exclusive in between');
  }

  #checkToken(token) {
    if (!this.#lock.tokens) return;
    const last = this.#tokens.get(TOKEN);
    const exclusive = this.mode === 'exclusive';
    if (exclusive ? token <= last : token < last) {
      throw this.#world.violation('token', this.#lock, this.#id, `${token} after ${last}`);
    }
    if (exclusive) this.#tokens.set(TOKEN, token);
  }

  /**
   * A word that is there already is that of one whose end is not known yet, or
   * a crime. Without blocking: a worker's end is seen by this very thread.
   */
  async #settle(index) {
    const found = this.#words.get(index);
    if (found === 0) return;
    const end = performance.now() + PATIENCE;
    while (!this.#world.isDead(found)) {
      const now = this.#words.get(index);
      if (now !== found && !this.#world.isDead(found)) {
        this.#accuse(`${found} was inside, and left by itself (word ${index} is ${now})`);
      }
      if (performance.now() > end) this.#accuse(`${found} is inside (word ${index})`);
      await sleep(2);
    }
    this.#world.count(seatOf(this.#id), 'dead owners found');
    if (this.#words.get(index) === found) this.#words.set(index, 0);
  }

  #accuse(detail) {
    throw this.#world.violation('exclusion', this.#lock, this.#id, `${this.mode}: ${detail}`);
  }

  #close() {
    this.#words.close();
    this.#tokens.close();
  }
}
