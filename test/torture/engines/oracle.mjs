// Judges what the members say, apart from any lock. A grant is an interval, from
// the return of `acquire` to the moment before `release`, or when its member heard
// of the loss, or was killed. All times are of one monotonic clock.
//
// Two exclusive intervals of one name never overlap, but for what is not
// promised: where the server, or the network, ended the session of one of them
// before it could hear of that (`ended`), and where a holder on etcd did not run
// (`paused`). That it hears in time is judged as well. Tokens have no exceptions.

/** A message of a member is here by then. */
const SETTLED = 600;
const KEPT = 30_000;
/** What a process that goes on does before it sees what happened meanwhile. */
const WAKING = 300;

function record(list, event) {
  const recorded = { to: Number.POSITIVE_INFINITY, ...event };
  list.push(recorded);
  return recorded;
}

const isExclusive = ({ mode }) => mode === 'exclusive';
const isOver = (grant) => grant.end !== Number.POSITIVE_INFINITY;

export class Oracle {
  #target;
  #now;
  #slowness;
  #report;
  #open = new Map();
  #grants = [];
  #closed = [];
  #endings = [];
  #silences = [];
  #pauses = [];
  #highest = new Map();
  #registers = new Map();
  #accepted = [];
  counts = { 'exclusive grants': 0, 'shared grants': 0, writes: 0, 'writes refused': 0, lost: 0 };

  constructor(target, { now, slowness, report }) {
    this.#target = target;
    this.#now = now;
    this.#slowness = slowness;
    this.#report = report;
  }

  granted(member, { grant: number, lane, name, mode, token, asked, at }) {
    const grant = { member, lane, name, mode, token, asked, start: at, end: Infinity };
    this.#open.set(`${member} ${number}`, grant);
    this.counts[`${mode} grants`]++;
    for (const other of this.#grants) this.#compareTokens(grant, other);
    const highest = this.#highest.get(name) ?? { token: 0 };
    if (token <= highest.token) this.#accuse('token', grant, highest);
    this.#grants.push(grant);
  }

  #compareTokens(one, other) {
    if (one.name !== other.name || (!isExclusive(one) && !isExclusive(other))) return;
    // Granted before the other one even asked; whatever happened then.
    const isBefore = (first, second) => first.start < second.asked && first.token >= second.token;
    const isSame = one.token === other.token;
    if (isSame || isBefore(one, other) || isBefore(other, one)) this.#accuse('token', one, other);
  }

  over(member, { grant: number, how, at }) {
    const grant = this.#open.get(`${member} ${number}`);
    if (grant === undefined) return;
    this.#open.delete(`${member} ${number}`);
    if (how === 'lost') this.counts.lost++;
    this.#close(grant, at, how);
  }

  /** Killed, or ended by itself. */
  dead(member, at) {
    for (const [key, grant] of this.#open) {
      if (grant.member !== member) continue;
      this.#open.delete(key);
      this.#close(grant, at, 'died');
    }
  }

  #close(grant, at, how) {
    grant.end = at;
    grant.how = how;
    this.#closed.push(grant);
  }

  /** Whether the register takes it. */
  write(member, { grant: number, name, token }) {
    const register = this.#registers.get(name) ?? 0;
    const grant = this.#open.get(`${member} ${number}`);
    const isAccepted = token >= register;
    this.counts[isAccepted ? 'writes' : 'writes refused']++;
    if (isAccepted) {
      this.#registers.set(name, token);
      this.#accepted.push({ name, token, member, number });
    } else if (grant !== undefined) {
      grant.refused ??= { at: this.#now(), register };
    }
    return isAccepted;
  }

  /**
   * The session of `member` (null: of all) was ended between two times. `sure`:
   * it had the lock of `name` (undefined: all that it holds), so it must hear.
   * `to` may come later, as in those below.
   */
  ended(event) {
    return record(this.#endings, event);
  }

  /** Nothing of the server reaches `member`. */
  silent(event) {
    return record(this.#silences, event);
  }

  /** `member` does not run. */
  paused(event) {
    return record(this.#pauses, event);
  }

  holderOf(name) {
    for (const grant of this.#open.values()) {
      if (grant.name === name && isExclusive(grant)) return grant.member;
    }
    return undefined;
  }

  holds(member) {
    return [...this.#open.values()].some((grant) => grant.member === member && isExclusive(grant));
  }

  /** Again and again: judges what is known by now. */
  judge() {
    const settled = this.#now() - SETTLED;
    const [ready, rest] = [[], []];
    for (const grant of this.#closed) (grant.end < settled ? ready : rest).push(grant);
    this.#closed = rest;
    for (const grant of ready) this.#judge(grant);
    this.#forget();
  }

  /** At the end: once more, from the register's own list. */
  judgeAccepted() {
    const last = new Map();
    const owners = new Map();
    for (const { name, token, member, number } of this.#accepted) {
      const owner = `${member} ${number}`;
      const known = owners.get(`${name} ${token}`) ?? owner;
      owners.set(`${name} ${token}`, owner);
      if (token < (last.get(name) ?? 0) || known !== owner) {
        this.#report('register', `${name}: ${token} of ${owner} after ${last.get(name)}, ${known}`);
      }
      last.set(name, token);
    }
  }

  #judge(grant) {
    for (const other of this.#grants) {
      if (other === grant || other.name !== grant.name) continue;
      if (!isExclusive(grant) && !isExclusive(other)) continue;
      const begin = Math.max(grant.start, other.start);
      if (begin >= Math.min(grant.end, other.end)) continue;
      if (this.#isExcused(grant, begin) || this.#isExcused(other, begin)) continue;
      this.#accuse('exclusion', grant, other);
    }
    if (grant.refused !== undefined && !this.#isExcused(grant, grant.refused.at)) {
      this.#accuse('register', grant, grant.refused);
    }
    this.#judgeHearing(grant);
  }

  /** It may not have known at `at` that it had lost it. */
  #isExcused({ member, asked, start, end }, at) {
    const isOf = (event) => event.member === null || event.member === member;
    const isEnded = ({ from, to }) => to >= asked && from <= at;
    if (this.#endings.some((event) => isOf(event) && isEnded(event))) return true;
    if (!this.#target.pauseLoses) return false;
    const until = Math.max(start, Math.min(at, end));
    return this.#pauses.some(
      (pause) => isOf(pause) && pause.from <= until && until <= pause.to + WAKING,
    );
  }

  #judgeHearing(grant) {
    const { member, name, start, end } = grant;
    const limit = this.#target.hearing * this.#slowness();
    const isLate = (from, to) => start < from && end > to + limit + this.#pausedIn(grant, from);
    for (const event of this.#endings) {
      if (!event.sure || (event.member !== null && event.member !== member)) continue;
      if (event.name !== undefined && event.name !== name) continue;
      if (isLate(event.from, event.to)) this.#accuse('deaf', grant, event);
    }
    for (const silence of this.#silences) {
      if (silence.member !== member || !isLate(silence.from, silence.from)) continue;
      const most = limit + this.#pausedIn(grant, silence.from);
      if (Math.min(silence.to, end) - silence.from > most) this.#accuse('deaf', grant, silence);
    }
  }

  #pausedIn({ member, end }, from) {
    return this.#pauses
      .filter((pause) => pause.member === member)
      .map((pause) => Math.min(end, pause.to) - Math.max(from, pause.from))
      .reduce((sum, length) => sum + Math.max(0, length), 0);
  }

  #forget() {
    const old = this.#now() - KEPT;
    const isNew = ({ to }) => to > old;
    this.#endings = this.#endings.filter(isNew);
    this.#silences = this.#silences.filter(isNew);
    this.#pauses = this.#pauses.filter(isNew);
    this.#grants = this.#grants.filter((grant) => {
      if (!isOver(grant) || grant.end > old) return true;
      const highest = this.#highest.get(grant.name);
      if (isExclusive(grant) && grant.token > (highest?.token ?? 0)) {
        this.#highest.set(grant.name, grant);
      }
      return false;
    });
  }

  #accuse(kind, one, other) {
    this.#report(kind, `${JSON.stringify(one)}\n    beside ${JSON.stringify(other)}`);
  }
}
