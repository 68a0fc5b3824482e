// One who acquires, stays inside for a moment, does something there, and
// leaves; again and again. A thread has one or two of them.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { acquireByChance } from './acquiring.mjs';
import { LOCKS } from './locks.mjs';
import { Stay } from './oracle.mjs';
import { DELIBERATE, FIELD, idOf } from './world.mjs';

const CHILD = fileURLToPath(new URL('./child.mjs', import.meta.url));

/** The lock that nobody takes, but one says that it waits for it. */
const UNUSED = LOCKS[1];

export function locksFor({ plant }) {
  return plant === 'deaf' ? LOCKS.filter((lock) => lock !== UNUSED) : LOCKS;
}

export class Lane {
  #world;
  #random;
  #seat;
  #childSeat;
  #life;
  #sub;
  #children = 0;
  id;

  /** `sub`: its number within the life of the member, if others had the seat before. */
  constructor(world, { random, seat, childSeat, life, sub = 0 }) {
    this.#world = world;
    this.#random = random;
    this.#seat = seat;
    this.#childSeat = childSeat;
    this.#life = life;
    this.#sub = sub;
    this.id = idOf(seat, life, sub);
  }

  async run(turns, isStopping = () => false) {
    for (let index = 0; index < turns && !isStopping(); index++) {
      while (this.#world.resting) await sleep(20);
      const lock = this.#random.pick(locksFor(this.#world));
      if (this.#world.plant !== undefined) await this.#misbehave(lock);
      const { held, mode } = await acquireByChance(this.#world, lock, {
        random: this.#random,
        seat: this.#seat,
        id: this.id,
      });
      if (held !== null) await this.#hold(lock, held, mode);
      if (this.#random.chance(0.3)) await sleep(this.#random.between(0, 8));
    }
  }

  async #hold(lock, held, mode) {
    const { random } = this.#hands();
    // An instance that hears of its loss is not to print a warning.
    if (held.signal !== undefined) this.#listen(lock, held);
    let stay = new Stay(this.#world, lock, this.id, held.fd, mode);
    await stay.enter(this.#world.plant === 'token' && lock.files === 'kept' ? 1 : held.token);
    await this.#remain(lock, held, stay);
    const instance = held.mode === undefined;
    const end = this.#world.plant === undefined ? 0.25 : 0;
    const what = random.weighted({ leave: 78, change: 14, update: 8, hand: 5, end });
    if (what === 'hand' && !instance) return this.#handOver(lock, held, stay);
    if (what === 'end') return this.#endInside(lock, random.chance(0.5));
    if (what === 'update') this.#update(lock, held);
    if (what === 'change' && !instance) {
      stay = stay.mode === 'shared' ? await this.#upgrade(lock, held, stay) : downgrade(held, stay);
      if (stay === null) return;
      this.#count(stay.mode === 'shared' ? 'downgrades' : 'upgrades won');
      await this.#remain(lock, held, stay);
    }
    stay.leave();
    this.#try(lock, 'release', () => held.releaseSync());
  }

  #hands() {
    return { world: this.#world, random: this.#random };
  }

  #count(name) {
    this.#world.count(this.#seat, name);
  }

  async #remain(lock, held, stay) {
    const { random } = this.#hands();
    for (let looks = random.between(1, 4); looks > 0; looks--) {
      const pause = random.weighted({ none: 40, turn: 30, short: 28, long: 2 });
      const length = random.between(0, pause === 'long' ? 60 : 4);
      if (pause === 'turn') await turn();
      if (pause === 'short' || pause === 'long') await sleep(length);
      stay.look();
      if (this.#try(lock, 'isCurrent', () => held.isCurrent())) continue;
      this.#count('found replaced');
      if (lock.files === 'replaced') continue;
      throw this.#world.violation('lost', lock, this.id, 'the file at the path is another');
    }
  }

  #listen(lock, held) {
    held.signal.addEventListener('abort', () => {
      this.#count('found lost');
      // A file lock that is not held any more was lost by its own upgrade.
      const isOfUpgrade = held.mode !== undefined && !held.held;
      if (lock.files === 'replaced' || isOfUpgrade) return;
      this.#world.violation('lost', lock, this.id, `a holder hears: ${held.signal.reason}`);
    });
  }

  /** Where files are replaced, `ERR_LOCK_LOST` is an answer. */
  #try(lock, what, action) {
    try {
      return action();
    } catch (error) {
      if (lock.files === 'replaced' && error.code === 'ERR_LOCK_LOST') {
        this.#count('found lost');
        return undefined;
      }
      throw this.#world.violation('error', lock, this.id, `${what}: ${error.stack}`);
    }
  }

  #update(lock, held) {
    if (!lock.tokens || held.mode === 'shared') return;
    this.#try(lock, 'update', () => held.update({ at: Date.now() }));
    this.#count('updates');
  }

  /** `null`: lost. */
  async #upgrade(lock, held, stay) {
    stay.leave();
    const won = this.#try(lock, 'tryUpgrade', () => held.tryUpgrade()) === true;
    if (won !== held.held) {
      throw this.#world.violation('error', lock, this.id, `upgrade ${won}, held ${held.held}`);
    }
    if (!won) {
      this.#count('upgrades lost');
      return null;
    }
    const next = new Stay(this.#world, lock, this.id, held.fd, 'exclusive');
    await next.enter(held.token);
    return next;
  }

  /** Waits for the child's end: then its seat is free again. */
  async #handOver(lock, held, stay) {
    const { world, random } = this.#hands();
    const child = idOf(this.#childSeat, this.#life, this.#sub * 16 + ++this.#children);
    const task = { ...world.plain, id: child, lock: lock.index, mode: stay.mode };
    world.set(this.#childSeat, FIELD.child, child, 0);
    stay.passTo(child);
    const seed = random.between(0, 2 ** 31);
    const started = spawn(
      process.execPath,
      [CHILD, JSON.stringify({ ...task, childSeed: seed }), `--torture-child=${child}`],
      { stdio: ['ignore', 'ignore', 'inherit', held.fd] },
    );
    this.#try(lock, 'detach', () => held.detach());
    this.#count('handed over');
    const [code, signal] = await once(started, 'exit');
    world.bury(child);
    if (code !== 0 && signal !== 'SIGKILL') {
      throw world.violation('end', lock, child, `a child ended with ${code ?? signal}`);
    }
  }

  /** Never comes back. A worker's error ends the worker alone. */
  #endInside(lock, orderly) {
    this.#count('exits in a section');
    this.#world.log(lock, this.id, `ends inside, ${orderly ? 'exit' : 'an error'}`);
    if (orderly) process.exit(7);
    setImmediate(() => {
      throw new Error(DELIBERATE);
    });
    return new Promise(() => {});
  }

  /** What the checkers are there for, by the name of the plant. */
  async #misbehave(lock) {
    const { world } = this.#hands();
    if (this.#seat !== 0) return;
    if (world.plant === 'leak') openSync('/dev/null');
    if (world.plant === 'stray') closeSync(openSync(`${world.pathOf(lock)}.tmp`, 'a'));
    if (world.plant === 'listener') process.setMaxListeners(0).on('SIGUSR2', () => {});
    if (world.plant === 'deaf') world.set(this.#childSeat, FIELD.waitsFor, UNUSED.index + 1, 1);
    if (world.plant === 'no-lock' && lock.files === 'kept') await this.#intrude(lock);
    if (world.plant === 'process') {
      spawn('sleep', ['60'], { stdio: 'ignore', detached: true }).unref();
      world.plant = undefined;
    }
  }

  /** Enters without a lock. */
  async #intrude(lock) {
    const fd = openSync(this.#world.pathOf(lock), 'a+');
    const stay = new Stay(this.#world, lock, this.id, fd, 'exclusive');
    await stay.enter();
    stay.leave();
  }
}

function downgrade(held, stay) {
  stay.downgrade(() => held.downgrade());
  return stay;
}
