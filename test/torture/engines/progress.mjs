// Whether somebody is granted a name that is asked for, and how soon after a fault.

export class Progress {
  #now;
  #bound;
  #report;
  #faults = 0;
  #quietSince = 0;
  /** By name: the last grant, and the first who asked after it. */
  #last = new Map();
  #wanted = new Map();
  #waiting = [];
  #looked = 0;

  constructor({ now, bound, report }) {
    this.#now = now;
    this.#bound = bound;
    this.#report = report;
  }

  asks(name) {
    if (!this.#wanted.has(name)) this.#wanted.set(name, this.#now());
  }

  granted(name, at) {
    this.#last.set(name, at);
    this.#wanted.delete(name);
    for (const waiting of this.#waiting)
      if (at > waiting.since) waiting.resolve(at - waiting.since);
    this.#waiting = this.#waiting.filter(({ since }) => at <= since);
  }

  /** The lock is free from now on, as far as is known. */
  ended(name) {
    if (this.#wanted.has(name)) this.#wanted.set(name, this.#now());
  }

  faultBegins() {
    this.#faults++;
  }

  faultEnds() {
    this.#faults--;
    this.#quietSince = this.#now();
  }

  /** Whether a fault explains an error of a call that began at `since`. */
  isFaulty(since, grace) {
    return this.#faults > 0 || this.#quietSince + grace > since;
  }

  /** Milliseconds until anything is granted from now on. */
  nextGrant() {
    const since = this.#now();
    return new Promise((resolve) => this.#waiting.push({ since, resolve }));
  }

  /** Again and again. */
  judge(isHeld) {
    const now = this.#now();
    // A machine that is too slow to look is too slow to be judged.
    if (now - this.#looked > 1000) this.#quietSince = Math.max(this.#quietSince, now);
    this.#looked = now;
    if (this.#faults > 0) return;
    for (const [name, wanted] of this.#wanted) {
      const since = Math.max(wanted, this.#quietSince);
      if (isHeld(name) || now - since <= this.#bound()) continue;
      this.#report('stuck', `${name}: nobody was granted it for ${Math.round(now - since)} ms`);
    }
  }
}
